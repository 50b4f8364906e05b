// Text from flags, `--set` and the environment → one frozen Config, or every problem at once.
// Order: defaults < environment < `--set` < flags. A key that we do not know is a problem that names the nearest known one.

import type { Field } from "./field.ts";
import { type Config, FIELDS, type FieldName } from "./fields.ts";
import { nearest } from "./nearest.ts";

/** What the command line and the environment say, before anything is checked. */
export interface ConfigSources {
  /** Values by flag name (without dashes), in the order given. */
  readonly flags: ReadonlyMap<string, readonly string[]>;
  /** The `key=value` words of `--set`, in the order given. */
  readonly set: readonly string[];
  /** The environment; only `SVIDGATE_…` variables are read. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A configuration, or all that is wrong with it: one sentence each. */
export type LoadedConfig =
  | { readonly ok: true; readonly config: Config; readonly given: ReadonlySet<FieldName> }
  | { readonly ok: false; readonly problems: readonly string[] };

const TABLE = Object.entries(FIELDS) as readonly (readonly [FieldName, Field<unknown>])[];
const BY_KEY = new Map(TABLE.map(([name, field]) => [field.key, name] as const));

/** The environment variable of a key: `SVIDGATE_` and the key below `svidgate.`, dots as `__`. */
export const environmentName = (key: string): string =>
  `SVIDGATE_${key
    .replace(/^svidgate\./, "")
    .replaceAll("-", "_")
    .replaceAll(".", "__")
    .toUpperCase()}`;

/** Reads every source, checks every field, and reports all problems together. */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const problems: string[] = [];
  const given = new Map<FieldName, { readonly from: string; readonly values: readonly string[] }>();
  readEnvironment(sources.env, given, problems);
  readSet(sources.set, given, problems);
  for (const [name, field] of TABLE) {
    const values = field.flag === undefined ? undefined : sources.flags.get(field.flag);
    if (values !== undefined) given.set(name, { from: `--${field.flag}`, values });
  }
  const config: Partial<Record<FieldName, unknown>> = {};
  for (const [name, field] of TABLE) {
    config[name] = readField(field, given.get(name), problems);
  }
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, config: Object.freeze(config) as Config, given: new Set(given.keys()) };
}

function readEnvironment(
  env: ConfigSources["env"],
  given: Map<FieldName, { from: string; values: readonly string[] }>,
  problems: string[],
): void {
  const known = new Map(TABLE.map(([name, field]) => [environmentName(field.key), name] as const));
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith("SVIDGATE_") || value === undefined) continue;
    const name = known.get(variable);
    if (name !== undefined) given.set(name, { from: variable, values: [value] });
    else problems.push(`${variable}: unknown variable${suggestion(variable, known.keys())}`);
  }
}

function readSet(
  words: readonly string[],
  given: Map<FieldName, { from: string; values: readonly string[] }>,
  problems: string[],
): void {
  for (const word of words) {
    const cut = word.indexOf("=");
    if (cut < 1) {
      problems.push(`--set ${word}: expected key=value`);
      continue;
    }
    const key = word.slice(0, cut);
    const name = BY_KEY.get(key);
    if (name === undefined) {
      problems.push(`--set ${key}: unknown or not yet supported key${suggestion(key, BY_KEY.keys())}`);
      continue;
    }
    const earlier = isRepeatable(FIELDS[name]) ? (given.get(name)?.values ?? []) : [];
    given.set(name, { from: `--set ${key}`, values: [...earlier, word.slice(cut + 1)] });
  }
}

function readField(
  field: Field<unknown>,
  source: { readonly from: string; readonly values: readonly string[] } | undefined,
  problems: string[],
): unknown {
  const texts = source?.values ?? (field.fallback === undefined ? [] : [field.fallback]);
  const values: unknown[] = [];
  for (const text of texts) {
    const parsed = field.parse(text);
    if (parsed.ok) values.push(parsed.value);
    else problems.push(`${source?.from ?? field.key}: \`${text}\` is not valid: ${parsed.detail}`);
  }
  if (isRepeatable(field)) return Object.freeze(values);
  if (values.length > 1) problems.push(`${source?.from ?? field.key}: given ${values.length} times, once is allowed`);
  return values.at(-1);
}

const isRepeatable = (field: Field<unknown>): boolean => field.repeatable === true;

const suggestion = (word: string, known: Iterable<string>): string => {
  const close = nearest(word, known);
  return close === undefined ? "" : `; did you mean \`${close}\`?`;
};
