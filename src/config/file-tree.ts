// The nodes of a configuration file → what each key is: a value for a field, a key of OPA's that is no field, or a problem.
// It judges keys and YAML types; whether a text is valid is the field's parser's to say.

import type { YamlEntry, YamlNode } from "../base/yaml.ts";
import type { Field, ValueSchema } from "./field.ts";
import { FIELDS, type FieldName } from "./fields.ts";
import { hasName } from "./key-names.ts";
import { nearest } from "./nearest.ts";
import { canonicalKey, DECISION_LOG_KEYS, findOpaKey, isNearPlugin, OPA_KEYS, type OpaKey } from "./opa-keys.ts";

/** One key of the file, by its canonical name; `offset` is where it stands. */
export type ConfigItem =
  | {
      readonly kind: "value";
      readonly offset: number;
      readonly key: string;
      readonly field: FieldName;
      readonly texts: readonly PlacedText[];
    }
  | {
      readonly kind: "opa";
      readonly offset: number;
      readonly key: string;
      readonly row: OpaKey;
      readonly asksNothing: boolean;
    }
  | { readonly kind: "problem"; readonly offset: number; readonly key: string; readonly detail: string };

/** Text for a field's parser, and where it stands. */
export interface PlacedText {
  readonly text: string;
  /** The text without the name that is part of its key. */
  readonly shown?: string;
  readonly offset: number;
}

const TABLE = Object.entries(FIELDS) as readonly (readonly [FieldName, Field<unknown>])[];
const BY_KEY = new Map(TABLE.map(([name, field]) => [field.key, { name, field }] as const));

/** Keys by the section that they stand in: `""` → `svidgate`, `labels`, …; `svidgate` → `listen`, …. */
const SECTIONS = toSections([
  ...BY_KEY.keys(),
  ...Object.keys(OPA_KEYS),
  ...DECISION_LOG_KEYS.map((key) => `decision_logs.${key}`),
]);

/** What the names of a section such as `svidgate.identity.trust_domains.*` are. */
const NAMES = new Map(
  TABLE.flatMap(([, { key, names }]) =>
    names !== undefined && hasName(key) ? [[key.slice(0, key.indexOf("*") + 1), names] as const] : [],
  ),
);

/** Every key of the document, in its order. A problem does not end the walk. */
export function readConfigTree(root: YamlNode): readonly ConfigItem[] {
  if (isEmpty(root)) return [];
  if (root.kind !== "map") {
    return [
      {
        kind: "problem",
        offset: root.offset,
        key: "",
        detail: `expected keys such as \`plugins:\`, not ${nameOf(root)}`,
      },
    ];
  }
  const items: ConfigItem[] = [];
  readSection(root.entries, "", items);
  return items;
}

function readSection(entries: readonly YamlEntry[], section: string, items: ConfigItem[]): void {
  const seen = new Set<string>();
  for (const entry of entries) {
    const key = canonicalKey(section === "" ? entry.key : `${section}.${entry.key}`);
    if (seen.has(key)) {
      items.push({
        kind: "problem",
        offset: entry.offset,
        key,
        detail: "stands twice, once under the plugin's older name",
      });
      continue;
    }
    seen.add(key);
    items.push(...readEntry(entry, key, section));
  }
}

function readEntry({ key: word, offset, value }: YamlEntry, key: string, section: string): readonly ConfigItem[] {
  if (SECTIONS.get(section)?.has("*") === true) return readNameSection(word, key, section, offset, value);
  const known = BY_KEY.get(key);
  if (known !== undefined) return [readValue(known.name, known.field, key, offset, value)];
  if (SECTIONS.has(key) && (value.kind === "map" || isEmpty(value))) {
    const items: ConfigItem[] = [];
    if (value.kind === "map") readSection(value.entries, key, items);
    return items;
  }
  const row = findOpaKey(key) ?? opaParent(key, section);
  if (row !== undefined && !SECTIONS.has(key))
    return [{ kind: "opa", offset, key, row, asksNothing: asksNothing(value) }];
  const detail = SECTIONS.has(key)
    ? `expected keys below it, not ${nameOf(value)}`
    : `unknown key${suggestKey(word, section)}`;
  return [{ kind: "problem", offset, key, detail }];
}

/** The keys below a name that the file chose: `trust_domains: {example.org: {bundle: …}}`. */
function readNameSection(
  name: string,
  key: string,
  section: string,
  offset: number,
  node: YamlNode,
): readonly ConfigItem[] {
  const problem = (detail: string): ConfigItem => ({ kind: "problem", offset, key, detail });
  const pattern = `${section}.*`;
  const names = NAMES.get(pattern);
  if (names !== undefined && !new RegExp(names.pattern).test(name)) return [problem(`not ${names.expected}`)];
  const example = [...(SECTIONS.get(pattern) ?? [])][0] ?? "";
  if (node.kind !== "map") {
    return [
      problem(isEmpty(node) ? `has no keys: give \`${example}\`` : `expected keys below it, not ${nameOf(node)}`),
    ];
  }
  if (node.entries.length === 0) return [problem(`has no keys: give \`${example}\``)];
  return node.entries.map((entry): ConfigItem => {
    const known = BY_KEY.get(`${pattern}.${entry.key}`);
    const full = `${key}.${entry.key}`;
    if (known !== undefined) return readValue(known.name, known.field, full, entry.offset, entry.value, name);
    const detail = `unknown key${suggestKey(entry.key, pattern, key)}`;
    return { kind: "problem", offset: entry.offset, key: full, detail };
  });
}

