// What the leaf certificate of an X509-SVID has to say of itself: whose it is, and that it signs data, not certificates.
// SPEC: X509-SVID §2 to §4 (one URI name, the ID of a workload; no authority; key usages), RFC 5280 §4.2.1.6 (names of an empty
// subject are critical), §4.1.2.5 (validity). Who signed it is not asked here.

import { fail, ok, type Result } from "../base/result.ts";
import type { CertificateFields } from "./certificate-fields.ts";
import { isWorkloadId, parseSpiffeId, type SpiffeId } from "./spiffe-id.ts";

/** Why a leaf is none of a workload. */
export type SvidLeafCode = "uri_san_count" | "spiffe_id" | "leaf_is_ca" | "leaf_key_usage" | "eku" | "san_critical";

/** Its time has not come, or is over. */
export type ValidityCode = "not_yet_valid" | "expired";

/** How far a peer's clock may be ahead of ours, unless configured; the end of a certificate has no such grace. */
export const DEFAULT_CLOCK_SKEW_MS = 30_000;
/** More is never granted, whatever a caller asks for; tokens have the same bound. */
export const MAX_CLOCK_SKEW_MS = 120_000;
// id-kp-clientAuth 1.3.6.1.5.5.7.3.2 and anyExtendedKeyUsage 2.5.29.37.0.
const CLIENT_AUTH: ReadonlySet<string> = new Set(["2b06010505070302", "551d2500"]);
const EMPTY_NAME_BYTES = 2;

/** Reads the ID out of a leaf, or says which rule it breaks first. */
export function verifySvidLeaf(fields: CertificateFields): Result<SpiffeId, SvidLeafCode> {
  const { uris, keyUsage } = fields;
  const [uri] = uris;
  if (uri === undefined || uris.length !== 1) return fail("uri_san_count", `${uris.length} URI names, expected one`);
  const id = parseSpiffeId(uri);
  if (!id.ok) return fail("spiffe_id", id.code);
  if (!isWorkloadId(id.value)) return fail("spiffe_id", "the ID of a trust domain, not of a workload");
  if (fields.isAuthority) return fail("leaf_is_ca");
  if (keyUsage === undefined) return fail("leaf_key_usage", "no key usage");
  if (!keyUsage.critical) return fail("leaf_key_usage", "the key usage is not critical");
  if (!keyUsage.digitalSignature) return fail("leaf_key_usage", "no digital signature");
  if (keyUsage.keyCertSign || keyUsage.crlSign)
    return fail("leaf_key_usage", "it may sign certificates or revocation lists");
  if (!allowsClientAuth(fields)) return fail("eku", "an extended key usage without client authentication");
  const isNameless = fields.subjectDer.length === EMPTY_NAME_BYTES;
  if (isNameless && !fields.namesAreCritical) return fail("san_critical", "no subject, and its names are not critical");
  return ok(id.value);
}

/** Whether the extended key usage, if any, lets the certificate be a client's. */
export const allowsClientAuth = ({ extendedKeyUsage }: Pick<CertificateFields, "extendedKeyUsage">): boolean =>
  extendedKeyUsage === undefined || extendedKeyUsage.some((usage) => CLIENT_AUTH.has(usage));

/** Whether the time of a certificate includes `nowUnixMs`; the code says on which side it does not. */
export function validityCode(
  { notBeforeUnixMs, notAfterUnixMs }: { readonly notBeforeUnixMs: number; readonly notAfterUnixMs: number },
  nowUnixMs: number,
  clockSkewMs = DEFAULT_CLOCK_SKEW_MS,
): ValidityCode | undefined {
  // Both written so that what is no number is never valid.
  if (!(notBeforeUnixMs <= nowUnixMs + Math.min(clockSkewMs, MAX_CLOCK_SKEW_MS))) return "not_yet_valid";
  return nowUnixMs <= notAfterUnixMs ? undefined : "expired";
}
