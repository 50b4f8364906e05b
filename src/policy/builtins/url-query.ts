// `urlquery.*` as Go's net/url: `+` for space, upper-case escapes, keys sorted on encoding, and no `;` as separator.

import { compareStrings, fromBytes, RegoObject, RegoSet, toBytes, toJson, type Value } from "../value.ts";
import { BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { isArray, objectOperand, stringOperand } from "./operands.ts";

/** Go's own limit on the parameters of one query. */
const MAX_PARAMETERS = 10_000;

/** Go's `url.QueryEscape`. */
function escapeQuery(text: string): string {
  let escaped = "";
  for (const byte of toBytes(text)) {
    const char = String.fromCharCode(byte);
    if (/[A-Za-z0-9\-_.~]/.test(char)) escaped += char;
    else escaped += byte === 0x20 ? "+" : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return escaped;
}

/** Go's `url.QueryUnescape`. */
function unescapeQuery(text: string): string {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) throw new BuiltinError("invalid URL escape");
  const spaced = text.replaceAll("+", " ");
  if (!spaced.includes("%")) return spaced;
  const bytes: number[] = [];
  const source = toBytes(spaced);
  for (let at = 0; at < source.length; at++) {
    const byte = source[at] ?? 0;
    if (byte !== 0x25) bytes.push(byte);
    else {
      bytes.push(Number.parseInt(source.toString("latin1", at + 1, at + 3), 16));
      at += 2;
    }
  }
  return fromBytes(Buffer.from(bytes));
}

const VALUES = "values must be string, array[string], or set[string]";

function encodeObject(object: RegoObject): string {
  const parameters = object.entries.map(([key, value]): readonly [string, readonly Value[]] => {
    const name = typeof key === "string" ? key : toJson(key);
    if (typeof value === "string") return [name, [value]];
    const values = value instanceof RegoSet ? value.values : value;
    if (!isArray(values)) throw new BuiltinError(VALUES);
    return [name, values];
  });
  parameters.sort(([a], [b]) => compareStrings(a, b));
  const pairs = parameters.flatMap(([name, values]) =>
    values.map((value) => {
      if (typeof value !== "string") throw new BuiltinError(VALUES);
      return `${escapeQuery(name)}=${escapeQuery(value)}`;
    }),
  );
  return pairs.join("&");
}

function decodeObject(query: string): RegoObject {
  const pairs = query.split("&", MAX_PARAMETERS + 1);
  if (pairs.length > MAX_PARAMETERS) throw new BuiltinError("too many URL query parameters");
  const values = new Map<string, string[]>();
  for (const pair of pairs) {
    if (pair === "") continue;
    if (pair.includes(";")) throw new BuiltinError("invalid semicolon separator in query");
    const equals = pair.indexOf("=");
    const key = unescapeQuery(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? "" : unescapeQuery(pair.slice(equals + 1));
    const known = values.get(key);
    if (known === undefined) values.set(key, [value]);
    else known.push(value);
  }
  return RegoObject.of(values);
}

/** `urlquery.encode`, `decode`, `encode_object`, `decode_object`, and `base64url.encode_no_pad`. */
export const urlQueryBuiltins: BuiltinFamily = {
  "urlquery.encode": (args) => escapeQuery(stringOperand(args, 0)),
  "urlquery.decode": (args) => unescapeQuery(stringOperand(args, 0)),
  "urlquery.encode_object": (args) => encodeObject(objectOperand(args, 0)),
  "urlquery.decode_object": (args) => decodeObject(stringOperand(args, 0)),
  "base64url.encode_no_pad": (args) => toBytes(stringOperand(args, 0)).toString("base64url"),
};
