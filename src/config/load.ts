// The file, the environment, `--set` and flags → one frozen Config, or every problem at once.
// Order: defaults < file < environment < `--set` < flags. A key that we do not know is a problem that names the nearest known one.

import { substituteEnvironment } from "./environment.ts";
import type { Field } from "./field.ts";
import { type Config, FIELDS, type FieldName } from "./fields.ts";
import { loadConfigFile } from "./file.ts";
import type { ConfigItem } from "./file-tree.ts";
import { borrowName, hasName, nameInKey } from "./key-names.ts";
import { nearest } from "./nearest.ts";
import { canonicalKey, isNearPlugin, OPA_KEYS, type OpaKey, PLUGIN } from "./opa-keys.ts";

/** What the command line and the environment say, before anything is checked. */
export interface ConfigSources {
  /** The path of the configuration file, where there is one. */
  readonly file?: string | undefined;
  /** Values by flag name (without dashes), in the order given. */
  readonly flags: ReadonlyMap<string, readonly string[]>;
  /** The `key=value` words of `--set`, in the order given. */
  readonly set: readonly string[];
  /** The environment: `SVIDGATE_…` variables, and what `${NAME}` names. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A configuration, or all that is wrong with it: one sentence each. */
export type LoadedConfig =
  | {
      readonly ok: true;
      readonly config: Config;
      readonly given: ReadonlySet<FieldName>;
      /** What was accepted without effect or looks like a mistake: one sentence each, for the log. */
      readonly notes: readonly string[];
    }
  | { readonly ok: false; readonly problems: readonly string[] };

const TABLE = Object.entries(FIELDS) as readonly (readonly [FieldName, Field<unknown>])[];
const BY_KEY = new Map(TABLE.map(([name, field]) => [field.key, name] as const));

const NAME_SECTION = "svidgate.identity.trust_domains";

/** The environment variable of a key without a `*`: `SVIDGATE_` and the key below `svidgate.`, dots as `__`. */
export const environmentName = (key: string): string =>
  `SVIDGATE_${key
    .replace(/^svidgate\./, "")
    .replaceAll("-", "_")
    .replaceAll(".", "__")
    .toUpperCase()}`;

/** One text for a field and who says so, for sentences. */
interface Given {
  readonly from: string;
  readonly text: string;
  /** The text as it was written, where its name stands in `from`. */
  readonly shown?: string | undefined;
}

/** Reads every source, checks every field, and reports all problems together. */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const reading = new Reading();
  if (sources.file !== undefined) readFile(sources.file, sources.env, reading);
  readEnvironment(sources.env, reading);
  readSet(sources.set, sources.env, reading);
  for (const [name, field] of TABLE) {
    const texts = field.flag === undefined ? undefined : sources.flags.get(field.flag);
    if (texts !== undefined)
      reading.give(
        name,
        texts.map((text) => ({ from: `--${field.flag}`, text })),
      );
  }
  const { problems, given } = reading;
  const config: Partial<Record<FieldName, unknown>> = {};
  for (const [name, field] of TABLE) config[name] = readField(field, given.get(name), problems);
  if (problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    config: Object.freeze(config) as Config,
    given: new Set(given.keys()),
    notes: reading.notes,
  };
}

/** What has been said so far: a later source takes the place of an earlier one, but adds to its names. */
class Reading {
  readonly given = new Map<FieldName, readonly Given[]>();
  readonly problems: string[] = [];
  readonly notes: string[] = [];

  give(name: FieldName, values: readonly Given[]): void {
    const field: Field<unknown> = FIELDS[name];
    this.given.set(name, isOfNames(field) ? [...(this.given.get(name) ?? []), ...values] : values);
  }
}

function readFile(path: string, env: ConfigSources["env"], reading: Reading): void {
  const file = loadConfigFile(path, env);
  if (!file.ok) {
    reading.problems.push(...file.problems);
    return;
  }
  for (const name of file.unset) reading.notes.push(`${path}: \`\${${name}}\` is not set and stays as it is written`);
  for (const item of file.items) readItem(item, file.locate, reading);
}

function readItem(item: ConfigItem, locate: (offset: number) => string, reading: Reading): void {
  const key = item.key === "" ? "" : `${item.key}: `;
  if (item.kind === "problem") reading.problems.push(`${locate(item.offset)}: ${key}${item.detail}`);
  else if (item.kind === "value") {
    reading.give(
      item.field,
      item.texts.map(({ text, shown, offset }) => ({ from: `${locate(offset)}: ${item.key}`, text, shown })),
    );
  } else if (item.row.support === "without_effect") {
    reading.notes.push(`${locate(item.offset)}: ${key}no effect: ${item.row.why}`);
  } else if (!item.asksNothing) {
    reading.problems.push(`${locate(item.offset)}: ${key}not supported: ${item.row.why}`);
  }
}

