// A TLS client certificate → the SPIFFE ID of the workload that holds it. The chain is verified elsewhere, before this is asked.
// SPEC: X509-SVID §2–§4: one URI name and it is the ID of a workload; the leaf signs data, not certificates.

import { fail, ok, type Result } from "../base/result.ts";
import { parseCertificateFields } from "./certificate-fields.ts";
import type { CertificateCode } from "./codes.ts";
import { isWorkloadId, parseSpiffeId } from "./spiffe-id.ts";

/** Why a certificate proves no workload. */
export type ClientCertificateCode =
  | CertificateCode
  | "uri_san_count"
  | "spiffe_id"
  | "leaf_is_ca"
  | "leaf_key_usage"
  | "eku"
  | "not_yet_valid"
  | "expired";

/** What a client certificate says. Its dates count at each use, not only here. */
export interface ClientCertificate {
  readonly spiffeId: string;
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
}

/** How far a peer's clock may be ahead of ours; the end of a certificate has no such grace. */
const CLOCK_SKEW_MS = 30_000;
// id-kp-clientAuth 1.3.6.1.5.5.7.3.2 and anyExtendedKeyUsage 2.5.29.37.0.
const CLIENT_AUTH: ReadonlySet<string> = new Set(["2b06010505070302", "551d2500"]);

/** Whether the certificate's time includes `nowUnixMs`; the code says on which side it does not. */
export function certificateTimeCode(
  { notBeforeUnixMs, notAfterUnixMs }: Pick<ClientCertificate, "notBeforeUnixMs" | "notAfterUnixMs">,
  nowUnixMs: number,
): "not_yet_valid" | "expired" | undefined {
  if (nowUnixMs + CLOCK_SKEW_MS < notBeforeUnixMs) return "not_yet_valid";
  return nowUnixMs > notAfterUnixMs ? "expired" : undefined;
}

/** Reads the ID out of a leaf certificate's DER, with every rule of an X509-SVID's leaf but its signature. */
export function verifyClientCertificate(
  der: Uint8Array,
  nowUnixMs: number,
): Result<ClientCertificate, ClientCertificateCode> {
  const fields = parseCertificateFields(der);
  if (!fields.ok) return fields;
  const { uris, isAuthority, keyUsage, extendedKeyUsage, notBeforeUnixMs, notAfterUnixMs } = fields.value;
  const [uri] = uris;
  if (uri === undefined || uris.length !== 1) return fail("uri_san_count", `${uris.length} URI names, expected one`);
  const id = parseSpiffeId(uri);
  if (!id.ok) return fail("spiffe_id", id.code);
  if (!isWorkloadId(id.value)) return fail("spiffe_id", "the ID of a trust domain, not of a workload");
  if (isAuthority) return fail("leaf_is_ca");
  if (keyUsage === undefined || !keyUsage.critical || !keyUsage.digitalSignature) return fail("leaf_key_usage");
  if (keyUsage.keyCertSign || keyUsage.crlSign) return fail("leaf_key_usage");
  if (extendedKeyUsage !== undefined && !extendedKeyUsage.some((usage) => CLIENT_AUTH.has(usage))) return fail("eku");
  const late = certificateTimeCode({ notBeforeUnixMs, notAfterUnixMs }, nowUnixMs);
  return late === undefined ? ok({ spiffeId: uri, notBeforeUnixMs, notAfterUnixMs }) : fail(late);
}
