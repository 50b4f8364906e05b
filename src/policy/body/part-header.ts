// The header block of one multipart part, as Go's `textproto` reads it (go1.26 net/textproto/reader.go): folded lines,
// keys in canonical case, the same refusals. Works on byte texts.

import { fail, ok, type Result } from "../../base/result.ts";
import { quoteGo, trimEndOf } from "../byte-text.ts";

/** A part's header: values by canonical name (first one only), and where the part's body starts. */
export interface PartHeader {
  readonly values: ReadonlyMap<string, string>;
  readonly bodyStart: number;
}

/** SPEC: mime/multipart `maxMIMEHeaderSize` and `maxMIMEHeaders`; textproto counts 400 bytes a block and 200 a key. */
const MAX_HEADER_BYTES = (10 << 20) - 400;
const BYTES_PER_KEY = 200;
const MAX_HEADERS = 10_000;
const MAX_FIRST_LINE_BYTES = 80;
const TOO_LARGE = "multipart: message too large";
/** Not a sentence of Go's: the text ended inside the header, which the plugin takes for the end of all parts. */
export const END_OF_TEXT = "EOF";

/** Reads the header that starts at `start`. `request_malformed` with the detail `END_OF_TEXT` when the text ends first. */
export function readPartHeader(text: string, start: number): Result<PartHeader, "request_malformed"> {
  const values = new Map<string, string>();
  let room = MAX_HEADER_BYTES;
  let count = 0;
  let at = start;
  if (text[at] === " " || text[at] === "\t") {
    const { line } = readLine(text, at);
    if (line.length > MAX_FIRST_LINE_BYTES) return fail("request_malformed", TOO_LARGE);
    return fail("request_malformed", `malformed MIME header initial line: ${quoteGo(line)}`);
  }
  for (;;) {
    if (at >= text.length) return fail("request_malformed", END_OF_TEXT);
    const first = readLine(text, at);
    at = first.next;
    if (first.line === "") return ok({ values, bodyStart: at });
    if (!first.line.includes(":")) {
      return fail("request_malformed", `malformed MIME header: missing colon: ${quoteGo(first.line)}`);
    }
    let field = trim(first.line);
    while (text[at] === " " || text[at] === "\t") {
      while (text[at] === " " || text[at] === "\t") at++;
      const more = readLine(text, at);
      at = more.next;
      field += ` ${trim(more.line)}`;
    }
    if (field.length > room) return fail("request_malformed", TOO_LARGE);
    const colon = field.indexOf(":");
    const key = canonicalKey(field.slice(0, colon));
    const value = field.slice(colon + 1);
    if (key === undefined || /[^\t -~\x80-\xff]/.test(value)) {
      // SPEC: textproto has put the key into canonical case by the time it looks at the value.
      const shown = key === undefined ? field : key + field.slice(colon);
      return fail("request_malformed", `malformed MIME header line: ${quoteGo(shown)}`);
    }
    if (++count > MAX_HEADERS) return fail("request_malformed", TOO_LARGE);
    const trimmed = value.replace(/^[ \t]+/, "");
    const known = values.has(key);
    room -= trimmed.length + (known ? 0 : key.length + BYTES_PER_KEY);
    if (room < 0) return fail("request_malformed", TOO_LARGE);
    if (!known) values.set(key, trimmed);
  }
}

/** The line at `at` without its end, and where the next one starts. */
function readLine(text: string, at: number): { readonly line: string; readonly next: number } {
  const feed = text.indexOf("\n", at);
  if (feed < 0) return { line: text.slice(at), next: text.length };
  const end = feed > at && text[feed - 1] === "\r" ? feed - 1 : feed;
  return { line: text.slice(at, end), next: feed + 1 };
}

/** `Content-Type` for `content-type`; a key with a space stays as it is; undefined for what cannot be a key. */
function canonicalKey(key: string): string | undefined {
  if (!/^[!#$%&'*+\-.0-9A-Z^_`a-z|~ ]+$/.test(key)) return undefined;
  if (key.includes(" ")) return key;
  return key.toLowerCase().replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}

const trim = (line: string): string => trimEndOf(line.replace(/^[ \t]+/, ""), " \t");
