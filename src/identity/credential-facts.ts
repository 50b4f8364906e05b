// A verified credential as the deny list and the audit event know it.

import { kept } from "../base/kept.ts";
import type { DenySubject } from "./deny-list.ts";
import type { CredentialFacts } from "./identity.ts";
import type { JwtSvid } from "./jwt-svid.ts";
import type { VerifiedCertificate } from "./known-certificates.ts";

/** How the deny list knows a certificate and its path; one object per certificate. */
export const certificateSubject = kept(
  (certificate: VerifiedCertificate): DenySubject => ({
    spiffeId: certificate.spiffeId,
    fingerprintsSha256: certificate.chainFingerprintsSha256,
    issuersAndSerials: certificate.issuersAndSerials,
    issuedUnixMs: certificate.notBeforeUnixMs,
  }),
);

/** How the deny list knows a token; one object per token. */
export const tokenSubject = kept(
  (token: JwtSvid): DenySubject => ({
    spiffeId: token.spiffeId,
    ...(token.tokenId !== undefined && { tokenId: token.tokenId }),
    // SECURITY: a token that does not say when it was issued counts as issued before anything; `nbf` may be post-dated.
    issuedUnixMs: token.issuedUnixMs ?? Number.NEGATIVE_INFINITY,
  }),
);

/** What the audit event keeps of a certificate; one object per certificate. */
export const certificateFacts = kept(
  (certificate: VerifiedCertificate): CredentialFacts => ({
    type: "x509-svid",
    notAfterUnixMs: certificate.notAfterUnixMs,
    lifetimeSeconds: Math.floor((certificate.notAfterUnixMs - certificate.notBeforeUnixMs) / 1000),
    fingerprintSha256: certificate.fingerprintSha256,
    serial: certificate.serial,
    issuer: certificate.issuer,
    bundleGeneration: certificate.bundleGeneration,
  }),
);

/** What the audit event keeps of a token; one object per token. */
export const tokenFacts = kept(
  (token: JwtSvid): CredentialFacts => ({
    type: "jwt-svid",
    notAfterUnixMs: token.expiresUnixMs,
    tokenId: token.tokenId,
    keyId: token.keyId,
    issuer: token.issuer,
    bundleGeneration: token.bundleGeneration,
  }),
);
