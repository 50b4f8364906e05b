// The reason codes of credentials and their meaning, as rows of the table in outcome.ts. A credential that proves nothing is 401,
// as the HTTP status says it; what keeps svidgate from looking at one is 503.
// SPEC: the codes behind the prefix are those of identity/codes.ts; the type checks that none is missing.

import type { IdentityCode } from "../identity/codes.ts";

/** A row of the table: `grpc` 16 is UNAUTHENTICATED, 14 UNAVAILABLE, 8 RESOURCE_EXHAUSTED. */
export interface IdentityRow {
  readonly outcome: "deny" | "error";
  readonly grpc: 8 | 14 | 16;
  readonly http: 401 | 503;
  readonly meaning: string;
}

const refused = (meaning: string): IdentityRow => ({ outcome: "deny", grpc: 16, http: 401, meaning });

/** Every code of identity/. */
export const IDENTITY_OUTCOMES = {
  x509_cert_parse: refused("the certificate cannot be read, or is not exactly one"),
  x509_dup_extension: refused("the certificate has an extension twice"),
  x509_uri_san_count: refused("the certificate has no URI name, or more than one"),
  x509_spiffe_id: refused("the certificate's URI name is no SPIFFE ID of a workload"),
  x509_leaf_is_ca: refused("the certificate is an authority's, not a workload's"),
  x509_leaf_key_usage: refused("the certificate's key usage is not that of an X509-SVID"),
  x509_eku: refused("the certificate is not for TLS clients"),
  x509_san_critical: refused("the certificate has no subject, and its names are not marked critical"),
  x509_not_yet_valid: refused("the certificate, or one of its path, is not valid yet"),
  x509_expired: refused("the certificate, or one of its path, has expired"),
  x509_no_bundle: refused("there is no trust bundle for the certificate's trust domain, or it has no authorities left"),
  x509_untrusted: refused("no path leads from the certificate to an authority of its trust domain"),
  x509_ca_flags: refused("an issuer in the path may not sign certificates"),
  x509_path_len: refused("the path is longer than an issuer in it, or svidgate's bound, allows"),
  x509_name_constraints: refused("an issuer in the path may not sign for this name"),
  x509_critical_ext: refused("a certificate of the path has a critical extension that is not understood"),
  x509_weak_crypto: refused("a certificate of the path has a weak key or signature"),
  x509_signing_cert_id: refused("an issuer in the path has the SPIFFE ID of a workload"),
  x509_principal_mismatch: refused("the certificate names another workload than source.principal"),
  jwt_malformed: refused("the token is no JWS in compact form with canonical encodings and JSON objects"),
  jwt_alg: refused("the token's algorithm is not allowed, or does not fit its key"),
  jwt_typ: refused("the token's type is not that of a JWT-SVID"),
  jwt_header: refused("the token's header has members that a JWT-SVID must not have"),
  jwt_kid: refused("the token names no key, or one that is not in its trust domain's bundle"),
  jwt_sub: refused("the token's subject is no SPIFFE ID of a workload"),
  jwt_no_bundle: refused("there is no trust bundle for the token's trust domain, or it has no keys for tokens"),
  jwt_signature: refused("the token's signature does not hold"),
  jwt_aud: refused("the token is not for this audience"),
  jwt_exp: refused("the token says in no usable way when it ends"),
  jwt_expired: refused("the token has expired"),
  jwt_nbf: refused("the token is not valid yet"),
  jwt_iat: refused("the token was issued in the future, or says so in no usable way"),
  jwt_long_lived: refused("the token lives longer than jwt_svid.max_lifetime allows"),
  jwt_dup_claims: refused("the token has a claim or a header member twice"),
  jwt_unbound: refused("jwt_svid.bind_to_peer: the token came over a connection whose peer proved nothing"),
  jwt_several: refused("the request carries more than one token"),
  xfcc_too_long: refused("x-forwarded-client-cert is longer than 64 KiB"),
  xfcc_too_many: refused("x-forwarded-client-cert has more elements than are read"),
  xfcc_bad_char: refused("x-forwarded-client-cert has a character that is not printable ASCII"),
  xfcc_pair: refused("x-forwarded-client-cert has something in place of key=value"),
  xfcc_stray_quote: refused("x-forwarded-client-cert has a quote inside a bare value"),
  xfcc_unterminated_quote: refused("x-forwarded-client-cert has a quote without its end"),
  xfcc_after_quote: refused("x-forwarded-client-cert has something behind a closing quote"),
  xfcc_duplicate_hash: refused("x-forwarded-client-cert has two hashes in one element"),
  xfcc_duplicate_key: refused("x-forwarded-client-cert has two Cert, Chain or Subject in one element"),
  xfcc_json: refused("x-forwarded-client-cert begins like JSON and is none"),
  xfcc_json_shape: refused("x-forwarded-client-cert is JSON of another shape than Envoy writes"),
  xfcc_mismatch: refused("x-forwarded-client-cert names another workload than the certificate"),
  spiffe_id_reserved: refused("the ID is one of SPIRE's own servers or agents, which call no workload"),
  identity_conflict: refused("certificate and token name two workloads, and the peer is no listed gateway"),
  credential_long_lived: refused("the certificate lives longer than its trust domain's max_lifetime allows"),
  credential_expiring: refused("the credential ends sooner than its trust domain's min_remaining allows"),
  revoked: refused("the deny list names the credential or its workload"),
  bundle_stale: {
    outcome: "error",
    grpc: 14,
    http: 503,
    meaning: "the trust domain's bundle has not been confirmed for longer than max_staleness",
  },
  overloaded: {
    outcome: "error",
    grpc: 8,
    http: 503,
    meaning: "as many first-seen tokens are being verified as jwt_svid.max_in_flight allows",
  },
} as const satisfies Readonly<Record<IdentityCode, IdentityRow>>;
