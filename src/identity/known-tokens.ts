// Recognises tokens that were verified before, so that a workload's token costs its signature check once and not per request.
// SECURITY: a token is known by SHA-256 of its whole text, never by its ID, its key or a part of it; what is known of it holds
// for one set of audiences (an instance has exactly one) and one generation of its trust bundle; and its dates are held
// against the clock every time. A bundle that changes while a signature is being checked is looked at once more after it: the answer
// holds for the keys at its end. Tokens themselves are not kept. INVARIANT: only canonical tokens get in, so one token has one name.

import { hash } from "node:crypto";
import { fail, ok, type Result } from "../base/result.ts";
import type { JsonValue } from "../base/strict-json.ts";
import type { JwtSvidCode } from "./codes.ts";
import { loadVerifier, MAX_TOKEN_CHARS } from "./jws-compact.ts";
import { checkDates } from "./jwt-claims.ts";
import { checkJwtSvid, dateRules, type JwtSvid, type JwtSvidRules } from "./jwt-svid.ts";

/** `overloaded`: as many signatures as are allowed are being verified at this moment; the token was not looked at further. */
export type TokenOutcome = Result<JwtSvid, JwtSvidCode | "overloaded">;

/** Verifies tokens, each of them once while it is known. */
export interface KnownTokens {
  /** At once for a known token and for whatever fails before the signature; a promise on first sight, which rejects only by a fault of ours. */
  verify(token: string, nowUnixMs: number): TokenOutcome | Promise<TokenOutcome>;
  stats(): KnownTokensStats;
}

/** What there is to count. */
export interface KnownTokensStats {
  readonly entries: number;
  /** An estimate of what the entries hold. */
  readonly bytes: number;
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
  /** Signatures that are being verified now. */
  readonly inFlight: number;
  /** Tokens that were turned away since too many were being verified. */
  readonly overloads: number;
}

/** What tokens are held against, and how much is kept. */
export interface KnownTokensOptions extends JwtSvidRules {
  /** 10,000 unless told otherwise. */
  readonly maxEntries?: number;
  /** By the estimate of {@link KnownTokensStats}; 32 MiB unless told otherwise. */
  readonly maxBytes?: number;
  /** Signatures verified at once; 64 unless told otherwise. */
  readonly maxInFlight?: number;
}

const MAX_ENTRIES = 10_000;
const MAX_BYTES = 32 * 1024 * 1024;
const MAX_IN_FLIGHT = 64;
/** A known token is verified anew after this, whatever its `exp` says. */
const MAX_KNOWN_MS = 300_000;
/** What an entry holds besides its claims: measured, rounded up. */
const ENTRY_BYTES = 1_024;
/** For clients that send one token with a bad signature again and again; whoever varies it meets `maxInFlight`. */
const MAX_FORGED = 1_000;
const FORGED_KNOWN_MS = 5_000;

interface Entry {
  /** What the trust domain could say when the claims were filtered. */
  readonly hasAllClaims: boolean;
  readonly outcome: { readonly ok: true; readonly value: JwtSvid };
  readonly verifiedUnixMs: number;
  readonly bytes: number;
}

