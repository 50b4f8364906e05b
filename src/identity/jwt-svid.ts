// Verifies JWT-SVIDs: form, header, claims, audience and dates first, since they cost little, then the signature, against the
// keys of the trust domain that `sub` names and of no other. SPEC: JWT-SVID §2 to §5. What a token was found to be is kept in
// known-tokens.ts; where a request carries one is request-token.ts.

import { fail, ok, type Result } from "../base/result.ts";
import type { JsonValue } from "../base/strict-json.ts";
import type { JwtSvidCode } from "./codes.ts";
import { isKeyFor, isSignedBy, type JwsAlgorithm, parseCompactJws, type UnverifiedJws } from "./jws-compact.ts";
import {
  checkAudience,
  checkDates,
  type DateRules,
  filterClaims,
  parseClaims,
  type UnverifiedClaims,
} from "./jwt-claims.ts";
import { DEFAULT_CLOCK_SKEW_MS, MAX_CLOCK_SKEW_MS } from "./svid-leaf.ts";
import type { JwtAuthority } from "./trust-bundle.ts";
import type { HeldBundle, TrustBundleSource } from "./trust-bundles.ts";

/** A verified JWT-SVID. */
export interface JwtSvid extends UnverifiedClaims {
  /** The ID of the key that made the signature. */
  readonly keyId: string;
  readonly algorithm: JwsAlgorithm;
  /** As far as the trust domain may speak; see {@link JwtSvidOptions.keepsAllClaimsOf}. */
  readonly claims: ReadonlyMap<string, JsonValue>;
  /** Of the trust bundle that holds the key. */
  readonly bundleGeneration: number;
}

/** What tokens are held against. */
export interface JwtSvidRules {
  /** Names of ours; a token must be for one of them. None accepts no token. */
  readonly audiences: readonly string[];
  readonly bundles: TrustBundleSource;
  /** How far others' clocks may be off; 30 s unless told otherwise, 120 s at most. */
  readonly leewayMs?: number;
  /** The longest that a token may live; 1 h unless told otherwise. */
  readonly maxLifetimeMs?: number;
  /** Whether a token without `kid` is refused (default), or tried on at most four keys. */
  readonly requireKeyId?: boolean;
  /** Whether all claims of a trust domain's tokens are passed on (svidgate's own); of others only `sub`, `aud`, `exp`, `iat`, `nbf`, `jti` and `iss`. */
  keepsAllClaimsOf?(trustDomain: string): boolean;
  /** Names of further claims that are passed on for every trust domain. */
  readonly foreignClaims?: readonly string[];
}

/** {@link JwtSvidRules} at one moment. */
export interface JwtSvidOptions extends JwtSvidRules {
  readonly nowUnixMs: number;
}

const DEFAULT_MAX_LIFETIME_MS = 3_600_000;
/** Each try costs a signature check. */
const MAX_KEYS_TRIED = 4;

/** A token whose form is right; nothing in it is verified. */
export type UnverifiedJwtSvid = UnverifiedJws & UnverifiedClaims;

/** Reads a token: serialisation, header, and the form of every claim. Audience, clock, key and signature are not looked at. */
export function parseJwtSvid(token: string): Result<UnverifiedJwtSvid, JwtSvidCode> {
  const jws = parseCompactJws(token);
  if (!jws.ok) return jws;
  const claims = parseClaims(jws.value.payload);
  return claims.ok ? ok({ ...jws.value, ...claims.value }) : claims;
}

/** Verifies one token wholly. Rejects only where what verifies signatures cannot be loaded. */
export async function verifyJwtSvid(token: string, options: JwtSvidOptions): Promise<Result<JwtSvid, JwtSvidCode>> {
  const checked = checkJwtSvid(token, options);
  return checked.ok ? checked.value.verify() : checked;
}

/** A token at which all but the signature is right. */
export interface UnsignedJwtSvid {
  /** Of the trust bundle that it will be held against. */
  readonly bundleGeneration: number;
  /**
   * Verifies the signature. Rejects only where what verifies signatures cannot be loaded. Fails with `signature`; when the bundle has changed meanwhile and the key is not in it
   * any more, with what the token fails with now. The outcome's generation is the bundle's that holds the key at the end.
   */
  verify(): Promise<Result<JwtSvid, JwtSvidCode>>;
}

