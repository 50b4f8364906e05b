// Takes a JWT apart (RFC 7519, JWS compact serialisation) as OPA does. Nothing here says that a token can be trusted.

import { decodeUtf8 } from "../byte-text.ts";
import { parseValue, RegoObject, type Value, ValueSyntaxError } from "../value.ts";
import { BuiltinError } from "./builtin.ts";
import { isArray } from "./operands.ts";

/** Longest token that is looked at; Envoy's own limit on all headers together is below this by far. */
const MAX_TOKEN_CHARS = 1024 * 1024;

/** The three parts of a token, as they are. */
export interface TokenParts {
  readonly header: string;
  readonly payload: string;
  readonly signature: string;
}

/** What OPA reads of a JOSE header; an absent text is "". */
export interface JoseHeader {
  readonly alg: string;
  readonly kid: string;
  readonly cty: string;
  /** False when `crit` names a parameter that is not understood, or `alg` is missing (RFC 7515 §4.1.1, §4.1.11). */
  readonly isValid: boolean;
}

/** The three parts of a compact token; throws BuiltinError for any other number. */
export function splitToken(token: string): TokenParts {
  if (token.length > MAX_TOKEN_CHARS) throw new BuiltinError("encoded JWT too long");
  const [header, payload, signature, more] = token.split(".", 4);
  if (header === undefined || payload === undefined || signature === undefined || more !== undefined) {
    throw new BuiltinError("encoded JWT must have 3 sections");
  }
  return { header, payload, signature };
}

/** Go's base64url: padding may be missing, line breaks are skipped, unused bits are not looked at. */
export function decodeBase64Url(text: string): Buffer {
  const bytes = Buffer.byteLength(text);
  const padding = text.endsWith("=") ? "" : "=".repeat((4 - (bytes % 4)) % 4);
  const padded = (text + padding).replace(/[\r\n]/g, "");
  if (padding.length === 3 || padded.length % 4 !== 0 || !/^[\w-]*={0,2}$/.test(padded)) {
    throw new BuiltinError("illegal base64url");
  }
  return Buffer.from(padded, "base64url");
}

/** A JSON text as a value, with numbers as written and of equal keys the last. Throws BuiltinError. */
export function parseJson(text: string): Value {
  try {
    JSON.parse(text); // The reader of values also takes Rego's sets, which are no JSON.
    return parseValue(text);
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof ValueSyntaxError) throw new BuiltinError("invalid JSON");
    throw error;
  }
}

/** The JSON object in a base64url part of a token. */
export function decodeObject(part: string): RegoObject {
  const value = parseJson(decodeUtf8(decodeBase64Url(part)));
  if (!(value instanceof RegoObject)) throw new BuiltinError("decoded JSON is no object");
  return value;
}

/** The header of a token; a JWE is refused. */
export function decodeHeader(parts: TokenParts): RegoObject {
  const header = decodeObject(parts.header);
  if (header.get("enc") !== undefined) throw new BuiltinError("JWT is a JWE object, which is not supported");
  return header;
}

function textMember(header: RegoObject, name: string): string {
  const value = header.get(name);
  if (value === undefined) return "";
  if (typeof value !== "string") throw new BuiltinError(`${name}: must be a string`);
  return value;
}

const KNOWN_PARAMETERS: ReadonlySet<Value> = new Set(["alg", "kid", "typ", "cty", "crit"]);

/** OPA reads the list up to the first element that is no string; nothing read is an error. */
function criticalNames(header: RegoObject): ReadonlySet<Value> {
  const value = header.get("crit");
  if (value === undefined) return new Set();
  if (!isArray(value)) throw new BuiltinError("crit: must be a list");
  const end = value.findIndex((name) => typeof name !== "string");
  const names = end < 0 ? value : value.slice(0, end);
  if (names.length === 0) throw new BuiltinError("crit: must be a nonempty list");
  return new Set(names);
}

/** The parameters of a decoded header. Throws BuiltinError for one of the wrong type. */
export function toJoseHeader(header: RegoObject): JoseHeader {
  const alg = textMember(header, "alg");
  textMember(header, "typ");
  const critical = criticalNames(header);
  const isUnderstood = header.entries.every(([name]) => KNOWN_PARAMETERS.has(name) || !critical.has(name));
  return { alg, kid: textMember(header, "kid"), cty: textMember(header, "cty"), isValid: alg !== "" && isUnderstood };
}
