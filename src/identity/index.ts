// The package export `svidgate/identity`: SPIFFE IDs, X.509-SVIDs, JWT-SVIDs, trust bundles and x-forwarded-client-cert, read and
// verified by the rules that the server has. docs/package.md documents it, examples/identity.mjs uses it.
// PERF: importing it loads node:crypto alone; the readers of certificates and signatures are loaded at first use.

import type { Result } from "../base/result.ts";
import type { Certificate } from "./certificate.ts";
import type { JwtSvidCode, X509SvidCode } from "./codes.ts";
import type { JwtSvid, JwtSvidOptions } from "./jwt-svid.ts";
import { verifyJwtSvid as verifyToken } from "./jwt-svid.ts";
import type { X509SvidOptions as AllX509SvidOptions, X509Svid } from "./x509-svid.ts";
import { verifyX509Svid as verifyCertificate } from "./x509-svid.ts";

/** What to verify a certificate against. */
export type X509SvidOptions = Omit<AllX509SvidOptions, "read">;

/**
 * Verifies a leaf, as DER or parsed: its profile, its dates, then a path to the bundle of its own trust domain; the first rule that
 * it breaks is the code. The first call takes 150 ms longer. That the peer holds the key is not proven here: TLS does that.
 */
export const verifyX509Svid: (
  leaf: Uint8Array | Certificate,
  options: X509SvidOptions,
) => Result<X509Svid, X509SvidCode> = verifyCertificate;

/** Verifies a token wholly: form, claims, audience, dates, signature. Rejects only where `jose` cannot be loaded. */
export const verifyJwtSvid: (token: string, options: JwtSvidOptions) => Promise<Result<JwtSvid, JwtSvidCode>> =
  verifyToken;

export { decodeEnvoyCertificate, decodePem, parseCertificate } from "./certificate.ts";
export type { CertificateCode, JwtSvidCode, TrustBundleCode, X509SvidCode, XfccCode } from "./codes.ts";
export { isWorkloadId, parseSpiffeId, type SpiffeId, type SpiffeIdCode } from "./spiffe-id.ts";
export { type JwtAuthority, parseTrustBundle, type TrustBundle, type TrustBundleOptions } from "./trust-bundle.ts";
export { createTrustBundleSource } from "./trust-bundle-source.ts";
export type { BundleOrigin, HeldBundle, TrustBundleSource } from "./trust-bundles.ts";
export { parseXfcc, selectXfcc, type XfccElement, type XfccPeer, xfccUri } from "./xfcc.ts";
export { xfccChainDers } from "./xfcc-chain.ts";
export type { Certificate, JwtSvid, JwtSvidOptions, Result, X509Svid };