/** Starts with nothing known. */
export function createKnownTokens(options: KnownTokensOptions): KnownTokens {
  const rules: JwtSvidRules = { ...options, audiences: [...options.audiences] };
  const maxEntries = options.maxEntries ?? MAX_ENTRIES;
  const maxBytes = options.maxBytes ?? MAX_BYTES;
  const maxInFlight = options.maxInFlight ?? MAX_IN_FLIGHT;
  // A Map iterates in the order of insertion, so its first key is the oldest.
  const entries = new Map<string, Entry>();
  const forged = new Map<string, number>();
  const flights = new Map<string, Promise<TokenOutcome>>();
  let [bytes, hits, misses, evictions, overloads] = [0, 0, 0, 0, 0];
  // So that the first token does not wait for it. A failure to load shows again, as a fault, with the first token.
  loadVerifier().catch(() => undefined);

  const drop = (name: string, entry: Entry): void => {
    if (entries.delete(name)) bytes -= entry.bytes;
  };

  const keepsAll = ({ spiffeId }: JwtSvid): boolean => rules.keepsAllClaimsOf?.(spiffeId.trustDomain) ?? false;

  const isGood = ({ outcome: { value }, verifiedUnixMs, hasAllClaims }: Entry, nowUnixMs: number): boolean => {
    // A wall clock that went back would make an entry live longer: such an entry is of no use.
    const dates = dateRules(rules, nowUnixMs);
    const ageMs = nowUnixMs - verifiedUnixMs;
    return (
      ageMs < MAX_KNOWN_MS &&
      ageMs >= -dates.leewayMs &&
      rules.bundles.find(value.spiffeId.trustDomain)?.generation === value.bundleGeneration &&
      // svidgate's own trust domain may be learnt, or change, while a token is known.
      hasAllClaims === keepsAll(value) &&
      checkDates(value, dates).ok
    );
  };

  const keep = (name: string, value: JwtSvid, verifiedUnixMs: number): void => {
    const bytesHeld = ENTRY_BYTES + bytesOfClaims(value.claims);
    const entry = { hasAllClaims: keepsAll(value), outcome: ok(value), verifiedUnixMs, bytes: bytesHeld };
    const earlier = entries.get(name);
    if (earlier !== undefined) drop(name, earlier);
    entries.set(name, entry);
    bytes += entry.bytes;
    for (const [oldest, { bytes: freed }] of entries) {
      if (entries.size <= maxEntries && bytes <= maxBytes) break;
      entries.delete(oldest);
      bytes -= freed;
      evictions++;
    }
  };

  const keepForged = (flight: string, nowUnixMs: number): void => {
    forged.set(flight, nowUnixMs);
    for (const oldest of forged.keys()) {
      if (forged.size <= MAX_FORGED) break;
      forged.delete(oldest);
    }
  };

  const isForged = (flight: string, nowUnixMs: number): boolean => {
    const sinceUnixMs = forged.get(flight);
    if (sinceUnixMs === undefined) return false;
    if (Math.abs(nowUnixMs - sinceUnixMs) < FORGED_KNOWN_MS) return true;
    forged.delete(flight);
    return false;
  };

  const verifyAnew = (name: string, token: string, nowUnixMs: number): TokenOutcome | Promise<TokenOutcome> => {
    const checked = checkJwtSvid(token, { ...rules, nowUnixMs });
    if (!checked.ok) return checked;
    // What is found out holds against these keys only: a request that comes after a change joins no earlier flight.
    const flight = `${checked.value.bundleGeneration} ${name}`;
    if (isForged(flight, nowUnixMs)) return fail("signature", "refused a moment ago");
    const inTheAir = flights.get(flight);
    if (inTheAir !== undefined) return inTheAir;
    if (flights.size >= maxInFlight) {
      overloads++;
      return fail("overloaded", `${maxInFlight} tokens are being verified`);
    }
    const land = async (): Promise<TokenOutcome> => {
      try {
        const verified = await checked.value.verify();
        if (verified.ok) keep(name, verified.value, nowUnixMs);
        else if (verified.code === "signature") keepForged(flight, nowUnixMs);
        return verified;
      } finally {
        flights.delete(flight);
      }
    };
    const outcome = land();
    flights.set(flight, outcome);
    return outcome;
  };

  return {
    verify(token, nowUnixMs) {
      if (token.length > MAX_TOKEN_CHARS) return fail("malformed", `longer than ${MAX_TOKEN_CHARS} characters`);
      // PERF: one call without a Hash object; 0.6 µs for 341 characters. As text of 32 characters, one per byte.
      const name = hash("sha256", token, "binary");
      const entry = entries.get(name);
      if (entry !== undefined) {
        entries.delete(name);
        if (isGood(entry, nowUnixMs)) {
          entries.set(name, entry);
          hits++;
          return entry.outcome;
        }
        bytes -= entry.bytes;
      }
      misses++;
      return verifyAnew(name, token, nowUnixMs);
    },
    stats: () => ({ entries: entries.size, bytes, hits, misses, evictions, inFlight: flights.size, overloads }),
  };
}

const bytesOfClaims = (claims: ReadonlyMap<string, JsonValue>): number =>
  [...claims].reduce((sum, [name, value]) => sum + 64 + bytesOf(name) + bytesOf(value), 0);

/** About what V8 holds for a value of 64 bits: measured, rounded up. */
function bytesOf(value: JsonValue): number {
  if (typeof value === "string") return 32 + 2 * value.length;
  if (typeof value !== "object" || value === null) return 16;
  const items: readonly JsonValue[] = Array.isArray(value) ? value : Object.entries(value).flat();
  return items.reduce<number>((sum, item) => sum + 32 + bytesOf(item), 64);
}
