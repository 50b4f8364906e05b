// Members of the request object as OPA reads them (v1/topdown/http.go): each kind with its own sentence of refusal.

import { printValue, RegoNumber, RegoObject, RegoSet, type Value } from "../../value.ts";
import { BuiltinError } from "../builtin.ts";
import { parseDuration } from "../duration.ts";
import { isInt64, toInt64 } from "../operands.ts";
import { HttpFailure, invalid } from "./failure.ts";

/** A member that is a boolean. Throws HttpFailure. */
export function booleanMember(request: RegoObject, name: string): boolean {
  const value = request.get(name);
  if (value === undefined) return false;
  if (typeof value !== "boolean") throw invalid(`invalid value for ${JSON.stringify(name)} field`);
  return value;
}

/** A member that OPA reads with Go's `ParseBool`, to which the numbers 1 and 0 are booleans too. Throws HttpFailure. */
export function lenientBooleanMember(request: RegoObject, name: string): boolean {
  const value = request.get(name);
  if (value === undefined || typeof value === "boolean") return value ?? false;
  const text = printValue(value);
  if (text === "1" || text === "0") return text === "1";
  throw invalid(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

/** A member that is text, without the quotation marks at its ends, which OPA trims. Throws HttpFailure. */
export function stringMember(request: RegoObject, name: string): string | undefined {
  const value = request.get(name);
  if (value === undefined) return undefined;
  if (typeof value !== "string") throw invalid(`${JSON.stringify(name)} must be a string`);
  return value.replace(/^"+|"+$/g, "");
}

/** How often a request is tried again. Throws HttpFailure, which OPA words without the builtin's name. */
export function retriesMember(request: RegoObject): number {
  const value = request.get("max_retry_attempts");
  if (value === undefined) return 0;
  const count = value instanceof RegoNumber ? toInt64(value) : undefined;
  if (count === undefined || count < 0n)
    throw new HttpFailure("invalid", `invalid value ${printValue(value)} for field "max_retry_attempts"`);
  return Number(count);
}

/** Nanoseconds as a number, as text of one, or as a Go duration; 5 s unless set. Zero and less is no timeout. */
export function timeoutMember(request: RegoObject): bigint {
  const value = request.get("timeout");
  if (value === undefined) return 5_000_000_000n;
  if (value instanceof RegoNumber) {
    const ns = toInt64(value);
    if (ns === undefined) throw invalid(`invalid timeout number value ${value.text}, must be int64`);
    return ns;
  }
  if (typeof value !== "string") {
    throw invalid(`operand 1 'timeout' must be one of {string, number} but got ${kindOf(value)}`);
  }
  if (/^[+-]?\d{1,19}$/.test(value) && isInt64(BigInt(value))) return BigInt(value);
  try {
    if (/[dwy]/.test(value)) throw new BuiltinError(`unknown unit in duration ${JSON.stringify(value)}`); // OPA's own units
    return parseDuration(value);
  } catch (error) {
    if (!(error instanceof BuiltinError)) throw error;
    throw invalid(`invalid timeout value ${JSON.stringify(value)}: ${error.message}`);
  }
}

/** Seconds for which an answer counts as fresh whatever it says; undefined when the member is absent. Throws HttpFailure. */
export function forceSecondsMember(request: RegoObject): number {
  const value = request.get("force_cache_duration_seconds");
  if (value === undefined) throw invalid("'force_cache' set but 'force_cache_duration_seconds' parameter is missing");
  const text = printValue(value);
  const seconds = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(seconds)) throw invalid(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  if (seconds > 2_147_483_647 || seconds < -2_147_483_648)
    throw invalid(`strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`);
  return seconds;
}

/** The type of a value that is no text and no number, as OPA names it. */
export function kindOf(value: Value): string {
  if (value === null) return "null";
  if (typeof value === "boolean") return "boolean";
  if (value instanceof RegoSet) return "set";
  return value instanceof RegoObject ? "object" : "array";
}
