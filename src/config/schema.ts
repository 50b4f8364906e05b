// Makes `docs/configuration.schema.json` from the field table: for editors, by a first line in the file such as
// `# yaml-language-server: $schema=…/configuration.schema.json`. Draft 07, which editors know best.
// A value that is `${NAME}` passes: only svidgate knows what the environment makes of it.

import type { Field, ValueSchema } from "./field.ts";
import { FIELDS } from "./fields.ts";
import { hasName } from "./key-names.ts";
import { DECISION_LOG_KEYS, OPA_KEYS, PLUGIN, PLUGIN_ALIAS } from "./opa-keys.ts";

interface Section {
  readonly description?: string;
  readonly type: readonly ["object", "null"];
  readonly additionalProperties: false;
  readonly properties: Record<string, unknown>;
  /** What stands under any name of a pattern, for keys with a `*`. */
  patternProperties?: Record<string, unknown>;
}

const VARIABLE = { type: "string", pattern: "\\$\\{[^}\\n]*\\}" } as const;

/** The schema's text, with its line feed. */
export function toConfigurationSchema(): string {
  const root = createSection();
  for (const field of Object.values(FIELDS) as readonly Field<unknown>[])
    place(root, field.key, toSchema(field), field.names?.pattern);
  for (const [key, { support, why }] of Object.entries(OPA_KEYS)) {
    if (support === "without_effect") place(root, key, { description: `No effect: ${why}.` });
    if (support === "unsupported") place(root, key, toRefusal(why));
  }
  const { decision_logs: decisionLogs } = OPA_KEYS;
  for (const key of DECISION_LOG_KEYS) place(root, `decision_logs.${key}`, toRefusal(decisionLogs?.why ?? ""));
  const plugins = root.properties["plugins"] as Section;
  const [, plugin = ""] = PLUGIN.split(".");
  plugins.properties[PLUGIN_ALIAS.replace("plugins.", "")] = {
    description: `The plugin's older name for ${plugin}; one of the two.`,
    $ref: `#/properties/plugins/properties/${plugin}`,
  };
  const schema = {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "svidgate configuration",
    description:
      "Keys of OPA and its Envoy plugin, and `svidgate`. Made from the field table; see docs/configuration.md.",
    ...root,
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

const createSection = (): Section => ({ type: ["object", "null"], additionalProperties: false, properties: {} });

/** Puts a schema at a dotted key; what is there already stays, sections are made on the way. */
function place(root: Section, key: string, schema: unknown, names = ""): void {
  const words = key.split(".");
  const last = words.pop() ?? "";
  let section = root;
  for (const word of words) {
    if (word === "*") section.patternProperties ??= {};
    const children = word === "*" ? (section.patternProperties ?? {}) : section.properties;
    const child = word === "*" ? `${names}|${VARIABLE.pattern}` : word;
    children[child] ??= createSection();
    section = children[child] as Section;
  }
  section.properties[last] ??= schema;
}

const toRefusal = (why: string): unknown => ({
  description: `Not supported: ${why}.`,
  enum: [null, false, "", [], {}],
});

function toSchema(field: Field<unknown>): unknown {
  const { doc, fallback, key, names, parse, named, repeatable } = field;
  const description = `${doc.charAt(0).toUpperCase()}${doc.slice(1)}.`;
  const value = toValueSchema(parse.schema);
  if (named === true) {
    const named = names === undefined ? {} : { propertyNames: { pattern: `${names.pattern}|${VARIABLE.pattern}` } };
    return { description, type: "object", additionalProperties: value, ...named };
  }
  const schema = repeatable === true && !hasName(key) ? { anyOf: [{ type: "array", items: value }, value] } : value;
  return { description, ...schema, ...(fallback !== undefined && { default: toDefault(fallback, parse.schema) }) };
}

function toValueSchema(schema: ValueSchema = { type: "string" }): object {
  const plain = schema.type === "string" && schema.enum === undefined && schema.pattern === undefined;
  return plain ? schema : { anyOf: [schema, VARIABLE] };
}

function toDefault(text: string, schema: ValueSchema | undefined): unknown {
  if (schema?.type === "boolean") return text === "true";
  return schema?.type === "integer" ? Number(text) : text;
}
