// `sprintf`: OPA's mapping of Rego values to arguments of Go's fmt (v1/topdown/strings.go), and OPA's own text of values,
// which quotes strings as Go does and prints sets as `{1, 2}`.

import { RegoNumber, RegoObject, RegoSet, type Value } from "../value.ts";
import { BuiltinError, type BuiltinFamily, MAX_RESULT_CHARS } from "./builtin.ts";
import { goSprintf } from "./go-format.ts";
import { goQuote } from "./go-text.ts";
import type { FormatArg } from "./go-verb.ts";
import { arrayOperand, isInt64, stringOperand } from "./operands.ts";
import { digitSteps } from "./prices.ts";

/** Go's float64 or, beyond its range, the text itself: `strconv.ParseFloat` fails there. */
function toFloatArg(text: string): FormatArg {
  const value = Number(text);
  return Number.isFinite(value) ? { kind: "float64", value } : { kind: "string", value: text };
}

function toFormatArg(value: Value): FormatArg {
  if (typeof value === "string") return { kind: "string", value };
  if (!(value instanceof RegoNumber)) return { kind: "string", value: toOpaText(value) };
  // The text decides, not the value: `1.0` is a float for %d.
  if (/[.eE]/.test(value.text)) return toFloatArg(value.text);
  if (value.text.length > MAX_INTEGER_DIGITS) throw new BuiltinError("sprintf: number too long");
  const integer = BigInt(value.text);
  return { kind: isInt64(integer) ? "int64" : "bigint", value: integer };
}

/** Longest integer that is turned into digits of another base; the conversion takes quadratic time. */
const MAX_INTEGER_DIGITS = 10_000;

const listed = (values: readonly Value[]): string => values.map(toOpaText).join(", ");

/** A value as OPA prints it in messages (`ast.Value.String()`). */
export function toOpaText(value: Value): string {
  if (typeof value === "string") return goQuote(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (value instanceof RegoNumber) return value.text;
  if (value instanceof RegoSet) return value.values.length === 0 ? "set()" : `{${listed(value.values)}}`;
  if (value instanceof RegoObject) {
    return `{${value.entries.map(([key, member]) => `${toOpaText(key)}: ${toOpaText(member)}`).join(", ")}}`;
  }
  return `[${listed(value)}]`;
}

/** `sprintf(format, values)`. */
export const sprintfBuiltins: BuiltinFamily = {
  sprintf(args, { spend }) {
    const format = stringOperand(args, 0);
    const values = arrayOperand(args, 1);
    if (format.length > MAX_RESULT_CHARS) throw new BuiltinError("sprintf: format too long");
    spend(values.reduce<number>((sum, value) => sum + digitSteps(value), 0));
    return goSprintf(format, values.map(toFormatArg), spend);
  },
};
