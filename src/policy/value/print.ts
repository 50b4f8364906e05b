// Prints values, in two dialects: Rego value text for `opa_value_parse` (sets stay sets, keys stay values), and JSON as
// OPA prints results (sets as sorted arrays, keys as strings). Numbers keep their text in both.

import { compareStrings, RegoObject, RegoSet, type Value } from "./model.ts";
import { RegoNumber } from "./number.ts";

/** Replaces each lone surrogate by U+FFFD, as Go's JSON reader does: UTF-8 has no bytes for them. */
export function toWellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}

/** Rego value text, which `parseValue` and OPA's `opa_value_parse` read back as an equal value. */
export function printValue(value: Value): string {
  if (typeof value === "string") return quote(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (value instanceof RegoNumber) return value.text;
  if (value instanceof RegoObject)
    return `{${value.entries.map(([key, member]) => `${printValue(key)}: ${printValue(member)}`).join(", ")}}`;
  if (value instanceof RegoSet)
    return value.values.length === 0 ? "set()" : `{${value.values.map(printValue).join(", ")}}`;
  return `[${value.map(printValue).join(", ")}]`;
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

const quote = (text: string): string => JSON.stringify(toWellFormed(text));
