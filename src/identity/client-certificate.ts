// A TLS client certificate → the SPIFFE ID of the workload that holds it. The chain is verified elsewhere, before this is asked.
// SPEC: X509-SVID §2–§4, by the rules of svid-leaf.ts.

import { fail, ok, type Result } from "../base/result.ts";
import { parseCertificateFields } from "./certificate-fields.ts";
import type { CertificateCode } from "./codes.ts";
import { type SvidLeafCode, type ValidityCode, validityCode, verifySvidLeaf } from "./svid-leaf.ts";

/** Why a certificate proves no workload. */
export type ClientCertificateCode = CertificateCode | SvidLeafCode | ValidityCode;

/** What a client certificate says. Its dates count at each use, not only here. */
export interface ClientCertificate {
  readonly spiffeId: string;
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
}

/**
 * Reads the ID out of a leaf certificate's DER, by the rules of an X509-SVID's leaf that OpenSSL does not know; it has judged
 * the path, weak keys and signatures, and critical extensions that nobody understands. The clock may differ by 30 s.
 */
export function verifyClientCertificate(
  der: Uint8Array,
  nowUnixMs: number,
): Result<ClientCertificate, ClientCertificateCode> {
  const fields = parseCertificateFields(der);
  if (!fields.ok) return fields;
  const id = verifySvidLeaf(fields.value);
  if (!id.ok) return id;
  const { notBeforeUnixMs, notAfterUnixMs } = fields.value;
  const late = validityCode(fields.value, nowUnixMs);
  return late === undefined ? ok({ spiffeId: id.value.id, notBeforeUnixMs, notAfterUnixMs }) : fail(late);
}
