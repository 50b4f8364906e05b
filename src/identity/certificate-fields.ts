// The fields of an X.509 certificate that identity rests on, read strictly from its DER: exactly one certificate, version 3,
// each extension once. SPEC: RFC 5280 §4.1. Signatures are not looked at: whoever calls this has the chain verified.
// SECURITY: node:crypto shows names as text that has to be split, key usages not at all, and of a doubled extension the first;
// it and @peculiar/x509 both take bytes behind the certificate.

import { readDer } from "../base/der.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { type CertificateExtensions, readExtensions } from "./certificate-extensions.ts";
import { type CertificateKey, readKey, readSignatureAlgorithm, type SignatureAlgorithm } from "./certificate-key.ts";
import type { CertificateCode } from "./codes.ts";
import {
  bitStringOctets,
  children,
  hex,
  malformed,
  naturalNumber,
  need,
  needModest,
  readOr,
  sequence,
  smallNumber,
  TAG,
  time,
} from "./der-reader.ts";

/** What is read of a certificate; byte arrays are views into its DER. */
export interface CertificateFields extends CertificateExtensions {
  /** Lower-case hex, two digits a byte, without a sign byte. */
  readonly serial: string;
  /** DER of the whole Names. */
  readonly issuerDer: Uint8Array;
  readonly subjectDer: Uint8Array;
  /** DER of the whole SubjectPublicKeyInfo. */
  readonly publicKeyDer: Uint8Array;
  readonly key: CertificateKey;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
}

/** The largest certificate that is looked at. */
export const MAX_CERTIFICATE_BYTES = 16 * 1024;
/** SPEC: RFC 5280 §4.1.2.2: 20 octets; one more for those who count without the sign. */
const MAX_SERIAL_BYTES = 21;
/** SECURITY: other readers take up to 20 µs an element. Public authorities' certificates have up to 120, one of 100 names 300. */
const MAX_ELEMENTS = 512;
const MAX_DEPTH = 20;
const EXPLICIT_0 = 0xa0;
const EXPLICIT_3 = 0xa3;
const VERSION_3 = 2;

/** Reads a whole certificate. Bytes behind it, and two extensions of one kind, are refused. */
export function parseCertificateFields(der: Uint8Array): Result<CertificateFields, CertificateCode> {
  if (der.length > MAX_CERTIFICATE_BYTES) return fail("cert_parse", `more than ${MAX_CERTIFICATE_BYTES} bytes`);
  return readOr(() => readCertificate(der)) ?? fail("cert_parse");
}

function readCertificate(der: Uint8Array): Result<CertificateFields, CertificateCode> {
  const certificate = need(readDer(der, 0, der.length));
  if (certificate.end !== der.length) malformed();
  needModest(der, certificate, MAX_ELEMENTS, MAX_DEPTH);
  const [tbs, outerAlgorithm, signature, ...behind] = sequence(der, certificate);
  bitStringOctets(der, signature);
  const [version, serial, algorithm, issuer, validity, subject, publicKey, ...rest] = sequence(der, tbs);
  if (smallNumber(der, children(der, need(version, EXPLICIT_0))[0]) !== VERSION_3 || behind.length > 0) malformed();
  const number = naturalNumber(der, serial);
  if (number.length > MAX_SERIAL_BYTES) malformed();
  const [notBefore, notAfter, ...more] = sequence(der, validity);
  // Behind the key: unique identifiers (1, 2), which nobody writes any more, then the extensions (3), each at most once.
  const order = rest.map(({ tag }) => [0x81, 0x82, EXPLICIT_3].indexOf(tag));
  if (more.length > 0 || order.some((place, at) => place <= (at === 0 ? -1 : (order[at - 1] ?? 0)))) malformed();
  const holder = rest.find(({ tag }) => tag === EXPLICIT_3);
  const [list, ...others] = holder === undefined ? [] : children(der, holder);
  if (others.length > 0 || (holder !== undefined && list === undefined)) malformed();
  const extensions = readExtensions(der, list);
  if (extensions === undefined) return fail("dup_extension");
  // A whole element begins where the one before it ends.
  const whole = (from: { readonly end: number } | undefined, element: { readonly end: number } | undefined) =>
    der.subarray(from?.end, element?.end);
  return ok({
    ...extensions,
    serial: hex(der, need(serial, TAG.integer)).replace(/^00(?=.)/, ""),
    issuerDer: whole(algorithm, need(issuer, TAG.sequence)),
    subjectDer: whole(validity, need(subject, TAG.sequence)),
    publicKeyDer: whole(subject, publicKey),
    key: readKey(der, publicKey),
    signatureAlgorithm: readSignatureAlgorithm(der, algorithm, outerAlgorithm),
    notBeforeUnixMs: time(der, notBefore),
    notAfterUnixMs: time(der, notAfter),
  });
}
