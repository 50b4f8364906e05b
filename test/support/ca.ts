// A certificate authority for tests, with dates around now, and SVIDs from it.

import {
  type CertificateAuthority,
  createAuthority,
  type IssuedCertificate,
  type LeafProfile,
} from "../../src/base/x509.ts";

const HOUR_MS = 3_600_000;

export interface TestAuthority extends CertificateAuthority {
  /** An X.509-SVID for `spiffe://<trust domain><path>`; `changes` make it a worse one. */
  svid(path: string, changes?: Partial<LeafProfile>): Promise<IssuedCertificate>;
}

/** A fresh authority; its certificates are valid from an hour ago to an hour from now. */
export async function createTestAuthority(trustDomain = "example.org"): Promise<TestAuthority> {
  const now = Date.now();
  const dates = { notBeforeUnixMs: now - HOUR_MS, notAfterUnixMs: now + HOUR_MS };
  const authority = await createAuthority({ uri: `spiffe://${trustDomain}`, ...dates });
  return {
    ...authority,
    svid: (path, changes) => authority.issue({ uris: [`spiffe://${trustDomain}${path}`], ...dates, ...changes }),
  };
}
