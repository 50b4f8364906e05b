// Which certificates of a trust bundle may sign for its trust domain.
// SPEC: X509-SVID §4.1 and §4.3: a signing certificate has the authority flag and the key usage keyCertSign.
// SECURITY: a leaf in a bundle would otherwise vouch for itself. Dates and signatures are looked at when a path is built.

import { type Certificate, parseCertificate } from "./certificate.ts";

/** Certificates that count, each once, and a sentence for each that does not. */
export interface X509Authorities {
  readonly authorities: readonly Certificate[];
  readonly ignored: readonly string[];
}

/** Why a certificate is no authority; undefined when it is one, and then its public key can be read. */
export function findAuthorityFault({ fields, x509 }: Certificate): string | undefined {
  if (!fields.isAuthority) return "the certificate is no authority (cA is not set)";
  if (fields.keyUsage?.keyCertSign !== true) return "the certificate may not sign others (no keyCertSign)";
  return hasReadableKey(x509) ? undefined : "the certificate's public key is unreadable";
}

/** OpenSSL decodes the key only when it is asked for, long after it has taken the certificate. */
function hasReadableKey(x509: Certificate["x509"]): boolean {
  try {
    return x509.publicKey.type === "public";
  } catch {
    return false;
  }
}

/** Reads certificates one by one; what is unreadable or may not sign is left out, and what stands twice counts once. */
export function toX509Authorities(ders: readonly Uint8Array[]): X509Authorities {
  const authorities = new Map<string, Certificate>();
  const ignored: string[] = [];
  for (const [index, der] of ders.entries()) {
    const parsed = parseCertificate(der);
    const fault = parsed.ok ? findAuthorityFault(parsed.value) : `unreadable (${parsed.detail ?? parsed.code})`;
    if (fault !== undefined) ignored.push(`certificate ${index + 1}: ${fault}`);
    else if (parsed.ok) authorities.set(parsed.value.fingerprintSha256, parsed.value);
  }
  return { authorities: [...authorities.values()], ignored };
}