function readEnvironment(env: ConfigSources["env"], reading: Reading): void {
  const known = new Map(
    TABLE.flatMap(([name, { key }]) => (hasName(key) ? [] : [[environmentName(key), name] as const])),
  );
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith("SVIDGATE_") || text === undefined) continue;
    const name = known.get(variable);
    if (name !== undefined) reading.give(name, [{ from: variable, text }]);
    else if (variable.startsWith(`${environmentName(NAME_SECTION)}__`))
      reading.problems.push(`${variable}: a variable's name cannot hold a trust domain: use the file or --set`);
    else reading.problems.push(`${variable}: unknown variable${suggestion(variable, known.keys())}`);
  }
}

function readSet(words: readonly string[], env: ConfigSources["env"], reading: Reading): void {
  const said = new Map<FieldName, Given[]>();
  for (const word of words) {
    const cut = word.indexOf("=");
    if (cut < 1) {
      reading.problems.push(`--set ${word}: expected key=value`);
      continue;
    }
    const key = word.slice(0, cut);
    const text = substituteEnvironment(word.slice(cut + 1), env).text;
    const from = `--set ${key}`;
    const named = canonicalKey(key);
    const place = findPlace(named);
    if (place === undefined) {
      sayUnknown(from, named, reading);
      continue;
    }
    const { field, inName } = place;
    const { names } = FIELDS[field] as Field<unknown>;
    if (inName !== undefined && names !== undefined && !new RegExp(names.pattern).test(inName)) {
      reading.problems.push(`${from}: \`${inName}\` is not ${names.expected}`);
      continue;
    }
    const given = inName === undefined ? { from, text } : { from, text: `${inName}=${text}`, shown: text };
    said.set(field, [...(isRepeatable(FIELDS[field]) ? (said.get(field) ?? []) : []), given]);
  }
  for (const [name, values] of said) reading.give(name, values);
}

/** The field that a key of `--set` means, and the name within it: `labels.region`, `….trust_domains.example.org.bundle`. */
function findPlace(key: string): { readonly field: FieldName; readonly inName?: string } | undefined {
  for (const [field, { key: pattern, named }] of TABLE) {
    const inName = named === true ? nameInKey(`${pattern}.*`, key) : nameInKey(pattern, key);
    if (inName !== undefined) return { field, inName };
  }
  const field = BY_KEY.get(key);
  return field === undefined ? undefined : { field };
}

function sayUnknown(from: string, key: string, reading: Reading): void {
  const row = opaRow(key);
  if (row === undefined) {
    const known = [...BY_KEY.keys()].map((pattern) => borrowName(pattern, key));
    reading.problems.push(`${from}: unknown key${suggestion(key, [...known, ...Object.keys(OPA_KEYS)])}`);
  } else if (row.support === "without_effect") reading.notes.push(`${from}: no effect: ${row.why}`);
  else reading.problems.push(`${from}: not supported: ${row.why}`);
}

/** The row of a key or of the nearest section around it that has one. */
function opaRow(key: string): OpaKey | undefined {
  for (let end = key.length; end > 0; end = key.lastIndexOf(".", end - 1)) {
    const prefix = key.slice(0, end);
    if (prefix === "plugins" && isNearPlugin(key)) return undefined;
    if (prefix === PLUGIN) return undefined;
    if (Object.hasOwn(OPA_KEYS, prefix)) return OPA_KEYS[prefix];
  }
  return undefined;
}

function readField(field: Field<unknown>, given: readonly Given[] | undefined, problems: string[]): unknown {
  const texts = given ?? (field.fallback === undefined ? [] : [{ from: field.key, text: field.fallback }]);
  const values: unknown[] = [];
  for (const { from, text, shown = text } of texts) {
    const parsed = field.parse(text);
    if (parsed.ok) values.push(parsed.value);
    else problems.push(`${from}: \`${withoutUserinfo(shown)}\` is not valid: ${parsed.detail}`);
  }
  if (isRepeatable(field)) return Object.freeze(values);
  if (values.length > 1) problems.push(`${texts[0]?.from ?? field.key}: given ${values.length} times, once is allowed`);
  return values.at(-1);
}

/** SECURITY: a problem goes to the log; a password that somebody wrote into a URL does not. */
export const withoutUserinfo = (text: string): string => text.replace(/\/\/[^/?#\s]*@/g, "//…@");

/** Whether values are `NAME=TEXT`, which later sources add to. */
const isOfNames = ({ key, named }: Field<unknown>): boolean => named === true || hasName(key);

const isRepeatable = (field: Field<unknown>): boolean => field.repeatable === true;

const suggestion = (word: string, known: Iterable<string>): string => {
  const close = nearest(word, known);
  return close === undefined ? "" : `; did you mean \`${close}\`?`;
};
