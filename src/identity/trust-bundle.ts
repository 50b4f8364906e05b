// The keys that speak for one trust domain: certificate authorities for X509-SVIDs and public keys for JWT-SVIDs, read from
// a SPIFFE bundle document (a JWK set) or from PEM certificates.
// SPEC: SPIFFE Trust Domain and Bundle §4.
// SECURITY: a bundle belongs to exactly one trust domain, the one its source was configured for; bundles are never joined.

import type { KeyObject } from "node:crypto";
import { fail, ok, type Result } from "../base/result.ts";
import { inOneGo, type Steps } from "../base/steps.ts";
import { MAX_KEYS, parseBundleJwksSteps } from "./bundle-jwks.ts";
import { type Certificate, decodePem } from "./certificate.ts";
import type { TrustBundleCode } from "./codes.ts";
import { type KnownAuthorities, toKnownAuthorities, toX509AuthoritiesSteps } from "./x509-authorities.ts";

/** A public key that signs JWT-SVIDs. */
export interface JwtAuthority {
  readonly keyId: string;
  /** Public; RSA of at least 2048 bits, or EC on P-256, P-384 or P-521. */
  readonly key: KeyObject;
  /** Undefined for a key from a source that states no uses. */
  readonly use: "jwt-svid" | undefined;
}

/** What one trust domain trusts. Without authorities, nothing of the trust domain is valid. */
export interface TrustBundle {
  readonly trustDomain: string;
  /** Each one may sign: authority flag and key usage were looked at, dates and signatures were not. */
  readonly x509Authorities: readonly Certificate[];
  /** By key ID. */
  readonly jwtAuthorities: ReadonlyMap<string, JwtAuthority>;
  /** From 0 to 2^64 - 1; undefined when the document has none. */
  readonly sequence: bigint | undefined;
  readonly refreshHintSeconds: number | undefined;
  /** Why entries were left out, a sentence each, for the log; at most 20. */
  readonly ignored: readonly string[];
}

/** How to read a document. */
export interface TrustBundleOptions {
  /** Whose bundle it is: documents don't say. */
  readonly trustDomain: string;
  /** Found out from the first character when it is not given. */
  readonly format?: "jwks" | "pem";
  /** What a key without `use` means: nothing, as the specification has it, or, for the JWT bundles of the Workload API, JWT-SVIDs. */
  readonly keysWithoutUse?: "ignored" | "jwt-svid";
  /** An earlier bundle: certificates that were in it are not parsed again. It has no part in what the document means. */
  readonly previous?: TrustBundle | undefined;
}

/** Of a document, in bytes. */
export const MAX_BUNDLE_BYTES = 4 * 1024 * 1024;
const MAX_IGNORED_TOLD = 20;

/**
 * Reads one bundle document of at most 4 MiB and 128 keys. Entries that the specification tells to ignore are left out and
 * told in `ignored`. PEM without a certificate that may sign is refused (`pem`), while an empty `keys` is a valid bundle that
 * revokes everything.
 */
export function parseTrustBundle(
  text: string | Uint8Array,
  options: TrustBundleOptions,
): Result<TrustBundle, TrustBundleCode> {
  return inOneGo(parseTrustBundleSteps(text, options));
}

/** As `parseTrustBundle`, with a pause after each entry: a large document takes some 0.4 s. */
export function* parseTrustBundleSteps(
  text: string | Uint8Array,
  options: TrustBundleOptions,
): Steps<Result<TrustBundle, TrustBundleCode>> {
  const bytes = typeof text === "string" ? Buffer.byteLength(text) : text.length;
  if (bytes > MAX_BUNDLE_BYTES) return fail("too_large", `more than ${MAX_BUNDLE_BYTES} bytes`);
  const decoded = typeof text === "string" ? text : decodeUtf8(text);
  if (decoded === undefined) return fail("not_utf8");
  const { trustDomain } = options;
  const format = options.format ?? (/^\s*[{[]/.test(decoded) ? "jwks" : "pem");
  const known = toKnownAuthorities(options.previous?.x509Authorities ?? []);
  if (format === "pem") return yield* parsePemBundle(decoded, trustDomain, known);
  const parsed = yield* parseBundleJwksSteps(decoded, { keysWithoutUse: options.keysWithoutUse ?? "ignored", known });
  return parsed.ok ? ok({ ...parsed.value, trustDomain, ignored: cut(parsed.value.ignored) }) : parsed;
}

function* parsePemBundle(
  pem: string,
  trustDomain: string,
  known: KnownAuthorities,
): Steps<Result<TrustBundle, TrustBundleCode>> {
  const parsed = decodePem(pem);
  if (!parsed.ok) return fail("pem", parsed.detail ?? parsed.code);
  if (parsed.value.length > MAX_KEYS) {
    return fail("too_large", `${parsed.value.length} certificates, at most ${MAX_KEYS} are taken`);
  }
  const { authorities, ignored } = yield* toX509AuthoritiesSteps(parsed.value, known);
  // SECURITY: nothing here says "revoke everything" as an empty key set does, so a wrong file leaves the last good one in force.
  if (authorities.length === 0) return fail("pem", ignored[0] ?? "no certificate");
  return ok({
    trustDomain,
    x509Authorities: authorities,
    jwtAuthorities: new Map(),
    sequence: undefined,
    refreshHintSeconds: undefined,
    ignored: cut(ignored),
  });
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

const cut = (reasons: readonly string[]): readonly string[] =>
  reasons.length <= MAX_IGNORED_TOLD
    ? reasons
    : [...reasons.slice(0, MAX_IGNORED_TOLD - 1), `and ${reasons.length - MAX_IGNORED_TOLD + 1} more`];
