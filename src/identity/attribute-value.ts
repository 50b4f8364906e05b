// Writes an attribute's value as JSON, from whatever a file, a token or Envoy gave: a total function with a bound, so that no value
// can break the input document or swell it. It calls nothing of the value's own (`toJSON`, getters of classes).

/** Longest text of one value, in UTF-16 units. */
export const MAX_VALUE_CHARS = 4096;
/** Deepest nesting of one value; a scalar is 1 deep. */
export const MAX_VALUE_DEPTH = 8;

/**
 * JSON text of the value; undefined for what is no attribute: null, what JSON has not, what is longer than 4096 characters or nested
 * deeper than 8. Within a list or an object, null is a value like any other.
 */
export function toValueText(value: unknown): string | undefined {
  if (value === null) return undefined;
  const text = write(value, 1);
  return text !== undefined && text.length <= MAX_VALUE_CHARS ? text : undefined;
}

function write(value: unknown, depth: number): string | undefined {
  if (depth > MAX_VALUE_DEPTH) return undefined;
  switch (typeof value) {
    case "string":
      return value.length <= MAX_VALUE_CHARS ? quote(value) : undefined;
    case "boolean":
    case "bigint":
      return String(value);
    case "number":
      return Number.isFinite(value) ? JSON.stringify(value) : undefined;
    case "object":
      return value === null ? "null" : writeNested(value, depth);
    default:
      return undefined;
  }
}

/** All or nothing: a list that lost an item says something else. */
function writeNested(value: object, depth: number): string | undefined {
  const isList = Array.isArray(value);
  let text = "";
  for (const [name, member] of Object.entries(value)) {
    const inner = write(member, depth + 1);
    if (inner === undefined) return undefined;
    text += `${text === "" ? "" : ","}${isList ? "" : `${quote(name)}:`}${inner}`;
    if (text.length > MAX_VALUE_CHARS) return undefined;
  }
  return isList ? `[${text}]` : `{${text}}`;
}

/** OPA's runtime aborts on half a surrogate pair; U+FFFD stands for it, as elsewhere in the input. */
const quote = (text: string): string => JSON.stringify(text.replace(/\p{Surrogate}/gu, "\ufffd"));