/** The row of a section for those of its keys that are OPA's but not ours. */
function opaParent(key: string, section: string): OpaKey | undefined {
  if (section === "plugins") return isNearPlugin(key) ? undefined : findOpaKey(section);
  if (section !== "decision_logs") return undefined;
  return (DECISION_LOG_KEYS as readonly string[]).includes(key.slice(section.length + 1))
    ? findOpaKey(section)
    : undefined;
}

function readValue(
  name: FieldName,
  field: Field<unknown>,
  key: string,
  offset: number,
  node: YamlNode,
  inName?: string,
): ConfigItem {
  const problem = (detail: string, at = offset): ConfigItem => ({ kind: "problem", offset: at, key, detail });
  if (isEmpty(node)) return problem("has no value: give one, or leave the line out");
  if (field.named === true) {
    if (node.kind !== "map") return problem(`expected names with a text each, not ${nameOf(node)}`);
    const wrong = node.entries.find(({ value }) => typeMismatch(value, field.parse.schema) !== undefined);
    if (wrong !== undefined) {
      return problem(`\`${wrong.key}\`: ${typeMismatch(wrong.value, field.parse.schema) ?? ""}`, wrong.value.offset);
    }
    const texts = node.entries.map(({ key: entry, value }) => ({
      text: `${entry}=${textOf(value)}`,
      offset: value.offset,
    }));
    return { kind: "value", offset, key, field: name, texts };
  }
  const nodes = node.kind === "list" && field.repeatable === true && inName === undefined ? node.items : [node];
  const texts: PlacedText[] = [];
  for (const each of nodes) {
    const mismatch = typeMismatch(each, field.parse.schema);
    if (mismatch !== undefined) return problem(mismatch, each.offset);
    const text = textOf(each);
    texts.push({
      ...(inName === undefined ? { text } : { text: `${inName}=${text}`, shown: text }),
      offset: each.offset,
    });
  }
  return { kind: "value", offset, key, field: name, texts };
}

/** What is wrong with a node's YAML type for a schema; undefined when nothing is. */
function typeMismatch(node: YamlNode, schema: ValueSchema = { type: "string" }): string | undefined {
  // A duration without its unit looks like a number: its parser says it better.
  if (schema.pattern !== undefined && node.kind === "scalar" && isNumber(node.value)) return undefined;
  const types = [schema.type].flat();
  const wanted = types.map((type) => TYPE_NAMES[type]).join(" or ");
  if (node.kind !== "scalar") return `expected ${wanted}, not ${nameOf(node)}`;
  const { value, source } = node;
  if (
    typeof value === "string"
      ? types.includes("string")
      : types.includes(typeof value === "boolean" ? "boolean" : "integer")
  ) {
    return undefined;
  }
  if (typeof value === "string")
    return `expected ${wanted}, not the text \`${value.slice(0, 80)}\`${/^(true|false|\d+)$/.test(value) ? ": write it without quotes" : ""}`;
  const quotable = types.includes("string") && value !== null;
  return `expected ${wanted}, not ${nameOf(node)}${quotable ? `: write it in quotes, "${source}"` : ""}`;
}

const isNumber = (value: unknown): boolean => typeof value === "number" || typeof value === "bigint";

const TYPE_NAMES = { string: "text", boolean: "true or false", integer: "a whole number" } as const;

function nameOf(node: YamlNode): string {
  if (node.kind === "list") return "a list";
  if (node.kind === "map") return "a map";
  if (node.value === null) return "nothing";
  if (typeof node.value === "string") return `the text \`${node.value.slice(0, 80)}\``;
  return `the ${typeof node.value === "boolean" ? "boolean" : "number"} ${node.source}`;
}

const textOf = (node: YamlNode): string =>
  node.kind !== "scalar" ? "" : typeof node.value === "string" ? node.value : node.source;

const isEmpty = (node: YamlNode): boolean => node.kind === "scalar" && node.value === null;

/** Whether a value leaves a feature off: nothing, false, or an empty list or map. */
function asksNothing(node: YamlNode): boolean {
  if (node.kind === "scalar") return node.value === null || node.value === false || node.value === "";
  return (node.kind === "list" ? node.items : node.entries).length === 0;
}

/**
 * ` (did you mean …?)` for a misspelt key: among the keys of its section first, then among all keys by their last word.
 * `shown` is the section as the file has it, with a name for the `*`.
 */
function suggestKey(word: string, section: string, shown: string = section): string {
  const prefix = shown === "" ? "" : `${shown}.`;
  const sibling = nearest(word, SECTIONS.get(section) ?? []);
  const elsewhere = [...BY_KEY.keys()].filter((key) => key.endsWith(`.${word}`) || key === word);
  const close = sibling === undefined ? elsewhere[0] : prefix + sibling;
  return close === undefined ? "" : `; did you mean \`${close}\`?`;
}

function toSections(keys: readonly string[]): ReadonlyMap<string, ReadonlySet<string>> {
  const sections = new Map<string, Set<string>>();
  for (const key of keys) {
    const words = key.split(".");
    for (const [depth, word] of words.entries()) {
      const section = words.slice(0, depth).join(".");
      sections.set(section, (sections.get(section) ?? new Set()).add(word));
    }
  }
  return sections;
}
