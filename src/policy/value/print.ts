// Prints values, in two dialects: Rego value text for `opa_value_parse` (sets stay sets, keys stay values), and JSON as
// OPA prints results (sets as sorted arrays, keys as strings). Numbers keep their text in both. Bytes that are no UTF-8
// stay what they are in value text, and are U+FFFD in JSON.

import { replaceLoneSurrogates } from "../json-text.ts";
import { isWellFormed } from "./bytes.ts";
import { compareStrings, RegoObject, RegoSet, type Value } from "./model.ts";
import { RegoNumber } from "./number.ts";

/**
 * Rego value text, which `parseDump` reads back as an equal value. OPA's `opa_value_parse` does too, when the text is
 * well-formed; value-memory.ts has the rest.
 */
export function printValue(value: Value): string {
  return printValueWith(value, quoteBytes);
}

/** Texts of the objects that {@link keepText} names, once they are printed. */
const keptTexts = new WeakMap<RegoObject, string>();

/** PERF: has the value text of an object kept beside it, for one that is printed again and again. */
export function keepText(object: RegoObject): RegoObject {
  keptTexts.set(object, "");
  return object;
}

function printObject(object: RegoObject, printText: (text: string) => string): string {
  const kept = printText === quoteBytes ? keptTexts.get(object) : undefined;
  if (kept) return kept;
  const print = (item: Value): string => printValueWith(item, printText);
  const text = `{${object.entries.map(([key, member]) => `${print(key)}: ${print(member)}`).join(", ")}}`;
  if (kept !== undefined) keptTexts.set(object, text);
  return text;
}

/** {@link printValue} with strings as `printText` prints them. */
export function printValueWith(value: Value, printText: (text: string) => string): string {
  if (typeof value === "string") return printText(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (value instanceof RegoNumber) return value.text;
  if (value instanceof RegoObject) return printObject(value, printText);
  const print = (item: Value): string => printValueWith(item, printText);
  if (value instanceof RegoSet) return value.values.length === 0 ? "set()" : `{${value.values.map(print).join(", ")}}`;
  return `[${value.map(print).join(", ")}]`;
}

/** JSON as OPA prints a result: sets as sorted arrays, numbers as written, keys that are not strings as their JSON. */
export function toJson(value: Value): string {
  if (typeof value === "string") return quote(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (value instanceof RegoNumber) return value.text;
  if (value instanceof RegoObject) return objectToJson(value);
  return `[${(value instanceof RegoSet ? value.values : value).map(toJson).join(",")}]`;
}

function objectToJson(object: RegoObject): string {
  if (object.entries.every(([key]) => typeof key === "string"))
    return `{${object.entries.map(([key, member]) => `${quote(key as string)}:${toJson(member)}`).join(",")}}`;
  // Go collects such entries in a map of strings and prints it sorted; of `{1: …, "1": …}` the later one stands.
  const members = new Map<string, Value>();
  for (const [key, member] of object.entries) members.set(typeof key === "string" ? key : toKey(key), member);
  const sorted = [...members].sort(([a], [b]) => compareStrings(a, b));
  return `{${sorted.map(([key, member]) => `${quote(key)}:${toJson(member)}`).join(",")}}`;
}

/** A key's JSON, with the escapes of Go's encoder, which turns keys into text before the object itself is printed. */
function toKey(key: Value): string {
  return toJson(key).replace(/[<>&\u2028\u2029]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** As Go's encoder, which writes a bad byte as an escape, and U+FFFD itself as it is. */
const quote = (text: string): string =>
  isWellFormed(text) ? JSON.stringify(text) : replaceLoneSurrogates(JSON.stringify(text));

/** PERF: letters, digits and most of ASCII's signs, as nearly all strings of a policy are. */
const isPlain = (text: string): boolean => text.length < 256 && /^[ !#-[\]-~]*$/.test(text);

/** JSON.stringify escapes lone surrogates, and in value text an escape stands for text of a caller. */
function quoteBytes(text: string): string {
  if (isPlain(text)) return `"${text}"`;
  const quoted = JSON.stringify(text);
  if (isWellFormed(text)) return quoted;
  return quoted.replace(/\\(?:u(d[89a-f][0-9a-f]{2})|.)/g, (written, lone: string | undefined) => {
    if (lone === undefined) return written;
    return /^dc[89a-f]/.test(lone) ? String.fromCharCode(Number.parseInt(lone, 16)) : "\ufffd";
  });
}
