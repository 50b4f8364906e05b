// json.marshal, json.unmarshal and json.is_valid in place of those inside OPA's module. Its json.marshal writes the members
// of an object in no order and <, > and & as they are; the other two read a number up to the first character that they do
// not know and ignore the rest (`10.0.0.1` is 10.0), and abort on lone surrogates. SPEC: RFC 8259 as Go's encoding/json reads
// and writes it: of equal names the last one counts; numbers from 2^100000 are errors (OPA v1/ast/term.go).

import { parseJsonBody } from "../body/json.ts";
import { findJsonFault } from "../json-text.ts";
import { MAX_VALUE_DEPTH, parseValue, toWellFormed, type Value } from "../value.ts";
import { BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { goQuote } from "./go-text.ts";
import { marshalJson } from "./json-marshal.ts";
import { stringOperand } from "./operands.ts";

/** Decimal places of 2^100000. */
const MAX_EXPONENT = 30_103;
/** SECURITY: never begins within a number; it would look to the end of a long one from each of its digits. */
const EXPONENT = /"(?:[^"\\]|\\.)*"|(?<![\d.])([\d.]+)[eE]([+-]?\d+)/g;

/** SPEC: a byte that is no UTF-8 is U+FFFD, as an escape of a lone surrogate is. */
function unmarshal(bytes: string): Value {
  const text = toWellFormed(bytes);
  const fault = findJsonFault(text, MAX_VALUE_DEPTH);
  if (fault?.kind === "too_deep") throw new BuiltinError("exceeded max depth");
  if (fault !== undefined) throw new BuiltinError(faultWords(text, fault.at));
  if (/\d[eE]/.test(text)) checkExponents(text);
  return parseValue(text);
}

/** Go's sentence. A body is read by the same rules, but for its numbers, which have a bound of their own there. */
function faultWords(text: string, at: number): string {
  const body = parseJsonBody(Buffer.from(text));
  if (!body.ok && body.detail !== undefined && !body.detail.startsWith("number out of range")) return body.detail;
  return `invalid character ${goQuote(String.fromCodePoint(text.codePointAt(at) ?? 0), "'")}`;
}

function checkExponents(text: string): void {
  for (const [, mantissa, exponent] of text.matchAll(EXPONENT)) {
    if (mantissa === undefined || !/[1-9]/.test(mantissa)) continue;
    const [whole = "", fraction = ""] = mantissa.split(".");
    const leading = /[1-9]/.test(whole) ? whole.replace(/^0+/, "").length - 1 : -fraction.search(/[1-9]/) - 1;
    const power = leading + Number(exponent);
    if (power >= MAX_EXPONENT || power < -MAX_EXPONENT) throw new BuiltinError("invalid number: number too big");
  }
}

/** In place of the module's. */
export const jsonNatives: BuiltinFamily = {
  "json.is_valid": ([text]) => typeof text === "string" && findJsonFault(text, MAX_VALUE_DEPTH) === undefined,
  "json.marshal": ([value = null]) => marshalJson(value),
  "json.unmarshal": (args) => unmarshal(stringOperand(args, 0)),
};
