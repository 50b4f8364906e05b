// An X.509-SVID: a leaf that follows the profile, and a path from it to an authority of the trust domain that it names.
// SPEC: X509-SVID §2 to §5. SECURITY: the bundle is found by the trust domain of the ID, by equality; bundles are never pooled, so
// no authority can speak for another trust domain. Dates are those of the call: whoever keeps the answer asks for them again.
// Possession of the private key is not proven here: the TLS handshake did, or whoever reports the certificate is believed.

import { fail, ok, type Result } from "../base/result.ts";
import { type Certificate, confirmCertificate, readCertificate } from "./certificate.ts";
import { findCertificatePath } from "./certificate-path.ts";
import type { X509SvidCode } from "./codes.ts";
import type { SpiffeId } from "./spiffe-id.ts";
import { DEFAULT_CLOCK_SKEW_MS, validityCode, verifySvidLeaf } from "./svid-leaf.ts";
import type { TrustBundleSource } from "./trust-bundles.ts";

/** A verified SVID. */
export interface X509Svid {
  readonly spiffeId: SpiffeId;
  readonly leaf: Certificate;
  /** From the leaf to the anchor, both included. */
  readonly chain: readonly Certificate[];
}

/** What to verify against. */
export interface X509SvidOptions {
  readonly bundles: TrustBundleSource;
  readonly nowUnixMs: number;
  /** How far ahead of ours the clock of whoever issued it may be; 30 s unless given. */
  readonly clockSkewMs?: number;
  /** DER of certificates that may help to find a path; untrusted, and no more than the first eight are looked at. */
  readonly intermediates?: readonly Uint8Array[];
  /** In place of `readCertificate`, for who remembers what it read. */
  readonly read?: typeof readCertificate;
}

const MAX_INTERMEDIATES = 8;

/** Verifies a leaf, as DER or parsed: its profile, its dates, then the path; the first rule that it breaks is the code. */
export function verifyX509Svid(
  leaf: Uint8Array | Certificate,
  options: X509SvidOptions,
): Result<X509Svid, X509SvidCode> {
  const parsed = "fields" in leaf ? ok(leaf) : readCertificate(leaf);
  if (!parsed.ok) return parsed;
  const id = verifyX509SvidLeaf(parsed.value, options);
  return id.ok ? verifyX509SvidPath(parsed.value, id.value, options) : id;
}

/** Everything that the leaf alone decides. */
export function verifyX509SvidLeaf(
  { fields }: Certificate,
  { nowUnixMs, clockSkewMs = DEFAULT_CLOCK_SKEW_MS }: Pick<X509SvidOptions, "nowUnixMs" | "clockSkewMs">,
): Result<SpiffeId, X509SvidCode> {
  const id = verifySvidLeaf(fields);
  if (!id.ok) return id;
  if (fields.unknownCritical.length > 0) return fail("critical_ext", "a critical extension that is not known");
  const weakness = fields.key.weakness ?? fields.signatureAlgorithm.weakness;
  if (weakness !== undefined) return fail("weak_crypto", weakness);
  const late = validityCode(fields, nowUnixMs, clockSkewMs);
  return late === undefined ? id : fail(late);
}

/** The rest: the bundle of the ID's trust domain, and a path to it. */
export function verifyX509SvidPath(
  leaf: Certificate,
  spiffeId: SpiffeId,
  {
    bundles,
    nowUnixMs,
    clockSkewMs = DEFAULT_CLOCK_SKEW_MS,
    intermediates = [],
    read = readCertificate,
  }: X509SvidOptions,
): Result<X509Svid, X509SvidCode> {
  const anchors = bundles.find(spiffeId.trustDomain)?.bundle.x509Authorities ?? [];
  if (anchors.length === 0) return fail("no_bundle", `no X.509 authorities for ${spiffeId.trustDomain}`);
  let candidates: readonly Certificate[] | undefined;
  const readCandidates = (): readonly Certificate[] =>
    intermediates.slice(0, MAX_INTERMEDIATES).flatMap((der) => {
      const parsed = read(der);
      return parsed.ok ? [parsed.value] : [];
    });
  const path = findCertificatePath(leaf, {
    anchors,
    intermediates: () => {
      candidates ??= readCandidates();
      return candidates;
    },
    nowUnixMs,
    clockSkewMs,
  });
  if (!path.ok) return path;
  // Only now, when everything else says yes: a stranger's certificates are not worth a third reader.
  for (const certificate of path.value) {
    const agreed = confirmCertificate(certificate);
    if (!agreed.ok) return agreed;
  }
  return ok({ spiffeId, leaf, chain: path.value });
}
