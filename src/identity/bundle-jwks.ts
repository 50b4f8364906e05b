// A trust bundle as a SPIFFE JWK set. SPEC: SPIFFE Trust Domain and Bundle §4.1: `keys` must be present, and may be empty,
// which revokes everything; `spiffe_sequence` and `spiffe_refresh_hint` are optional.
// SECURITY: two different keys under one key ID both count for nothing: which of them is meant depends on the reader.

import { fail, ok, type Result } from "../base/result.ts";
import type { Steps } from "../base/steps.ts";
import { type JsonValue, parseJsonObject, type StrictJsonCode } from "../base/strict-json.ts";
import { type BundleEntryOptions, readBundleEntry } from "./bundle-jwk.ts";
import type { Certificate } from "./certificate.ts";
import type { TrustBundleCode } from "./codes.ts";
import type { JwtAuthority, TrustBundle } from "./trust-bundle.ts";

/** Authorities of one bundle. More than a hundred rotations' worth; each costs up to 3 ms to read. */
export const MAX_KEYS = 128;
/** SPEC: a 64-bit unsigned integer. */
const MAX_SEQUENCE = 2n ** 64n - 1n;
/** A hundred years. */
const MAX_HINT_SECONDS = 3_155_760_000n;

const CODES: Readonly<Record<StrictJsonCode, TrustBundleCode>> = {
  not_utf8: "not_utf8",
  json: "json",
  duplicate_key: "duplicate_key",
  too_deep: "json",
  number: "json",
};

/** Reads the whole document, with a pause after each key; the trust domain is not in it. */
export function* parseBundleJwksSteps(
  text: string,
  options: BundleEntryOptions,
): Steps<Result<Omit<TrustBundle, "trustDomain">, TrustBundleCode>> {
  const parsed = parseJsonObject(text, { bigIntegers: true });
  if (!parsed.ok) return fail(CODES[parsed.code], parsed.detail);
  const document = parsed.value;
  const keys = document.get("keys");
  if (!Array.isArray(keys)) return fail("no_keys", "`keys` is missing or no list");
  if (keys.length > MAX_KEYS) return fail("too_large", `${keys.length} keys, at most ${MAX_KEYS} are taken`);
  const sequence = toWhole(document.get("spiffe_sequence"));
  if (sequence === "none") return fail("json", "`spiffe_sequence` is no whole number of 64 bits");
  const x509Authorities = new Map<string, Certificate>();
  const jwtAuthorities = new Map<string, JwtAuthority>();
  const ambiguous = new Set<string>();
  const ignored: string[] = [];
  for (const [index, key] of (keys as readonly JsonValue[]).entries()) {
    const name = `key ${index + 1}`;
    const entry = readBundleEntry(key, options);
    switch (entry.kind) {
      case "private":
        return fail("key", `${name} holds a private key: replace that key, and publish only public ones`);
      case "ignored":
        ignored.push(`${name}: ${entry.why}`);
        break;
      case "x509":
        x509Authorities.set(entry.certificate.fingerprintSha256, entry.certificate);
        if (entry.note !== undefined) ignored.push(`${name}: ${entry.note}`);
        break;
      case "jwt": {
        const { authority } = entry;
        const other = jwtAuthorities.get(authority.keyId);
        if (other === undefined) jwtAuthorities.set(authority.keyId, authority);
        else if (!other.key.equals(authority.key)) ambiguous.add(authority.keyId);
        break;
      }
    }
    yield;
  }
  for (const keyId of ambiguous) {
    jwtAuthorities.delete(keyId);
    ignored.push("two different keys have one `kid`: neither counts");
  }
  const hint = toWhole(document.get("spiffe_refresh_hint"));
  const refreshHintSeconds =
    typeof hint === "bigint" && hint > 0n && hint <= MAX_HINT_SECONDS ? Number(hint) : undefined;
  if (hint !== undefined && refreshHintSeconds === undefined) {
    ignored.push("`spiffe_refresh_hint` is no usual number of seconds");
  }
  return ok({ x509Authorities: [...x509Authorities.values()], jwtAuthorities, sequence, refreshHintSeconds, ignored });
}

/** Null says as little as an absent member. */
function toWhole(value: JsonValue | undefined): bigint | undefined | "none" {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "bigint" && !(typeof value === "number" && Number.isInteger(value))) return "none";
  const whole = BigInt(value);
  return whole >= 0n && whole <= MAX_SEQUENCE ? whole : "none";
}
