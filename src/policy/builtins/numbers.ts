// `numbers.range_step`, `rand.intn` and the builtins that answer about the evaluation itself: `opa.runtime`, `trace`.

import { randomBytes } from "node:crypto";
import { RegoNumber, RegoObject, type Value } from "../value.ts";
import { type BuiltinContext, BuiltinError, type BuiltinFamily, MAX_RESULT_ELEMENTS } from "./builtin.ts";
import { bigIntOperand, int64Operand, isInt64, stringOperand } from "./operands.ts";
import { integerSteps } from "./prices.ts";

function rangeStep(from: bigint, to: bigint, step: bigint, { spend }: BuiltinContext): Value {
  if (step <= 0n) throw new BuiltinError("numbers.range_step: step must be a positive integer");
  const distance = to > from ? to - from : from - to;
  const count = distance / step + 1n;
  if (count > BigInt(MAX_RESULT_ELEMENTS)) throw new BuiltinError("numbers.range_step: more than 65536 numbers");
  const signed = to >= from ? step : -step;
  // SECURITY: from 0 to 1e9999 by 2e9996 are 5,001 numbers of 10,000 digits.
  spend(Number(count) * (100 + integerSteps((from < 0n ? -from : from) + distance)));
  return Array.from({ length: Number(count) }, (_, at) => RegoNumber.of(from + BigInt(at) * signed));
}

/** A uniform number from 0 up to but not including `limit`, which is positive and below 2^63. */
function randomBelow(limit: bigint): bigint {
  const top = (1n << 64n) - ((1n << 64n) % limit);
  for (;;) {
    const value = randomBytes(8).readBigUInt64BE();
    if (value < top) return value % limit;
  }
}

/** One number per evaluation for each name and limit, so that a policy may ask twice. */
function memoizedRandom(name: string, limit: bigint, { memo }: BuiltinContext): Value {
  if (limit === 0n) return RegoNumber.of(0);
  const magnitude = limit < 0n ? -limit : limit;
  if (!isInt64(magnitude)) throw new BuiltinError("rand.intn: limit out of range");
  const key = `rand.intn:${magnitude}:${name}`;
  const known = memo.get(key);
  if (known !== undefined) return known;
  const value = RegoNumber.of(randomBelow(magnitude));
  memo.set(key, value);
  return value;
}

/** The OPA release whose language and builtins policies are compiled for. */
const OPA_VERSION = "1.22.2";

/** SECURITY: no environment and no configuration, which hold secrets and differ between replicas. */
const RUNTIME = RegoObject.of([
  ["commit", ""],
  ["config", RegoObject.of([])],
  ["env", RegoObject.of([])],
  ["version", OPA_VERSION],
]);

/** Numbers made up by the host, and facts about it. */
export const numberBuiltins: BuiltinFamily = {
  "numbers.range_step": (args, context) =>
    rangeStep(bigIntOperand(args, 0), bigIntOperand(args, 1), bigIntOperand(args, 2), context),
  "rand.intn": (args, context) => memoizedRandom(stringOperand(args, 0), int64Operand(args, 1), context),
  "opa.runtime": () => RUNTIME,
  trace(args) {
    stringOperand(args, 0);
    return true;
  },
};
