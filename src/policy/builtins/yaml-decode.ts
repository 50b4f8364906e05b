// What a YAML document means to OPA: SPEC: internal/yaml over go.yaml.in/yaml v3.0.5 (decode.go): aliases followed, merge keys
// spread, of equal keys the last value, keys turned into text, timestamps text unless tagged. Bounded against bombs of aliases.

import type { YamlTree } from "../../base/yaml-stream.ts";
import { decodeUtf8 } from "../byte-text.ts";
import { RegoNumber, RegoObject, toWellFormed, type Value } from "../value.ts";
import { BuiltinError, MAX_RESULT_CHARS } from "./builtin.ts";
import { parseTimestamp, resolvePlain, toFloatKey, type YamlScalarValue } from "./yaml-scalar.ts";

type Scalar = Extract<YamlTree, { kind: "scalar" }>;
type Map_ = Extract<YamlTree, { kind: "map" }>;
type Alias = Extract<YamlTree, { kind: "alias" }>;
type Entry = readonly [key: YamlTree, value: YamlTree];

const refuse = (why: string): BuiltinError => new BuiltinError(`yaml: ${why}`);

const PREFIX = "tag:yaml.org,2002:";
const shortTag = (tag: string | undefined): string =>
  tag === undefined || tag === "!" ? "" : tag.startsWith(PREFIX) ? `!!${tag.slice(PREFIX.length)}` : tag;

/** The nodes that aliases stand for, of all documents of the stream: go-yaml's anchors outlive their document. */
export function resolveAliases(documents: readonly (YamlTree | undefined)[]): ReadonlyMap<Alias, YamlTree> {
  const targets = new Map<Alias, YamlTree>();
  const names = new Map<string, YamlTree>();
  const visit = (tree: YamlTree): void => {
    if (tree.kind === "alias") {
      const target = names.get(tree.anchor);
      if (target === undefined) throw refuse(`unknown anchor '${tree.anchor}' referenced`);
      targets.set(tree, target);
      return;
    }
    if (tree.name !== undefined) names.set(tree.name, tree);
    if (tree.kind === "list") tree.items.forEach(visit);
    if (tree.kind === "map") for (const entry of tree.entries) entry.forEach(visit);
  };
  for (const document of documents) if (document !== undefined) visit(document);
  return targets;
}

/** SPEC: go-yaml's own bounds on what aliases may add (decode.go, allowedAliasRatio); and no more nodes than here. */
const MAX_NODES = 400_000;
const MAX_ALIAS_SHARE = 0.99;

/** Decodes one document. */
export class YamlDecoder {
  readonly #targets: ReadonlyMap<Alias, YamlTree>;
  readonly #open = new Set<Alias>();
  #nodes = 0;
  #aliasNodes = 0;
  #characters = 0;

  constructor(targets: ReadonlyMap<Alias, YamlTree>) {
    this.#targets = targets;
  }

  /** The value of the node. Throws BuiltinError. */
  value(tree: YamlTree): Value {
    this.#count();
    switch (tree.kind) {
      case "alias":
        return this.#through(tree, (target) => this.value(target));
      case "list":
        return tree.items.map((item) => this.value(item));
      case "scalar":
        return this.#sized(toValue(resolveScalar(tree)));
      case "map": {
        const members = new Map<string, Value>();
        this.#map(tree, members, undefined, isTextMap(tree, this.#targets));
        return RegoObject.of(members);
      }
    }
  }

