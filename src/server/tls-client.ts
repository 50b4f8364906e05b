// Who is at the other end of a finished TLS handshake: what the certificates that the peer sent prove by the trust bundle of the
// ID's own trust domain, now and at each later look.
// SECURITY: OpenSSL has seen that the peer holds the leaf's key, and nothing else counts of what it says: its verdict, in which
// all authorities are one pool, is not asked. Bundles are never pooled, and a peer cannot choose by which one it is judged.

import { kept } from "../base/kept.ts";
import { readCertificate } from "../identity/certificate.ts";
import type { X509SvidCode } from "../identity/codes.ts";
import { DEFAULT_CLOCK_SKEW_MS, type ValidityCode, validityCode } from "../identity/svid-leaf.ts";
import type { TrustBundleSource } from "../identity/trust-bundles.ts";
import { toVerifiedCertificate, type VerifiedCertificate } from "../identity/verified-certificate.ts";
import { verifyX509SvidLeaf, verifyX509SvidPath, type X509Svid } from "../identity/x509-svid.ts";
import type { RefusalReason } from "../telemetry/catalogue.ts";

/** What clients are held against where there is no `client_ca`. */
export interface ClientTrust {
  readonly bundles: TrustBundleSource;
  /** How far a peer's clock may be ahead of ours. Default 30 s. */
  readonly clockSkewMs?: number;
  /**
   * What else speaks against a client whose certificate is verified: a stale bundle, the deny list, lifetime rules. Asked at the
   * handshake and before each check, so it must be quick.
   */
  object?(certificate: VerifiedCertificate, nowUnixMs: number): ClientObjection | undefined;
}

/** `code` as in the reason codes, such as `bundle_stale` or `revoked`. */
export interface ClientObjection {
  readonly code: string;
  readonly detail?: string;
}

/** Why a client may not ask. */
export interface ClientRefusal {
  readonly reason: RefusalReason;
  /** For the log. */
  readonly detail?: string;
  /** For the client, in the answer to its check. */
  readonly sentence: string;
}

/** A client that has proven its ID. */
export interface ProvenClient {
  readonly spiffeId: string;
  /** The first end of a certificate from the leaf to the authority. */
  readonly notAfterUnixMs: number;
  /** Why it may not ask, from the handshake on; cheap as long as the bundle stays the same. */
  refusal(nowUnixMs: number): ClientRefusal | undefined;
}

/** A client, or why it is none. */
export type JudgedClient =
  | { readonly ok: true; readonly client: ProvenClient }
  | { readonly ok: false; readonly refusal: ClientRefusal };

/**
 * Judges a leaf by its trust domain's bundle. `isListed` is asked before any signature is looked at, so that a stranger costs
 * little, and `toIntermediates` after that.
 */
export function proveByBundle(
  leafDer: Uint8Array,
  toIntermediates: () => readonly Uint8Array[],
  isListed: (spiffeId: string) => boolean,
  trust: ClientTrust,
  nowUnixMs: number,
): JudgedClient {
  const leaf = readCertificate(leafDer);
  if (!leaf.ok) return { ok: false, refusal: toRefusal(leaf) };
  const options = { clockSkewMs: DEFAULT_CLOCK_SKEW_MS, ...trust, nowUnixMs };
  const id = verifyX509SvidLeaf(leaf.value, options);
  if (!id.ok) return { ok: false, refusal: toRefusal(id) };
  if (!isListed(id.value.id)) {
    return { ok: false, refusal: { ...NOT_LISTED, detail: `not verified: ${id.value.id}` } };
  }
  const intermediates = toIntermediates();
  // PERF: parsing costs more than the signatures, and a new bundle asks for the same certificates again.
  const read = kept(readCertificate);
  const verify = (nowUnixMs: number): ReturnType<typeof verifyX509SvidPath> =>
    verifyX509SvidPath(leaf.value, id.value, { ...options, nowUnixMs, intermediates, read });
  const path = verify(nowUnixMs);
  return path.ok
    ? { ok: true, client: followBundle(path.value, verify, trust) }
    : { ok: false, refusal: toRefusal(path) };
}

/** The client as it is judged from now on; `verify` searches its path again. */
function followBundle(
  first: X509Svid,
  verify: (nowUnixMs: number) => ReturnType<typeof verifyX509SvidPath>,
  trust: ClientTrust,
): ProvenClient {
  const { id: spiffeId, trustDomain } = first.spiffeId;
  let held = trust.bundles.find(trustDomain);
  let certificate = toVerifiedCertificate(first, held?.generation ?? 0);
  let lost: ClientRefusal | undefined;
  return {
    spiffeId,
    notAfterUnixMs: certificate.chainNotAfterUnixMs,
    refusal: (nowUnixMs) => {
      const newest = trust.bundles.find(trustDomain);
      // PERF: a new bundle costs one search per connection, at its next check, and nothing after that.
      // INVARIANT: another store counts generations from the start, so the bundle itself has to be the same too.
      if (newest?.generation !== held?.generation || newest?.bundle !== held?.bundle) {
        const again = verify(nowUnixMs);
        lost = again.ok ? undefined : toRefusal(again);
        if (again.ok) certificate = toVerifiedCertificate(again.value, newest?.generation ?? 0);
        held = newest;
      }
      if (lost !== undefined) return lost;
      const { notBeforeUnixMs, chainNotAfterUnixMs: notAfterUnixMs } = certificate;
      const late = refusedByDate(validityCode({ notBeforeUnixMs, notAfterUnixMs }, nowUnixMs, trust.clockSkewMs));
      if (late !== undefined) return late;
      const objection = trust.object?.(certificate, nowUnixMs);
      return objection === undefined ? undefined : toObjected(objection);
    },
  };
}

/** Of an ID that is not on the list. */
export const NOT_LISTED: ClientRefusal = { reason: "client_not_allowed", sentence: "this client may not ask" };

const EXPIRED: ClientRefusal = {
  reason: "client_certificate_expired",
  sentence: "the client certificate has expired",
};

/** What a time that does not count any more, or not yet, makes of a client. */
export const refusedByDate = (code: ValidityCode | undefined): ClientRefusal | undefined =>
  code === undefined ? undefined : { ...EXPIRED, detail: code };

/** Codes that speak of the path rather than of the leaf. */
const OF_THE_PATH: ReadonlySet<X509SvidCode> = new Set([
  "untrusted",
  "ca_flags",
  "path_len",
  "name_constraints",
  "signing_cert_id",
]);

function toRefusal({ code, detail }: { readonly code: X509SvidCode; readonly detail?: string }): ClientRefusal {
  const told = { detail: detail === undefined ? code : `${code}: ${detail}` };
  if (code === "expired" || code === "not_yet_valid") return { ...EXPIRED, ...told };
  if (code === "no_bundle") return { ...NO_BUNDLE, ...told };
  if (OF_THE_PATH.has(code)) {
    return { reason: "client_certificate_untrusted", sentence: "the client certificate is not trusted", ...told };
  }
  return { reason: "client_certificate_invalid", sentence: "the client certificate is no X509-SVID", ...told };
}

const NO_BUNDLE: ClientRefusal = {
  reason: "no_client_bundle",
  sentence: "nothing vouches for the client's trust domain",
};

function toObjected({ code, detail }: ClientObjection): ClientRefusal {
  const told = { detail: detail === undefined ? code : `${code}: ${detail}` };
  return code === "bundle_stale" ? { ...NO_BUNDLE, ...told } : { ...NOT_LISTED, ...told };
}
