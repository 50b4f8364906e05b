// The text form of x-forwarded-client-cert: `key=value;key=value,key=value…`.
// SPEC: Envoy's documentation, and what it writes: xfcc = element *("," *SP element); element = pair *(";" pair);
// pair = key "=" value; key is letters, case-insensitive; value = <"> quoted <"> | *(any but `,` `;` `"`). In quotes a
// backslash takes the next character along; only `\"` is undone, since other escapes belong to the distinguished name.

import { fail, ok, type Result } from "../base/result.ts";
import type { XfccCode } from "./codes.ts";
import type { XfccElement } from "./xfcc.ts";

/** How many elements a header may have. */
export const MAX_XFCC_ELEMENTS = 16;

interface Pair {
  readonly key: string;
  readonly value: string;
  readonly isQuoted: boolean;
  /** The offset behind the value. */
  readonly end: number;
}

/** What Envoy never writes in quotes. */
const BARE_KEYS: ReadonlySet<string> = new Set(["by", "hash", "uri", "dns"]);
const KEY = /[A-Za-z][A-Za-z0-9_-]*=/y;
const PLAIN_VALUE = /[^,;"]*/y;

/** Reads a header of printable ASCII whose length has been looked at. */
export function parseXfccText(header: string): Result<readonly XfccElement[], XfccCode> {
  if (header === "") return ok([]);
  const elements: XfccElement[] = [];
  let pairs: Pair[] = [];
  for (let at = 0; ; ) {
    const pair = readPair(header, at);
    if (!pair.ok) return pair;
    pairs.push(pair.value);
    at = pair.value.end;
    const isEnd = at === header.length;
    if (isEnd || header[at] === ",") {
      if (elements.length === MAX_XFCC_ELEMENTS) return fail("too_many");
      const element = toElement(pairs);
      if (!element.ok) return element;
      elements.push(element.value);
      pairs = [];
    }
    if (isEnd) return ok(elements);
    const isNewElement = header[at] === ",";
    at++;
    while (isNewElement && header[at] === " ") at++;
  }
}

function readPair(header: string, start: number): Result<Pair, XfccCode> {
  KEY.lastIndex = start;
  if (!KEY.test(header)) return fail("pair");
  const begin = KEY.lastIndex;
  const key = header.slice(start, begin - 1);
  if (header[begin] !== '"') {
    PLAIN_VALUE.lastIndex = begin;
    PLAIN_VALUE.test(header);
    const end = PLAIN_VALUE.lastIndex;
    return header[end] === '"'
      ? fail("stray_quote")
      : ok({ key, value: header.slice(begin, end), isQuoted: false, end });
  }
  let close = begin + 1;
  while (close < header.length && header[close] !== '"') close += header[close] === "\\" ? 2 : 1;
  if (close >= header.length) return fail("unterminated_quote");
  const end = close + 1;
  if (end < header.length && header[end] !== "," && header[end] !== ";") return fail("after_quote");
  return ok({ key, value: unescapeQuotes(header.slice(begin + 1, close)), isQuoted: true, end });
}

const unescapeQuotes = (quoted: string): string =>
  quoted.includes('\\"') ? quoted.replace(/\\([\s\S])/g, (pair, taken) => (taken === '"' ? taken : pair)) : quoted;

/** Envoy writes By, URI and DNS once for each name, the others once: who says them twice wants to be read in two ways. */
function toElement(pairs: readonly Pair[]): Result<XfccElement, XfccCode> {
  const many = { by: [] as string[], uri: [] as string[], dns: [] as string[] };
  const once = new Map<string, string>();
  const unknownKeys: string[] = [];
  let hasQuotedNames = false;
  for (const { key, value, isQuoted } of pairs) {
    const name = key.toLowerCase();
    hasQuotedNames ||= isQuoted && BARE_KEYS.has(name);
    switch (name) {
      case "by":
      case "uri":
      case "dns":
        many[name].push(value);
        break;
      case "hash":
      case "cert":
      case "chain":
      case "subject":
        if (once.has(name)) return fail(name === "hash" ? "duplicate_hash" : "duplicate_key");
        once.set(name, value);
        break;
      default:
        unknownKeys.push(key);
    }
  }
  return ok({
    by: many.by,
    hash: once.get("hash"),
    cert: once.get("cert"),
    chain: once.get("chain"),
    subject: once.get("subject"),
    uris: many.uri,
    dns: many.dns,
    hasQuotedNames,
    unknownKeys,
  });
}
