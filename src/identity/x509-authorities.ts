// Which certificates of a trust bundle may sign for its trust domain.
// SPEC: X509-SVID §4.1 and §4.3: a signing certificate has the authority flag and the key usage keyCertSign.
// SECURITY: a leaf in a bundle would otherwise vouch for itself. Dates and signatures are looked at when a path is built.

import { type Certificate, parseCertificate } from "./certificate.ts";

/** Certificates that count, each once, and a sentence for each that does not. */
export interface X509Authorities {
  readonly authorities: readonly Certificate[];
  readonly ignored: readonly string[];
}

/** Why a certificate is no authority; undefined when it is one. */
export function findAuthorityFault({ fields }: Certificate): string | undefined {
  if (!fields.isAuthority) return "the certificate is no authority (cA is not set)";
  if (fields.keyUsage?.keyCertSign !== true) return "the certificate may not sign others (no keyCertSign)";
  return undefined;
}

/** Reads the certificates of a source that gives DER; each must be exactly one certificate. */
export function toX509Authorities(ders: readonly Uint8Array[]): X509Authorities {
  const ignored: string[] = [];
  const certificates: Certificate[] = [];
  for (const [index, der] of ders.entries()) {
    const parsed = parseCertificate(der);
    if (parsed.ok) certificates.push(parsed.value);
    else ignored.push(`certificate ${index + 1}: unreadable (${parsed.code})`);
  }
  const selected = selectX509Authorities(certificates);
  return { authorities: selected.authorities, ignored: [...ignored, ...selected.ignored] };
}

/** Leaves out what may not sign, and what stands twice. */
export function selectX509Authorities(certificates: readonly Certificate[]): X509Authorities {
  const authorities = new Map<string, Certificate>();
  const ignored: string[] = [];
  for (const [index, certificate] of certificates.entries()) {
    const fault = findAuthorityFault(certificate);
    if (fault === undefined) authorities.set(certificate.fingerprintSha256, certificate);
    else ignored.push(`certificate ${index + 1}: ${fault}`);
  }
  return { authorities: [...authorities.values()], ignored };
}