/** Everything but the signature, at once. */
export function checkJwtSvid(token: string, options: JwtSvidOptions): Result<UnsignedJwtSvid, JwtSvidCode> {
  const parsed = parseJwtSvid(token);
  if (!parsed.ok) return parsed;
  const svid = parsed.value;
  const audience = checkAudience(svid.audience, options.audiences);
  if (!audience.ok) return audience;
  const dates = checkDates(svid, dateRules(options, options.nowUnixMs));
  if (!dates.ok) return dates;
  const { trustDomain } = svid.spiffeId;
  const held = options.bundles.find(trustDomain);
  if (held === undefined || held.bundle.jwtAuthorities.size === 0) {
    return fail("no_bundle", `no keys for tokens of the trust domain \`${trustDomain}\``);
  }
  const keys = selectKeys(svid, held.bundle.jwtAuthorities, options.requireKeyId ?? true);
  if (!keys.ok) return keys;
  return ok({
    bundleGeneration: held.generation,
    verify: async () => {
      const key = await findSigner(svid, keys.value);
      if (key === undefined) return fail("signature", "no key of the trust domain made the signature");
      const now = options.bundles.find(trustDomain);
      const stillHolds = now !== undefined && holds(now, key);
      return stillHolds ? ok(toJwtSvid(svid, key.keyId, now, options)) : refuseWithdrawn(token, options);
    },
  });
}

/** PERF: the very same bundle needs no look at its keys. */
const holds = ({ bundle: { jwtAuthorities } }: HeldBundle, authority: JwtAuthority): boolean => {
  const named = jwtAuthorities.get(authority.keyId);
  return named !== undefined && (named === authority || named.key.equals(authority.key));
};

/**
 * SECURITY: who withdraws a key expects that it counts for nothing from then on, also for tokens whose signature is being checked
 * at that moment. A key that is still there has made the signature, whatever else has changed: nothing is left to verify.
 */
function refuseWithdrawn(token: string, options: JwtSvidOptions): Result<JwtSvid, JwtSvidCode> {
  const checked = checkJwtSvid(token, options);
  return checked.ok ? fail("signature", "the key that made the signature has just been withdrawn") : checked;
}

/** The rules about dates with their defaults. */
export const dateRules = ({ leewayMs, maxLifetimeMs }: JwtSvidRules, nowUnixMs: number): DateRules => ({
  nowUnixMs,
  leewayMs: Math.min(leewayMs ?? DEFAULT_CLOCK_SKEW_MS, MAX_CLOCK_SKEW_MS),
  maxLifetimeMs: maxLifetimeMs ?? DEFAULT_MAX_LIFETIME_MS,
});

/** SPEC: JWT-SVID §2.2 makes `kid` optional; go-spiffe and SPIRE demand it, and so do we unless told otherwise. */
function selectKeys(
  { keyId, algorithm }: UnverifiedJwtSvid,
  authorities: ReadonlyMap<string, JwtAuthority>,
  requireKeyId: boolean,
): Result<readonly JwtAuthority[], "kid" | "alg"> {
  if (keyId === undefined) {
    if (requireKeyId) return fail("kid", "`kid` is missing");
    const fitting = [...authorities.values()].filter(({ key }) => isKeyFor(algorithm, key)).slice(0, MAX_KEYS_TRIED);
    return fitting.length > 0 ? ok(fitting) : fail("alg", "no key of the trust domain is for `alg`");
  }
  const named = authorities.get(keyId);
  if (named === undefined) return fail("kid", "`kid` names no key of the trust domain");
  // SECURITY: the key decides which algorithms are possible, never the token alone (RFC 8725 §3.1).
  return isKeyFor(algorithm, named.key) ? ok([named]) : fail("alg", "the key that `kid` names is not for `alg`");
}

async function findSigner(svid: UnverifiedJwtSvid, keys: readonly JwtAuthority[]): Promise<JwtAuthority | undefined> {
  for (const authority of keys) if (await isSignedBy(svid, authority.key)) return authority;
  return undefined;
}

function toJwtSvid(svid: UnverifiedJwtSvid, keyId: string, held: HeldBundle, rules: JwtSvidRules): JwtSvid {
  const { spiffeId, audience, expiresUnixMs, issuedUnixMs, notBeforeUnixMs, tokenId, issuer, algorithm } = svid;
  const isOwn = rules.keepsAllClaimsOf?.(spiffeId.trustDomain) ?? false;
  return Object.freeze({
    spiffeId,
    audience,
    expiresUnixMs,
    issuedUnixMs,
    notBeforeUnixMs,
    tokenId,
    issuer,
    keyId,
    algorithm,
    claims: filterClaims(svid.claims, isOwn, rules.foreignClaims ?? []),
    bundleGeneration: held.generation,
  });
}
