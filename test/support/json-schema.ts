// Checks a JSON value against the part of JSON Schema that our schemas use: type, enum (of text),
// properties, required, additionalProperties, items. An unknown keyword is a fault, so that nothing is left unchecked by accident.

interface Schema {
  readonly [keyword: string]: unknown;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
}

const KEYWORDS = new Set(["type", "enum", "properties", "required", "additionalProperties", "items"]);
const WORDS_FOR_PEOPLE = new Set(["$schema", "title", "description"]);

/** What is wrong with the value, a sentence each with its place; empty when nothing is. */
export function schemaProblems(schema: unknown, value: unknown, at = "$"): string[] {
  const {
    type,
    enum: allowed,
    properties = {},
    required = [],
    additionalProperties,
    items,
    ...rest
  } = schema as Schema;
  for (const keyword of Object.keys(rest))
    if (!KEYWORDS.has(keyword) && !WORDS_FOR_PEOPLE.has(keyword)) throw new Error(`unknown keyword ${keyword}`);
  const found = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
  if (type !== undefined && found !== type) return [`${at}: ${found} and not ${type}`];
  if (allowed !== undefined && !allowed.includes(value))
    return [`${at}: ${JSON.stringify(value)} is none of the values`];
  if (Array.isArray(value)) {
    return items === undefined ? [] : value.flatMap((item, index) => schemaProblems(items, item, `${at}[${index}]`));
  }
  if (typeof value !== "object" || value === null) return [];
  const missing = required.filter((name) => !Object.hasOwn(value, name)).map((name) => `${at}.${name}: is missing`);
  const members = Object.entries(value).flatMap(([name, member]) => {
    const inner = Object.hasOwn(properties, name) ? properties[name] : additionalProperties;
    if (inner === false) return [`${at}.${name}: is not in the schema`];
    return typeof inner === "object" ? schemaProblems(inner, member, `${at}.${name}`) : [];
  });
  return [...missing, ...members];
}
