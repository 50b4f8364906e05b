// The data document of attributes: what the operator says of workloads, by SPIFFE ID or by a prefix that ends in `/**`, everything at
// or below it by whole segments. docs/input.md is its reference. All of it is checked before any of it is used.
// SECURITY: names are kept in maps and written by hand, so `__proto__` is a name that is refused and nothing else.

import { fail, ok, type Result } from "../base/result.ts";
import { inOneGo, type Steps } from "../base/steps.ts";
import { type JsonValue, parseJsonObject } from "../base/strict-json.ts";
import { ATTRIBUTE_NAME } from "./attribute-template.ts";
import { MAX_VALUE_CHARS, MAX_VALUE_DEPTH, toValueText } from "./attribute-value.ts";
import { readYamlEntries } from "./attribute-yaml.ts";
import { parseSpiffeId, type SpiffeId } from "./spiffe-id.ts";

/** Why a document was refused as a whole. */
export type AttributeDataCode = "too_large" | "syntax" | "too_many" | "key" | "name" | "value";

/** Name → JSON text of the value. */
export type AttributeEntry = ReadonlyMap<string, string>;

/** One document. */
export interface AttributeData {
  /** How many IDs and prefixes it has. */
  readonly entries: number;
  /** What it says of exactly this ID. */
  exact(id: string): AttributeEntry | undefined;
  /** What it says at and below this ID. */
  below(prefix: string): AttributeEntry | undefined;
  /** Segments of the longest prefix; -1 when there is none. */
  readonly longestPrefix: number;
}

/** Bounds of a document. */
export const MAX_DATA_BYTES = 4 * 1024 * 1024;
export const MAX_DATA_ENTRIES = 100_000;
const MAX_NAMES = 64;
const STEP_ENTRIES = 1000;
const BELOW = "/**";

/** Whether a document of this name is read as YAML; else it is JSON. */
export const isYamlName = (file: string): boolean => /\.ya?ml$/.test(file);

/** Reads a document: YAML when the file's name says so, else JSON. `detail` names the first thing that is wrong, and where. */
export const parseAttributeData = (file: string, bytes: Uint8Array): Result<AttributeData, AttributeDataCode> =>
  inOneGo(parseAttributeDataSteps(file, bytes));

/** The same in steps of a thousand entries. PERF: a full document's JSON alone takes 0.1 s, which is one step. */
export function* parseAttributeDataSteps(
  file: string,
  bytes: Uint8Array,
): Steps<Result<AttributeData, AttributeDataCode>> {
  if (bytes.length > MAX_DATA_BYTES) return fail("too_large", `${bytes.length} bytes: at most ${MAX_DATA_BYTES}`);
  const read = isYamlName(file) ? readYamlEntries(bytes) : parseJsonObject(bytes);
  if (!read.ok) return fail(read.code === "too_large" || read.code === "value" ? read.code : "syntax", read.detail);
  yield;
  return yield* toData(read.value);
}

function* toData(document: ReadonlyMap<string, JsonValue>): Steps<Result<AttributeData, AttributeDataCode>> {
  if (document.size > MAX_DATA_ENTRIES)
    return fail("too_many", `${document.size} entries: at most ${MAX_DATA_ENTRIES}`);
  const exact = new Map<string, AttributeEntry>();
  const below = new Map<string, AttributeEntry>();
  let longestPrefix = -1;
  let left = STEP_ENTRIES;
  for (const [key, value] of document) {
    if (left-- === 0) {
      left = STEP_ENTRIES;
      yield;
    }
    const isPrefix = key.endsWith(BELOW);
    const id = parseSpiffeId(isPrefix ? key.slice(0, -BELOW.length) : key);
    if (!id.ok)
      return fail(
        "key",
        `\`${shown(key)}\`: expected a SPIFFE ID, or a prefix such as spiffe://example.org/ns/shop/**: ${id.code}`,
      );
    const entry = toEntry(key, value);
    if (!entry.ok) return entry;
    (isPrefix ? below : exact).set(id.value.id, entry.value);
    if (isPrefix) longestPrefix = Math.max(longestPrefix, countSegments(id.value));
  }
  return ok({
    entries: document.size,
    exact: (id) => exact.get(id),
    below: (prefix) => below.get(prefix),
    longestPrefix,
  });
}

function toEntry(key: string, value: JsonValue): Result<AttributeEntry, AttributeDataCode> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return fail("value", `\`${shown(key)}\`: expected an object of attributes`);
  const members = Object.entries(value);
  if (members.length > MAX_NAMES)
    return fail("too_many", `\`${shown(key)}\`: ${members.length} attributes: at most ${MAX_NAMES}`);
  const entry = new Map<string, string>();
  for (const [name, member] of members) {
    const at = () => `\`${shown(key)}\`: \`${shown(name)}\``;
    if (!ATTRIBUTE_NAME.test(name))
      return fail(
        "name",
        `${at()}: a name is a lower-case letter, then lower-case letters, digits and \`_\`, 64 at most`,
      );
    if (member === null) return fail("value", `${at()}: null is no value: leave the name out`);
    const text = toValueText(member);
    if (text === undefined)
      return fail(
        "value",
        `${at()}: a value has at most ${MAX_VALUE_CHARS} characters as JSON and nests at most ${MAX_VALUE_DEPTH} deep`,
      );
    entry.set(name, text);
  }
  return ok(entry);
}

const shown = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text);

const countSegments = ({ path }: SpiffeId): number => (path === "" ? 0 : path.split("/").length - 1);

/**
 * What the documents say of an ID, name → JSON text. For each name the most specific entry counts: the ID itself, then the
 * longest prefix; of two documents with the same entry, the first.
 */
export function findAttributeData(documents: readonly AttributeData[], id: SpiffeId): AttributeEntry {
  const found = new Map<string, string>();
  const add = (entry: AttributeEntry | undefined): void => {
    for (const [name, text] of entry ?? []) if (!found.has(name)) found.set(name, text);
  };
  for (const document of documents) add(document.exact(id.id));
  const longest = Math.max(-1, ...documents.map(({ longestPrefix }) => longestPrefix));
  let segments = countSegments(id);
  for (let prefix = id.id; segments >= 0; segments--, prefix = prefix.slice(0, prefix.lastIndexOf("/"))) {
    if (segments <= longest) for (const document of documents) add(document.below(prefix));
  }
  return found;
}
