// The codes that say why a credential, a header or a trust bundle is refused, and the reason codes that are made of them,
// `<family>_<code>`. The codes of single steps (a SPIFFE ID, a leaf, a deny list) stand with the step. SPEC: the codes are ours; the rules behind them stand beside each verifier.

import type { SpiffeIdCode } from "./spiffe-id.ts";

/** Why bytes are no certificate that can be looked at. */
export type CertificateCode = "cert_parse" | "dup_extension";

/** Why a certificate is no valid X509-SVID. */
export type X509SvidCode =
  | CertificateCode
  | "uri_san_count"
  | "spiffe_id"
  | "leaf_is_ca"
  | "leaf_key_usage"
  | "eku"
  | "san_critical"
  | "not_yet_valid"
  | "expired"
  | "no_bundle"
  | "untrusted"
  | "ca_flags"
  | "path_len"
  | "name_constraints"
  | "critical_ext"
  | "weak_crypto"
  | "signing_cert_id";

/** Why a token is no valid JWT-SVID. */
export type JwtSvidCode =
  | "malformed"
  | "alg"
  | "typ"
  | "header"
  | "kid"
  | "sub"
  | "no_bundle"
  | "signature"
  | "aud"
  | "exp"
  | "expired"
  | "nbf"
  | "iat"
  | "long_lived"
  | "dup_claims";

/** Why a text is no x-forwarded-client-cert header. */
export type XfccCode =
  | "too_long"
  | "too_many"
  | "bad_char"
  | "pair"
  | "stray_quote"
  | "unterminated_quote"
  | "after_quote"
  | "duplicate_hash"
  | "duplicate_key"
  | "json"
  | "json_shape";

/** Why a document is no trust bundle. */
export type TrustBundleCode = "too_large" | "not_utf8" | "json" | "duplicate_key" | "no_keys" | "pem" | "key";

/** The reason code of a credential that proves nothing; `overloaded` is ours, not the credential's. */
export type IdentityCode =
  | `x509_${X509SvidCode | "principal_mismatch"}`
  | `jwt_${JwtSvidCode | "unbound" | "several"}`
  | `xfcc_${XfccCode | "mismatch"}`
  | "spiffe_id_reserved"
  | "identity_conflict"
  | "bundle_stale"
  | "credential_long_lived"
  | "credential_expiring"
  | "revoked"
  | "overloaded";

export type { SpiffeIdCode };
