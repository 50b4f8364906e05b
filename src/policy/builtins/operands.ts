// Reads the operands of builtin calls with OPA's type rules (v1/topdown/builtins/builtins.go).
// The compiler checks types only where it knows them; values from `input` arrive here as they are.

import { RegoNumber, RegoObject, RegoSet, type Value } from "../value.ts";
import { BuiltinError } from "./builtin.ts";

/** The type of a value, in OPA's words. */
export const kindOf = (value: Value | undefined): string => {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (value instanceof RegoNumber) return "number";
  if (value instanceof RegoSet) return "set";
  if (value instanceof RegoObject) return "object";
  return typeof value;
};

/** The error for operand `index` (0-based) that is not `expected`. */
export const operandError = (args: readonly Value[], index: number, expected: string): BuiltinError =>
  new BuiltinError(`operand ${index + 1} must be ${expected} but got ${kindOf(args[index])}`);

/** Narrows to an array; `Array.isArray` alone loses the element type on readonly arrays. */
export const isArray = (value: Value | undefined): value is readonly Value[] => Array.isArray(value);

/** Operand `index` as a string. */
export function stringOperand(args: readonly Value[], index: number): string {
  const value = args[index];
  if (typeof value !== "string") throw operandError(args, index, "string");
  return value;
}

/** Operand `index` as a number, in its own digits. */
export function numberOperand(args: readonly Value[], index: number): RegoNumber {
  const value = args[index];
  if (!(value instanceof RegoNumber)) throw operandError(args, index, "number");
  return value;
}

/** Operand `index` as an array. */
export function arrayOperand(args: readonly Value[], index: number): readonly Value[] {
  const value = args[index];
  if (!isArray(value)) throw operandError(args, index, "array");
  return value;
}

/** Operand `index` as an object. */
export function objectOperand(args: readonly Value[], index: number): RegoObject {
  const value = args[index];
  if (!(value instanceof RegoObject)) throw operandError(args, index, "object");
  return value;
}

/** The strings of operand `index`, an array or a set; any other element is an error. */
export function stringsOperand(args: readonly Value[], index: number): readonly string[] {
  const value = args[index];
  const elements = value instanceof RegoSet ? value.values : value;
  if (!isArray(elements)) throw operandError(args, index, "one of {array, set}");
  return elements.map((element) => {
    if (typeof element !== "string") throw new BuiltinError(`operand ${index + 1} must hold strings only`);
    return element;
  });
}

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** Whether `value` fits a signed 64-bit integer, Go's `int`. */
export const isInt64 = (value: bigint): boolean => value >= INT64_MIN && value <= INT64_MAX;

/**
 * `number` as OPA's `Number.Int()`: at most 19 characters of digits, of which those behind a decimal point are all zero
 * (`3`, `-3.00`, but not `3e0`); else undefined.
 */
export function toInt64(number: RegoNumber): bigint | undefined {
  const match = /^-?([0-9]*(?:\.0*)?)$/.exec(number.text);
  if (match?.[1] === undefined || match[1].length === 0 || match[1].length > 19) return undefined;
  const [whole] = number.text.split(".");
  const value = BigInt(whole === "" || whole === "-" ? "0" : (whole ?? "0"));
  return isInt64(value) ? value : undefined;
}

/** Operand `index` as a signed 64-bit integer. */
export function int64Operand(args: readonly Value[], index: number): bigint {
  const value = toInt64(numberOperand(args, index));
  if (value === undefined) throw new BuiltinError(`operand ${index + 1} must be integer number`);
  return value;
}

/** Operand `index` as a whole number of any size. */
export function bigIntOperand(args: readonly Value[], index: number): bigint {
  const value = numberOperand(args, index).toBigInt();
  if (value === undefined) throw new BuiltinError(`operand ${index + 1} must be integer number`);
  return value;
}
