// What a call of a builtin takes of the evaluation's budget before it begins, beside its operands and its result, which the
// bridge charges for. SECURITY: a policy may call a builtin for each element of a list that a caller sends, so a call has
// to cost what it takes. Builtins whose work depends on more than the length of an operand charge themselves as they go.

import { RegoNumber, RegoObject, RegoSet, type Value } from "../value.ts";
import type { Builtin } from "./builtin.ts";
import { isArray } from "./operands.ts";

/** Steps before the call, some 2,000 for each microsecond. */
type Price = number | ((args: readonly Value[]) => number);

/** Any call: out of the module and back. */
const CALL = 2_000;
/** Decoding the parts of a token, or an HMAC. */
const TOKEN = 20_000;

/** One look at a zone's offset by ICU, and sometimes another formatter for it. */
const ZONE = 60_000;
const zoned = (args: readonly Value[]): number =>
  CALL + args.filter((arg) => isArray(arg) && arg[1] !== undefined && arg[1] !== "" && arg[1] !== "UTC").length * ZONE;

const perCharacter =
  (steps: number): Price =>
  ([text]) =>
    CALL + (typeof text === "string" ? text.length : 0) * steps;

const perMember =
  (steps: number): Price =>
  ([value]) =>
    CALL + membersOf(value) * steps;

/** Elements, members or entries; 1 for what is none of these. */
function membersOf(value: Value | undefined): number {
  if (value instanceof RegoSet) return value.values.length;
  if (value instanceof RegoObject) return value.entries.length;
  return isArray(value) ? value.length : 1;
}

/** All values within a value, itself among them. */
function countValues(value: Value): number {
  if (isArray(value)) return value.reduce<number>((sum, part) => sum + countValues(part), 1);
  if (value instanceof RegoSet) return countValues(value.values);
  if (value instanceof RegoObject) return countValues(value.entries.flat());
  return 1;
}

/** An exponent is multiplied out. */
const amount: Price = ([text]) => CALL + (typeof text === "string" && /[eE][+-]?\d/.test(text) ? 100_000 : 8_000);

/**
 * Steps for turning a number into an integer of all its digits, or an integer into digits: by the square of their number.
 * `1e9999` has 10,000.
 */
export function digitSteps(number: Value | undefined): number {
  if (!(number instanceof RegoNumber)) return 0;
  const exponent = Number(/[eE]([+-]?\d+)$/.exec(number.text)?.[1] ?? 0);
  return stepsOfDigits(number.text.length + Math.max(0, exponent));
}

/** The same for an integer. PERF: hexadecimal digits take no more than their number. */
export const integerSteps = (value: bigint): number => stepsOfDigits(value.toString(16).length * 1.2);

/** No number of more digits is multiplied out. */
const MAX_DIGITS = 10_000;

function stepsOfDigits(count: number): number {
  const digits = Math.min(MAX_DIGITS, count);
  return digits * 20 + (digits * digits) / 80;
}

const PRICES: Readonly<Record<string, Price>> = {
  "net.cidr_contains_matches": ([outer, inner]) => CALL + membersOf(outer) * membersOf(inner) * 500,
  "net.cidr_merge": perMember(4_000),
  "numbers.range_step": (args) => CALL + args.reduce<number>((sum, arg) => sum + digitSteps(arg), 0),
  "rand.intn": 8_000,
  "time.add_date": zoned,
  "time.clock": zoned,
  "time.date": zoned,
  "time.diff": zoned,
  "time.format": zoned,
  "time.parse_duration_ns": perCharacter(3_000),
  "time.weekday": zoned,
  "units.parse": amount,
  "units.parse_bytes": amount,
  "uuid.rfc4122": 5_000,
  "yaml.marshal": ([value = null]) => CALL + countValues(value) * 5_000,
};

const priceOf = (name: string): Price => PRICES[name] ?? (name.startsWith("io.jwt.") ? TOKEN : CALL);

/** The builtin, paid for before each call. */
export function priced(name: string, run: Builtin): Builtin {
  const price = priceOf(name);
  return (args, context) => {
    context.spend(typeof price === "number" ? price : price(args));
    return run(args, context);
  };
}
