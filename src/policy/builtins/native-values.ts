// format_int and object.union_n in place of those inside OPA's module: the first one ends the evaluation on integers of
// more than 64 bits, the second one has no value for no objects.

import { compareValues, type Entry, type RegoNumber, RegoObject, type Value } from "../value.ts";
import { type BuiltinContext, BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { elements } from "./native-checks.ts";
import { arrayOperand, numberOperand } from "./operands.ts";

/** Most digits that are written; a number that stands for more, such as `1e400000`, is an error here. */
const MAX_DIGITS = 10_000;

/** Steps for an entry that is put among others. */
const STEPS_PER_ENTRY = 400;

/** SPEC: OPA v1/topdown/strings.go: fractions are cut off. */
function formatInt(args: readonly Value[]): string {
  const value = numberOperand(args, 0);
  const radix = numberOperand(args, 1).text;
  if (!["2", "8", "10", "16"].includes(radix)) throw new BuiltinError("operand 2 must be one of {2, 8, 10, 16}");
  const integer = truncate(value);
  if (integer === undefined) throw new BuiltinError(`operand 1 must have at most ${MAX_DIGITS} digits`);
  return integer.toString(Number(radix));
}

function truncate(value: RegoNumber): bigint | undefined {
  const exact = value.toBigInt();
  if (exact !== undefined) return exact;
  const [, sign = "", whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(value.text) ?? [];
  const places = whole.length + Number(exponent);
  if (places > MAX_DIGITS) return undefined;
  const digits = places <= 0 ? "0" : (whole + fraction).slice(0, places).padEnd(places, "0");
  return BigInt(`${sign}${digits}`);
}

/** SPEC: OPA v1/topdown/object.go: of two values for a key the later one counts, unless both are objects. */
function unionN(args: readonly Value[], { spend }: BuiltinContext): Value {
  const objects = arrayOperand(args, 0);
  const words = elements(0, "object")(args);
  if (words !== undefined) throw new BuiltinError(words);
  return union(
    objects.filter((object) => object instanceof RegoObject),
    spend,
  );
}

/** SECURITY: of all objects at once: one after the other, each would copy what those before it come to. */
function union(objects: readonly RegoObject[], spend: BuiltinContext["spend"]): RegoObject {
  const entries = objects.flatMap((object) => object.entries);
  spend(entries.length * STEPS_PER_ENTRY);
  entries.sort(([a], [b]) => compareValues(a, b));
  const merged: Entry[] = [];
  for (let start = 0, end = 0; start < entries.length; start = end) {
    const [first] = entries[start] as Entry;
    for (end = start + 1; end < entries.length && compareValues(first, (entries[end] as Entry)[0]) === 0; ) end++;
    const [key] = entries[end - 1] as Entry;
    const values = entries.slice(start, end).map(([, value]) => value);
    merged.push([key, lastOf(values, spend)]);
  }
  return RegoObject.of(merged);
}

/** Of the values for one key: the last one, with the objects right before it when it is one too. */
function lastOf(values: readonly Value[], spend: BuiltinContext["spend"]): Value {
  const behind = values.findLastIndex((value) => !(value instanceof RegoObject)) + 1;
  const objects = values.slice(behind).filter((value) => value instanceof RegoObject);
  return objects.length < 2 ? (values.at(-1) ?? null) : union(objects, spend);
}

/** In place of the module's. */
export const valueNatives: BuiltinFamily = {
  format_int: formatInt,
  "object.union_n": unionN,
};
