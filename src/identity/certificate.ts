// A certificate that can be looked at: DER read by readers that must agree. Ours (certificate-fields.ts) is strict about structure,
// node:crypto, which will check the signatures, reads the URI names; @peculiar/x509 reads the extensions before one is believed.
// SECURITY: two readers that understand one certificate differently are how a name is smuggled past the one that decides; what
// they do not agree on is `cert_parse`. Nothing here says that a certificate is to be believed: that is x509-svid.ts.

import { hash, X509Certificate } from "node:crypto";
import { decodeCanonical, percentDecode } from "../base/canonical.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { type ExtensionValues, readExtensionValues } from "../base/x509.ts";
import { type CertificateFields, MAX_CERTIFICATE_BYTES, parseCertificateFields } from "./certificate-fields.ts";
import type { CertificateCode } from "./codes.ts";
import { oidText } from "./der-reader.ts";
import { subjectUris } from "./subject-alt-name.ts";

/** One parsed certificate. */
export interface Certificate {
  readonly der: Uint8Array;
  readonly x509: X509Certificate;
  /** SHA-256 of the DER, lower-case hex. */
  readonly fingerprintSha256: string;
  readonly fields: CertificateFields;
}

/** How a PEM block of one certificate looks. */
const PEM_BLOCK = /-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]*?)\r?\n-----END CERTIFICATE-----(?:\r?\n|$)/;
const ONE_PEM_BLOCK = new RegExp(`^${PEM_BLOCK.source}$`);
/** Base64 takes a third more, percent encoding of `+`, `/` and line ends at most three times that. */
const MAX_ENVOY_CHARS = 4 * MAX_CERTIFICATE_BYTES;
const MAX_PEM_CHARS = 4 * 1024 * 1024;
const MAX_PEM_BLOCKS = 1000;

/** Reads exactly one certificate: DER of version 3 without anything behind it, at most 16 KiB. */
export function parseCertificate(der: Uint8Array): Result<Certificate, CertificateCode> {
  const certificate = readCertificate(der);
  return certificate.ok ? confirmCertificate(certificate.value) : certificate;
}

/**
 * Reads a certificate with our reader and node:crypto. PERF: @peculiar/x509 takes ten times as long; a stranger's certificate is
 * judged without it, and one that would be believed is confirmed first.
 */
export function readCertificate(der: Uint8Array): Result<Certificate, CertificateCode> {
  const fields = parseCertificateFields(der);
  if (!fields.ok) return fields;
  const x509 = toX509(der);
  if (x509 === undefined) return fail("cert_parse", "node:crypto cannot read it");
  const agreed = areSame(fields.value.uris, subjectUris(x509.subjectAltName ?? ""));
  return agreed
    ? ok(toCertificate(der, x509, fields.value))
    : fail("cert_parse", "its readers do not agree on the URI names");
}

const confirmed = new WeakSet<Certificate>();

/** Has @peculiar/x509 read it too, once; what it understands differently is `cert_parse`. */
export function confirmCertificate(certificate: Certificate): Result<Certificate, "cert_parse"> {
  if (confirmed.has(certificate)) return ok(certificate);
  const values = readExtensionValues(certificate.der);
  if (values === undefined) return fail("cert_parse", "@peculiar/x509 cannot read it");
  const difference = findDifference(certificate.fields, values);
  if (difference !== undefined) return fail("cert_parse", `its readers do not agree on ${difference}`);
  confirmed.add(certificate);
  return ok(certificate);
}

/** Reads once more what was confirmed before, for who kept the bytes alone; it counts as confirmed. */
export function rereadCertificate(der: Uint8Array): Result<Certificate, CertificateCode> {
  const certificate = readCertificate(der);
  if (certificate.ok) confirmed.add(certificate.value);
  return certificate;
}

const toCertificate = (der: Uint8Array, x509: X509Certificate, fields: CertificateFields): Certificate => ({
  der,
  x509,
  fingerprintSha256: hash("sha256", der),
  fields,
});

function toX509(der: Uint8Array): X509Certificate | undefined {
  try {
    return new X509Certificate(der);
  } catch {
    return undefined;
  }
}

/** What the readers understand differently. */
function findDifference(fields: CertificateFields, values: ExtensionValues): string | undefined {
  const usages = fields.extendedKeyUsage?.map(oidText);
  if (!areSame(fields.uris, values.uris)) return "the URI names";
  if (!areSame(fields.dnsNames, values.dnsNames)) return "the DNS names";
  if (fields.isAuthority !== values.isAuthority) return "the authority's flag";
  if (fields.pathLength !== values.pathLength) return "the path length";
  if (fields.keyUsage?.bits !== values.keyUsageBits) return "the key usage";
  if (!areSame(usages, values.extendedKeyUsage)) return "the extended key usage";
  if (fields.subjectKeyId !== values.subjectKeyId) return "the subject's key identifier";
  return fields.authorityKeyId === values.authorityKeyId ? undefined : "the issuer's key identifier";
}

/** One by one: a text may hold whatever would join them. */
const areSame = (some: readonly string[] | undefined, others: readonly string[] | undefined): boolean =>
  some === undefined || others === undefined
    ? some === others
    : some.length === others.length && some.every((text, at) => text === others[at]);

/**
 * The DER of each block of a PEM text with at least one and at most 1000 of them, in order; text between blocks is passed over,
 * blocks of other kinds are refused. Nobody has looked at the DER.
 */
export function decodePem(pem: string): Result<readonly Uint8Array[], "cert_parse"> {
  if (pem.length > MAX_PEM_CHARS) return fail("cert_parse", `more than ${MAX_PEM_CHARS} characters`);
  const ders: Uint8Array[] = [];
  const between = pem.replaceAll(new RegExp(PEM_BLOCK, "g"), (_block, body: string) => {
    const der = ders.length < MAX_PEM_BLOCKS ? decodeCanonical(body.replaceAll(/[\r\n]/g, ""), "base64") : undefined;
    if (der !== undefined) ders.push(der);
    return der === undefined ? "-----" : "";
  });
  if (between.includes("-----")) return fail("cert_parse", "PEM with something that is no certificate");
  return ders.length === 0 ? fail("cert_parse", "no certificate in the PEM") : ok(ders);
}

/** Reads `source.certificate` of an Envoy: one PEM block, percent-encoded; a `+` is a plus. Gives DER that nobody has looked at. */
export function decodeEnvoyCertificate(urlEncodedPem: string): Result<Uint8Array, "cert_parse"> {
  if (urlEncodedPem.length > MAX_ENVOY_CHARS) return fail("cert_parse", `more than ${MAX_ENVOY_CHARS} characters`);
  const body = ONE_PEM_BLOCK.exec(percentDecode(urlEncodedPem) ?? "")?.[1];
  const der = body === undefined ? undefined : decodeCanonical(body.replaceAll(/[\r\n]/g, ""), "base64");
  return der === undefined ? fail("cert_parse", "not one PEM block, percent-encoded") : ok(der);
}
