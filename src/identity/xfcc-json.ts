// The JSON form of x-forwarded-client-cert: a list of objects with `by`, `hash`, `cert`, `chain`, `subject`, `uri`, `dns`.
// SPEC: Envoy 1.38 and later, `set_client_cert_format: JSON`. Names are those of Envoy, exactly; others are told and dropped.
// SECURITY: no name stands twice in one object, since readers differ on which of two counts.

import { fail, ok, type Result } from "../base/result.ts";
import { type JsonValue, parseJsonObject } from "../base/strict-json.ts";
import type { XfccCode } from "./codes.ts";
import type { XfccElement } from "./xfcc.ts";
import { MAX_XFCC_ELEMENTS } from "./xfcc-text.ts";

const TEXT_NAMES: ReadonlySet<string> = new Set(["hash", "cert", "subject"]);
const LIST_NAMES: ReadonlySet<string> = new Set(["by", "chain", "uri", "dns"]);

/** Reads a header that begins with `[`, whose length has been looked at. */
export function parseXfccJson(header: string): Result<readonly XfccElement[], XfccCode> {
  // The reader takes objects. A header that tries to close this one early makes a second member, or something behind the end.
  const document = parseJsonObject(`{"elements":${header}}`);
  if (!document.ok) return fail("json", document.code);
  const items = document.value.get("elements");
  if (document.value.size !== 1 || !Array.isArray(items)) return fail("json");
  if (items.length > MAX_XFCC_ELEMENTS) return fail("too_many");
  const elements: XfccElement[] = [];
  for (const item of items as readonly JsonValue[]) {
    const element = toElement(item);
    if (element === undefined) return fail("json_shape");
    elements.push(element);
  }
  return ok(elements);
}

function toElement(item: JsonValue): XfccElement | undefined {
  if (typeof item !== "object" || item === null || Array.isArray(item)) return undefined;
  const texts = new Map<string, string>();
  const lists = new Map<string, readonly string[]>();
  const unknownKeys: string[] = [];
  for (const [name, value] of Object.entries(item)) {
    if (TEXT_NAMES.has(name)) {
      if (typeof value !== "string") return undefined;
      texts.set(name, value);
    } else if (LIST_NAMES.has(name)) {
      if (!isTextList(value)) return undefined;
      lists.set(name, value);
    } else unknownKeys.push(name);
  }
  return {
    by: lists.get("by") ?? [],
    hash: texts.get("hash"),
    cert: texts.get("cert"),
    chain: lists.get("chain"),
    subject: texts.get("subject"),
    uris: lists.get("uri") ?? [],
    dns: lists.get("dns") ?? [],
    hasQuotedNames: false,
    unknownKeys,
  };
}

const isTextList = (value: JsonValue): value is readonly string[] =>
  Array.isArray(value) && value.every((item) => typeof item === "string");
