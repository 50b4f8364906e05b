// The constraints of `io.jwt.decode_verify`: which key, and what the claims must say (v1/topdown/tokens.go).

import { compareValues, RegoNumber, type RegoObject, type Value } from "../value.ts";
import { BuiltinError } from "./builtin.ts";
import { isArray } from "./operands.ts";

/** Parsed constraints; an absent text is "", which for `alg` and `iss` means any. */
export interface TokenConstraints {
  /** Exactly one of `cert` and `secret` is given. */
  readonly cert: string | undefined;
  readonly secret: string;
  readonly alg: string;
  readonly iss: string;
  readonly aud: string;
  /** The instant to check `exp` and `nbf` at; a double of nanoseconds, as in OPA. */
  readonly timeNs: number;
}

function textOf(name: string, value: Value): string {
  if (typeof value !== "string") throw new BuiltinError(`${name} constraint: must be a string`);
  return value;
}

function timeOf(value: Value): number {
  const time = value instanceof RegoNumber ? value.toNumber() : Number.NaN;
  if (!Number.isFinite(time) || time < 0)
    throw new BuiltinError("token time constraint: must be a number, not negative");
  return time;
}

/** Reads the constraints object; an unknown name, no key or two keys are errors. */
export function parseConstraints(object: RegoObject, nowUnixNs: bigint): TokenConstraints {
  const texts: Record<string, string> = {};
  let timeNs: number | undefined;
  for (const [name, value] of object.entries) {
    if (name === "time") timeNs = timeOf(value);
    else if (typeof name === "string" && ["cert", "secret", "alg", "iss", "aud"].includes(name)) {
      texts[name] = textOf(name, value);
    } else throw new BuiltinError("unknown token validation constraint");
  }
  const { cert, secret = "", alg = "", iss = "", aud = "" } = texts;
  if (cert !== undefined && secret !== "") throw new BuiltinError("duplicate key constraints");
  if (cert === undefined && secret === "") throw new BuiltinError("no key constraint");
  return { cert, secret, alg, iss, aud, timeNs: timeNs ?? timeOf(RegoNumber.of(nowUnixNs)) };
}

/** Without `aud` in the constraints a token that has an audience is meant for someone else. */
function isAudienceMet(aud: Value | undefined, wanted: string): boolean {
  if (aud === undefined) return wanted === "";
  return isArray(aud) ? aud.includes(wanted) : aud === wanted;
}

function numericClaim(payload: RegoObject, name: string): RegoNumber | undefined {
  const value = payload.get(name);
  if (value !== undefined && !(value instanceof RegoNumber)) throw new BuiltinError(`${name} value must be a number`);
  return value;
}

/**
 * Whether the claims meet the constraints: `iss` equal, `aud` equal or among several, now before `exp`, `nbf` not after
 * now. Throws BuiltinError for claims of the wrong type.
 */
export function areClaimsMet(payload: RegoObject, constraints: TokenConstraints): boolean {
  const { iss, aud, timeNs } = constraints;
  const issuer = payload.get("iss");
  if (iss !== "" && issuer !== undefined && typeof issuer !== "string") throw new BuiltinError("iss must be a string");
  if (iss !== "" && issuer !== iss) return false;
  if (!isAudienceMet(payload.get("aud"), aud)) return false;
  const nowSeconds = RegoNumber.of(timeNs / 1_000_000_000);
  const expires = numericClaim(payload, "exp");
  if (expires !== undefined && compareValues(nowSeconds, expires) >= 0) return false;
  const notBefore = numericClaim(payload, "nbf");
  return notBefore === undefined || compareValues(nowSeconds, notBefore) >= 0;
}