  #count(): void {
    this.#nodes++;
    if (this.#open.size > 0) this.#aliasNodes++;
    const isBomb = this.#aliasNodes > 100 && this.#nodes > 1_000 && this.#aliasNodes / this.#nodes > MAX_ALIAS_SHARE;
    if (isBomb || this.#nodes > MAX_NODES) throw refuse("document contains excessive aliasing");
  }

  #sized(value: Value): Value {
    this.#characters += typeof value === "string" ? value.length : 0;
    if (this.#characters > MAX_RESULT_CHARS) throw refuse("document contains excessive aliasing");
    return value;
  }

  #through<T>(alias: Alias, use: (target: YamlTree) => T): T {
    if (this.#open.has(alias)) throw refuse(`anchor '${alias.anchor}' value contains itself`);
    this.#open.add(alias);
    const result = use(this.#targets.get(alias) as YamlTree);
    this.#open.delete(alias);
    return result;
  }

  /**
   * Puts a map's members into `members`; with `merged`, keys that are known there already stay away. `keepsText`: keys that
   * are no text stand as they are written, which go-yaml does where a map of text keys takes others in by `<<`.
   */
  #map(tree: Map_, members: Map<string, Value>, merged: Set<string> | undefined, keepsText: boolean): void {
    const entries = lastOfEqual(collapseMerges(tree.entries));
    refuseRepeated(entries);
    let merge: YamlTree | undefined;
    for (const [key, value] of entries) {
      if (isMerge(key)) {
        merge = value;
        continue;
      }
      const name = this.#key(key, keepsText);
      if (name === undefined || merged?.has(name) === true) continue;
      merged?.add(name);
      members.set(name, this.value(value));
    }
    if (merge === undefined) return;
    const known = merged ?? new Set(members.keys());
    for (const source of merge.kind === "list" ? merge.items : [merge])
      this.#mergeFrom(source, members, known, keepsText);
  }

  #mergeFrom(source: YamlTree, members: Map<string, Value>, known: Set<string>, keepsText: boolean): void {
    this.#count();
    if (source.kind === "alias") {
      const target = this.#targets.get(source);
      if (target?.kind !== "map") throw refuse(WANT_MAP);
      this.#through(source, () => this.#map(target, members, known, keepsText));
    } else if (source.kind === "map") this.#map(source, members, known, keepsText);
    else throw refuse(WANT_MAP);
  }

  /** The text of a key; undefined for a null among text keys, which drops out. */
  #key(key: YamlTree, keepsText: boolean): string | undefined {
    this.#count();
    if (key.kind === "alias") return this.#through(key, (target) => this.#key(target, keepsText));
    if (key.kind !== "scalar") throw refuse("invalid map key");
    const value = resolveScalar(key);
    const name = keepsText ? (value.type === "null" ? undefined : textOf(key, value)) : keyText(value);
    if (name === undefined && !keepsText) throw new BuiltinError("unsupported map key");
    this.#sized(name ?? "");
    return name;
  }
}

const WANT_MAP = "map merge requires map or sequence of maps as the value";

const isMerge = (key: YamlTree): boolean =>
  key.kind === "scalar" &&
  key.text === "<<" &&
  (shortTag(key.tag) === "!!merge" || (shortTag(key.tag) === "" && key.isPlain));

/** Several `<<` of a map as one list; as they are when they hold less than two maps. */
function collapseMerges(entries: readonly Entry[]): readonly Entry[] {
  const merges = entries.filter(([key]) => isMerge(key));
  const items = merges.flatMap(([, value]) => (value.kind === "list" ? value.items : [value]));
  const [first] = merges;
  if (first === undefined || items.length < 2) return entries;
  return entries.flatMap((entry): readonly Entry[] => {
    if (!isMerge(entry[0])) return [entry];
    return entry === first ? [[entry[0], { kind: "list", items }]] : [];
  });
}

/** Of scalar keys that are one text, the place of the first with the value of the last. */
function lastOfEqual(entries: readonly Entry[]): readonly Entry[] {
  const places = new Map<string, number>();
  const kept: Entry[] = [];
  for (const entry of entries) {
    const [key, value] = entry;
    const name = key.kind === "scalar" && !isMerge(key) ? keyTextOf(key) : undefined;
    const place = name === undefined ? undefined : places.get(name);
    const earlier = place === undefined ? undefined : kept[place];
    if (place !== undefined && earlier !== undefined) kept[place] = [earlier[0], value];
    else {
      if (name !== undefined) places.set(name, kept.length);
      kept.push(entry);
    }
  }
  return kept;
}

