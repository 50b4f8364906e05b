// Which certificates of a trust bundle may sign for its trust domain.
// SPEC: X509-SVID §4.1 and §4.3: a signing certificate has the authority flag and the key usage keyCertSign.
// SECURITY: a leaf in a bundle would otherwise vouch for itself. Dates and signatures are looked at when a path is built.

import { hash } from "node:crypto";
import { fail, ok, type Result } from "../base/result.ts";
import { inOneGo, type Steps } from "../base/steps.ts";
import { type Certificate, parseCertificate } from "./certificate.ts";
import type { CertificateCode } from "./codes.ts";

/** Certificates that count, each once, and a sentence for each that does not. */
export interface X509Authorities {
  readonly authorities: readonly Certificate[];
  readonly ignored: readonly string[];
}

/** Why a certificate is no authority; undefined when it is one, and then its public key can be read. */
function findAuthorityFault({ fields, x509 }: Certificate): string | undefined {
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

/** Authorities that were found good before, by SHA-256 of their DER, lower-case hex. */
export type KnownAuthorities = ReadonlyMap<string, Certificate>;

/** For reading the next bundle of a trust domain with what the last one held. */
export const toKnownAuthorities = (authorities: readonly Certificate[]): KnownAuthorities =>
  new Map(authorities.map((certificate) => [certificate.fingerprintSha256, certificate]));

/**
 * One authority, or why it is none.
 * PERF: reading one costs up to 3 ms, nearly all of it in @peculiar/x509. What bytes say does not change: bytes that are known are
 * not read again, so a rotation costs what is new in it.
 */
export function readAuthority(
  der: Uint8Array,
  known: KnownAuthorities,
): Result<Certificate, CertificateCode | "unfit"> {
  const found = known.get(hash("sha256", der));
  if (found !== undefined) return ok(found);
  const parsed = parseCertificate(der);
  if (!parsed.ok) return parsed;
  const fault = findAuthorityFault(parsed.value);
  return fault === undefined ? parsed : fail("unfit", fault);
}

const NONE_KNOWN: KnownAuthorities = new Map();

/** Reads certificates one by one; what is unreadable or may not sign is left out, and what stands twice counts once. */
export function toX509Authorities(ders: readonly Uint8Array[], known: KnownAuthorities = NONE_KNOWN): X509Authorities {
  return inOneGo(toX509AuthoritiesSteps(ders, known));
}

/** The same with a pause after each certificate, so that many do not keep requests waiting. */
export function* toX509AuthoritiesSteps(ders: readonly Uint8Array[], known: KnownAuthorities): Steps<X509Authorities> {
  const authorities = new Map<string, Certificate>();
  const ignored: string[] = [];
  for (const [index, der] of ders.entries()) {
    const read = readAuthority(der, known);
    if (read.ok) authorities.set(read.value.fingerprintSha256, read.value);
    else {
      const why = read.detail ?? read.code;
      ignored.push(`certificate ${index + 1}: ${read.code === "unfit" ? why : `unreadable (${why})`}`);
    }
    yield;
  }
  return { authorities: [...authorities.values()], ignored };
}
