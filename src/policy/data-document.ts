// The `data` document: JSON and YAML files merged into one object. Two values for one key are an error, as in OPA;
// numbers keep their text.

import { fail, ok, type Result } from "../base/result.ts";
import { parseYaml, type YamlValue } from "../base/yaml.ts";
import { parseValue, RegoNumber, RegoObject, type Value } from "./value.ts";

/** Why a document was refused. */
export type DataCode = "data_syntax" | "data_not_object" | "data_conflict";

/** An empty `data` document. */
export const EMPTY_DATA: RegoObject = RegoObject.of([]);

/** Reads a document; the file name's ending says whether it is JSON or YAML. */
export function parseDataDocument(file: string, text: string): Result<Value, DataCode> {
  if (/\.ya?ml$/.test(file)) {
    const parsed = parseYaml(text);
    return parsed.ok ? ok(fromYaml(parsed.value)) : fail("data_syntax", `${file}: not YAML: ${parsed.detail}`);
  }
  try {
    JSON.parse(text); // value text is a superset of JSON: `{1, 2}` is a set there, and no JSON
    return ok(parseValue(text));
  } catch (error) {
    return fail("data_syntax", `${file}: not JSON: ${(error as Error).message}`);
  }
}

/** Puts `value` at `path` of `data`. Objects merge, anything else may stand only once. */
export function mergeData(
  data: RegoObject,
  path: readonly string[],
  value: Value,
  file: string,
): Result<RegoObject, DataCode> {
  if (path.length === 0 && !(value instanceof RegoObject)) {
    return fail("data_not_object", `${file}: the top of a data document must be an object`);
  }
  const nested = path.reduceRight<Value>((inner, key) => RegoObject.of([[key, inner]]), value);
  return mergeObjects(data, nested as RegoObject, file, []);
}

function mergeObjects(
  left: RegoObject,
  right: RegoObject,
  file: string,
  at: readonly string[],
): Result<RegoObject, DataCode> {
  const merged = new Map<Value, Value>(left.entries);
  for (const [key, added] of right.entries) {
    const present = merged.get(key);
    if (present === undefined) {
      merged.set(key, added);
      continue;
    }
    const path = [...at, String(key)];
    if (!(present instanceof RegoObject && added instanceof RegoObject)) {
      return fail("data_conflict", `${file}: \`${path.join(".")}\` has a value already: two documents set it`);
    }
    const inner = mergeObjects(present, added, file, path);
    if (!inner.ok) return inner;
    merged.set(key, inner.value);
  }
  return ok(RegoObject.of(merged));
}

function fromYaml(value: YamlValue): Value {
  if (value === null || typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "number") return Number.isFinite(value) ? RegoNumber.of(value) : String(value);
  if (typeof value === "bigint") return RegoNumber.of(value);
  if (Array.isArray(value)) return (value as readonly YamlValue[]).map(fromYaml);
  return RegoObject.of(Object.entries(value).map(([key, member]) => [key, fromYaml(member)] as const));
}
