// What there is to tell of a certificate that was verified: plain facts, without the certificate.

import { kept } from "../base/kept.ts";
import type { Certificate } from "./certificate.ts";
import type { CertificateKey } from "./certificate-key.ts";
import type { SpiffeId } from "./spiffe-id.ts";
import type { X509Svid } from "./x509-svid.ts";

/** The facts of a verified X.509-SVID. Frozen; one object as long as the certificate is remembered. */
export interface VerifiedCertificate {
  readonly spiffeId: SpiffeId;
  /** Of the leaf's DER, lower-case hex. */
  readonly fingerprintSha256: string;
  /** Lower-case hex. */
  readonly serial: string;
  /** To show: RFC 4514 text, the most specific part first, at most 512 code points; `issuersAndSerials` has the whole name. */
  readonly issuer: string;
  readonly subject: string;
  readonly keyType: CertificateKey["type"];
  /** In bits. */
  readonly keySize: number;
  /** Of the issuer's signature, e.g. `ecdsa-with-SHA256`. */
  readonly signatureAlgorithm: string;
  readonly dnsNames: readonly string[];
  /** Of the leaf. */
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
  /** The earliest end in the path, which the answer must not outlive. */
  readonly chainNotAfterUnixMs: number;
  /** Certificates in the path, leaf and anchor included. */
  readonly chainLength: number;
  /** SHA-256 of every certificate of the path, the leaf's first. */
  readonly chainFingerprintsSha256: readonly string[];
  /** Issuer and serial number of every certificate of the path, the leaf's first. */
  readonly issuersAndSerials: readonly IssuerAndSerial[];
  readonly bundleGeneration: number;
}

export interface IssuerAndSerial {
  /** RFC 4514 text, uncut: it is compared. */
  readonly issuer: string;
  readonly serial: string;
}

const MAX_SHOWN_CODE_POINTS = 512;

/** Authorities are in many paths, and share one object. */
const naming = kept(
  ({ x509, fields }: Certificate): IssuerAndSerial =>
    Object.freeze({ issuer: toNameText(x509.issuer), serial: fields.serial }),
);

/** The facts of an SVID whose path was found in the bundle of this generation. */
export function toVerifiedCertificate(
  { spiffeId, leaf, chain }: X509Svid,
  bundleGeneration: number,
): VerifiedCertificate {
  const { fields, fingerprintSha256, x509 } = leaf;
  return Object.freeze({
    spiffeId: Object.freeze(spiffeId),
    fingerprintSha256,
    serial: fields.serial,
    issuer: toShownText(naming(leaf).issuer),
    subject: toShownText(toNameText(x509.subject)),
    keyType: fields.key.type,
    keySize: fields.key.size,
    signatureAlgorithm: fields.signatureAlgorithm.name,
    dnsNames: Object.freeze(fields.dnsNames),
    notBeforeUnixMs: fields.notBeforeUnixMs,
    notAfterUnixMs: fields.notAfterUnixMs,
    chainNotAfterUnixMs: Math.min(...chain.map((certificate) => certificate.fields.notAfterUnixMs)),
    chainLength: chain.length,
    chainFingerprintsSha256: Object.freeze(chain.map((certificate) => certificate.fingerprintSha256)),
    issuersAndSerials: Object.freeze(chain.map(naming)),
    bundleGeneration,
  });
}

/** OpenSSL's lines, `C=US` before `O=SPIRE`, turned round; each is escaped as RFC 4514 wants it. */
function toNameText(lines: string | undefined): string {
  return (lines ?? "").split("\n").reverse().join(",");
}

/** Well-formed, whatever OpenSSL printed: half a pair becomes an escape in JSON that not every policy runtime takes. */
function toShownText(name: string): string {
  const shown = name.length <= MAX_SHOWN_CODE_POINTS ? name : [...name].slice(0, MAX_SHOWN_CODE_POINTS).join("");
  return Buffer.from(shown, "utf8").toString("utf8");
}