/** Keys that are written alike but are not one text, such as `1_0` and `"1_0"`, go-yaml refuses. */
function refuseRepeated(entries: readonly Entry[]): void {
  const seen = new Set<string>();
  for (const [key] of entries) {
    const written = key.kind === "scalar" ? `=${key.text}` : key.kind === "alias" ? `*${key.anchor}` : key.kind;
    if (seen.has(written)) throw refuse("mapping key already defined");
    seen.add(written);
  }
}

/** Whether all keys are text (or `<<`). */
function isTextMap(tree: Map_, targets: ReadonlyMap<Alias, YamlTree>): boolean {
  return tree.entries.every(([key]) => {
    const target = key.kind === "alias" ? targets.get(key) : key;
    if (target?.kind !== "scalar") return false;
    const tag = shortTag(target.tag);
    if (tag !== "") return tag === "!!str" || tag === "!!merge";
    // SPEC: a timestamp without tag counts as text (internal/yaml, normalize).
    return !target.isPlain || ["str", "timestamp"].includes(resolvePlain(target.text).type);
  });
}

function resolveScalar(node: Scalar): YamlScalarValue {
  const tag = shortTag(node.tag);
  const text = wellFormed(node.text);
  if (tag === "!!str" || (tag === "" && !node.isPlain)) return { type: "str", text };
  if (tag === "!!binary") return { type: "str", text: decodeBinary(text) };
  const value = resolvePlain(text);
  if (tag === "") return value.type === "timestamp" ? { type: "str", text } : value;
  const wanted = RESOLVED_TAGS.get(tag);
  if (wanted === undefined) return { type: "str", text };
  if (wanted === "timestamp" && value.type === "timestamp") return value;
  if (wanted === value.type) return value;
  if (wanted === "float" && value.type === "int" && isInt64(value.value))
    return { type: "float", value: Number(value.value) };
  throw refuse(`cannot decode !!${value.type} \`${text}\` as a ${tag}`);
}

const isInt64 = (value: bigint): boolean => value < 2n ** 63n;

const RESOLVED_TAGS: ReadonlyMap<string, YamlScalarValue["type"]> = new Map([
  ["!!bool", "bool"],
  ["!!int", "int"],
  ["!!float", "float"],
  ["!!null", "null"],
  ["!!timestamp", "timestamp"],
]);

function wellFormed(text: string): string {
  if (toWellFormed(text) !== text) throw refuse("found invalid Unicode character escape code");
  return text;
}

function decodeBinary(text: string): string {
  const base64 = text.replace(/[\r\n]/g, "");
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(base64))
    throw refuse("!!binary value contains invalid base64 data");
  return decodeUtf8(Buffer.from(base64, "base64"));
}

function toValue(value: YamlScalarValue): Value {
  switch (value.type) {
    case "null":
      return null;
    case "bool":
      return value.value;
    case "int":
      return RegoNumber.of(value.value);
    case "float":
      if (!Number.isFinite(value.value)) throw new BuiltinError(`json: unsupported value: ${value.value}`);
      return RegoNumber.parse(Object.is(value.value, -0) ? "-0" : String(value.value));
    case "timestamp":
      return parseTimestamp(value.text) ?? null;
    case "str":
      return value.text;
  }
}

/** The text of a key that is no text itself; undefined for null and timestamps. */
function keyText(value: YamlScalarValue): string | undefined {
  switch (value.type) {
    case "bool":
    case "int":
      return String(value.value);
    case "float":
      return toFloatKey(value.value);
    case "str":
      return value.text;
    default:
      return undefined;
  }
}

function keyTextOf(key: Scalar): string | undefined {
  // SPEC: go-yaml's timestamps become text only after this, so two equal ones are refused.
  if (key.tag === undefined && key.isPlain && resolvePlain(key.text).type === "timestamp") return undefined;
  try {
    return keyText(resolveScalar(key));
  } catch (error) {
    if (error instanceof BuiltinError) return undefined;
    throw error;
  }
}

const textOf = (key: Scalar, value: YamlScalarValue): string => (value.type === "str" ? value.text : key.text);
