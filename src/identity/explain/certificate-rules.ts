// The rules that a certificate is held against, in the order of the verifier. SPEC: X509-SVID §2 to §5, RFC 5280 §6.1.
// Some codes come twice: once for the leaf, once for the issuers of a path, or for a last look at all of them.

import type { X509SvidCode } from "../codes.ts";
import { type Rule, ruleOf } from "./checks.ts";
import { DENY_RULE, type SharedStage, sharedRules } from "./trust.ts";

export type CertificateStage = "bytes" | "leaf" | "bundle" | "path" | "readers" | "request" | SharedStage;

const rule = ruleOf<CertificateStage, X509SvidCode | "principal_mismatch">("x509");

/** Every rule; the path is a search, so its rules stand in no order. */
export const CERTIFICATE_RULES: readonly Rule<CertificateStage>[] = [
  rule(
    "bytes",
    "cert_parse",
    "PEM of certificates; the leaf has version 3, at most 16 KiB, and two readers read it alike",
  ),
  rule("bytes", "dup_extension", "no extension comes twice"),
  rule("leaf", "uri_san_count", "exactly one URI name"),
  rule("leaf", "spiffe_id", "the URI name is the SPIFFE ID of a workload"),
  rule("leaf", "leaf_is_ca", "not an authority's certificate"),
  rule("leaf", "leaf_key_usage", "key usage critical, with digitalSignature, without keyCertSign and cRLSign"),
  rule("leaf", "eku", "extended key usage, if any, has clientAuth"),
  rule("leaf", "san_critical", "the names are critical where there is no subject"),
  rule("leaf", "critical_ext", "no critical extension that is not known"),
  rule(
    "leaf",
    "weak_crypto",
    "RSA of 2048 to 8192 bits, P-256, P-384, P-521 or Ed25519; signed with SHA-256 or better",
  ),
  rule("leaf", "not_yet_valid", "begun, with clock_skew as grace"),
  rule("leaf", "expired", "not ended, without grace"),
  rule("bundle", "no_bundle", "a trust bundle of the ID's own trust domain, with X.509 authorities"),
  {
    stage: "bundle",
    check: "bundle_entry",
    rule: "only certificates that may sign count as authorities of the bundle",
  },
  rule("path", "untrusted", "signatures lead from the leaf to an authority of the bundle"),
  rule("path", "ca_flags", "each issuer is an authority with keyCertSign"),
  rule("path", "not_yet_valid", "each issuer has begun"),
  rule("path", "expired", "no issuer has ended"),
  rule("path", "path_len", "no path length is exceeded; at most 5 issuers and 100 signatures"),
  rule("path", "name_constraints", "each issuer may sign for the names below it"),
  rule("path", "critical_ext", "no issuer has a critical extension that is not known"),
  rule("path", "signing_cert_id", "no issuer has the ID of a workload"),
  rule("path", "eku", "extended key usage of issuers, if any, has clientAuth"),
  rule("path", "weak_crypto", "keys and signatures of issuers are as strong as the leaf's"),
  rule("readers", "cert_parse", "a third reader reads every certificate of the path as the others do"),
  rule("request", "principal_mismatch", "Envoy's source.principal names the same workload"),
  ...sharedRules(true),
  DENY_RULE,
];
