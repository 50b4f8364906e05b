// Takes a JWT apart (RFC 7519, JWS compact serialisation) as OPA does. Nothing here says that a token can be trusted.

import { fromBytes, keepText, parseValue, RegoObject, type Value, ValueSyntaxError } from "../value.ts";
import { BuiltinError } from "./builtin.ts";
import { createLru } from "./lru.ts";
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
function splitToken(token: string): TokenParts {
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

/** Whether the text is JSON. Bytes that are no UTF-8 may stand in its strings, as for Go's `json.Valid`. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** A JSON text as a value, with numbers as written and of equal keys the last. Throws BuiltinError. */
export function parseJson(text: string): Value {
  // The reader of values also takes Rego's sets, which are no JSON.
  if (!isJson(text)) throw new BuiltinError("invalid JSON");
  try {
    return parseValue(text);
  } catch (error) {
    if (error instanceof ValueSyntaxError) throw new BuiltinError("invalid JSON");
    throw error;
  }
}

/** The JSON object in a base64url part of a token. */
function decodeObject(part: string): RegoObject {
  const value = parseJson(fromBytes(decodeBase64Url(part)));
  if (!(value instanceof RegoObject)) throw new BuiltinError("decoded JSON is no object");
  return value;
}

/** The header of a token; a JWE is refused. */
function decodeHeader(parts: TokenParts): RegoObject {
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
function toJoseHeader(header: RegoObject): JoseHeader {
  const alg = textMember(header, "alg");
  textMember(header, "typ");
  const critical = criticalNames(header);
  const isUnderstood = header.entries.every(([name]) => KNOWN_PARAMETERS.has(name) || !critical.has(name));
  return { alg, kid: textMember(header, "kid"), cty: textMember(header, "cty"), isValid: alg !== "" && isUnderstood };
}

/**
 * A token taken apart, as far as it is asked for; each part is decoded once. Every getter throws BuiltinError for a part
 * that is malformed.
 */
export class Token {
  readonly text: string;
  readonly parts: TokenParts;
  #header: RegoObject | undefined;
  #jose: JoseHeader | undefined;
  #payload: RegoObject | undefined;
  #signature: Buffer | undefined;

  constructor(text: string) {
    this.text = text;
    this.parts = splitToken(text);
  }

  /** What is signed: the token up to its last dot. */
  get signed(): string {
    return this.text.slice(0, this.text.length - this.parts.signature.length - 1);
  }

  get header(): RegoObject {
    this.#header ??= keepText(decodeHeader(this.parts));
    return this.#header;
  }

  get jose(): JoseHeader {
    this.#jose ??= toJoseHeader(this.header);
    return this.#jose;
  }

  get payload(): RegoObject {
    this.#payload ??= keepText(decodeObject(this.parts.payload));
    return this.#payload;
  }

  get signature(): Buffer {
    this.#signature ??= decodeBase64Url(this.parts.signature);
    return this.#signature;
  }
}

/**
 * Tokens that are kept, and the longest of them: a policy reads a token at several places, and a caller sends it often.
 * Nothing but its text decides what is in a token.
 */
const MAX_TOKENS = 256;
const MAX_CACHED_TOKEN_CHARS = 8_192;
const tokens = createLru<Token>(MAX_TOKENS);

/** The token of this text. Throws BuiltinError when it has not three parts. */
export function readToken(text: string): Token {
  const known = tokens.get(text);
  if (known !== undefined) return known;
  const token = new Token(text);
  if (text.length <= MAX_CACHED_TOKEN_CHARS) tokens.set(text, token);
  return token;
}
