// The claims of a JWT-SVID: read from its payload, held against the audience and the clock.
// SPEC: JWT-SVID §3 (`sub`, `aud`, `exp`), RFC 7519 §4.1. The lifetime's limit is ours: SPIRE's tokens live for 5 minutes.
// SECURITY: no library's claim rules are relied on: they take a token without `exp`, and one from the future.

import { fail, ok, type Result } from "../base/result.ts";
import type { JsonValue } from "../base/strict-json.ts";
import type { JwtSvidCode } from "./codes.ts";
import { parseTokenObject } from "./jws-compact.ts";
import { isWorkloadId, parseSpiffeId, type SpiffeId } from "./spiffe-id.ts";

/** What a payload says; nothing in it is verified by this alone. */
export interface UnverifiedClaims {
  readonly spiffeId: SpiffeId;
  /** One to ten texts, none of them empty; a single text counts as a list of one. With more than one, the others can replay it here. */
  readonly audience: readonly string[];
  readonly expiresUnixMs: number;
  /** `iat`, where given. */
  readonly issuedUnixMs: number | undefined;
  /** `nbf`, where given. */
  readonly notBeforeUnixMs: number | undefined;
  /** `jti`, where given. */
  readonly tokenId: string | undefined;
  /** `iss`, where given; nothing is held against it. */
  readonly issuer: string | undefined;
  /** Every claim, in its order. */
  readonly claims: ReadonlyMap<string, JsonValue>;
}

/** A token for more receivers than this is a secret shared among them. */
const MAX_AUDIENCES = 10;
/** The last second that RFC 3339 can write, 9999-12-31T23:59:59Z. */
const MAX_UNIX_SECONDS = 253_402_300_799;

/** Reads a payload's claims; whether they hold now and here is for {@link checkDates} and {@link checkAudience}. */
export function parseClaims(payload: Uint8Array): Result<UnverifiedClaims, JwtSvidCode> {
  const parsed = parseTokenObject(payload, "payload");
  if (!parsed.ok) return parsed;
  const claims = parsed.value;
  const subject = claims.get("sub");
  const spiffeId = typeof subject === "string" ? parseSpiffeId(subject) : undefined;
  if (spiffeId === undefined) return fail("sub", "`sub` is missing or no text");
  if (!spiffeId.ok) return fail("sub", `\`sub\` is no SPIFFE ID (${spiffeId.code})`);
  if (!isWorkloadId(spiffeId.value)) return fail("sub", "`sub` names a trust domain, not a workload");

  const audience = toAudience(claims.get("aud"));
  if (audience === undefined) return fail("aud", `\`aud\` is not one to ${MAX_AUDIENCES} texts`);
  const expiresUnixMs = toUnixMs(claims.get("exp"));
  if (expiresUnixMs === undefined) return fail("exp", "`exp` is missing or no date");
  const notBeforeUnixMs = toUnixMs(claims.get("nbf"));
  if (notBeforeUnixMs === undefined && claims.has("nbf")) return fail("nbf", "`nbf` is no date");
  const issuedUnixMs = toUnixMs(claims.get("iat"));
  if (issuedUnixMs === undefined && claims.has("iat")) return fail("iat", "`iat` is no date");
  if (expiresUnixMs <= (issuedUnixMs ?? 0) || expiresUnixMs <= (notBeforeUnixMs ?? 0)) {
    return fail("exp", "`exp` is not after `iat` and `nbf`");
  }
  // SPEC: RFC 7519 §4.1.1, §4.1.7: texts. SECURITY: a `jti` that is none would go past a deny list of texts.
  const tokenId = claims.get("jti");
  if (tokenId !== undefined && typeof tokenId !== "string") return fail("malformed", "`jti` is no text");
  const issuer = claims.get("iss");
  if (issuer !== undefined && typeof issuer !== "string") return fail("malformed", "`iss` is no text");
  return ok({
    spiffeId: spiffeId.value,
    audience,
    expiresUnixMs,
    issuedUnixMs,
    notBeforeUnixMs,
    tokenId,
    issuer,
    claims,
  });
}

function toAudience(value: JsonValue | undefined): readonly string[] | undefined {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0 || list.length > MAX_AUDIENCES) return undefined;
  return list.every((name): name is string => typeof name === "string" && name !== "") ? list : undefined;
}

/** SPEC: RFC 7519 §2: a NumericDate is seconds and may have a fraction. Here it is from 1970 to 9999. */
const toUnixMs = (value: JsonValue | undefined): number | undefined =>
  typeof value === "number" && value >= 0 && value <= MAX_UNIX_SECONDS ? Math.floor(value * 1000) : undefined;

/** The clock, and how far others' clocks may be off. */
export interface DateRules {
  readonly nowUnixMs: number;
  readonly leewayMs: number;
  /** From `iat`, or else `nbf`, or else now, to `exp`. */
  readonly maxLifetimeMs: number;
}

/** Whether the token holds now. Anything that is not a number fails. */
export function checkDates(
  token: Pick<UnverifiedClaims, "expiresUnixMs" | "issuedUnixMs" | "notBeforeUnixMs">,
  { nowUnixMs, leewayMs, maxLifetimeMs }: DateRules,
): Result<undefined, "expired" | "nbf" | "iat" | "long_lived"> {
  const { expiresUnixMs, issuedUnixMs, notBeforeUnixMs } = token;
  const latestStartUnixMs = nowUnixMs + leewayMs;
  if (!(nowUnixMs < expiresUnixMs + leewayMs)) return fail("expired");
  if (notBeforeUnixMs !== undefined && !(notBeforeUnixMs <= latestStartUnixMs)) return fail("nbf", "not valid yet");
  if (issuedUnixMs !== undefined && !(issuedUnixMs <= latestStartUnixMs)) return fail("iat", "issued in the future");
  const startUnixMs = issuedUnixMs ?? notBeforeUnixMs ?? nowUnixMs;
  if (!(expiresUnixMs - startUnixMs <= maxLifetimeMs)) return fail("long_lived", "lives longer than is allowed");
  return ok(undefined);
}

/** SPEC: JWT-SVID §3.2: one of the token's audiences is ours, as an exact text. With none of our own, none is. */
export const checkAudience = (audience: readonly string[], ours: readonly string[]): Result<undefined, "aud"> =>
  audience.some((name) => ours.includes(name)) ? ok(undefined) : fail("aud", "`aud` holds no audience of ours");

/** What every token has; further claims say what their trust domain likes. */
const COMMON_CLAIMS: readonly string[] = ["sub", "aud", "exp", "iat", "nbf", "jti", "iss"];

/**
 * The claims that are passed on: all of them, or those that every token has and those of `allowed`.
 * SECURITY: a federated trust domain vouches for its workloads' names; `role: admin` is not its to say here.
 */
export function filterClaims(
  claims: ReadonlyMap<string, JsonValue>,
  isOwn: boolean,
  allowed: readonly string[],
): ReadonlyMap<string, JsonValue> {
  if (isOwn) return claims;
  return new Map([...claims].filter(([name]) => COMMON_CLAIMS.includes(name) || allowed.includes(name)));
}
