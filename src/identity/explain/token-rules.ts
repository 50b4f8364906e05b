// The rules that a JWT-SVID is held against, in the order of the verifier. SPEC: JWT-SVID §2 to §5, RFC 7515, RFC 7519.
// Some codes come twice: for what a token says, and later for what that is held against.

import type { JwtSvidCode } from "../codes.ts";
import { type Rule, ruleOf } from "./checks.ts";
import { DENY_RULE, type SharedStage, sharedRules } from "./trust.ts";

export type TokenStage =
  | "header"
  | "payload"
  | "claims"
  | "audience"
  | "dates"
  | "bundle"
  | "keys"
  | "signature"
  | "request"
  | SharedStage;

const rule = ruleOf<TokenStage, JwtSvidCode | "unbound">("jwt");

export const TOKEN_RULES: readonly Rule<TokenStage>[] = [
  rule(
    "header",
    "malformed",
    "a compact JWS of at most 16 KiB: three parts in canonical base64url, the header a JSON object",
  ),
  rule("header", "dup_claims", "no name twice in the header"),
  rule("header", "alg", "`alg` is RS, PS or ES with 256, 384 or 512"),
  rule("header", "header", "no header but `alg`, `kid` and `typ`"),
  rule("header", "typ", "`typ`, if any, is `JWT` or `JOSE`"),
  rule("header", "kid", "`kid`, if any, is a text"),
  rule("payload", "malformed", "the payload is a JSON object"),
  rule("payload", "dup_claims", "no claim twice"),
  rule("claims", "sub", "`sub` is the SPIFFE ID of a workload"),
  rule("claims", "aud", "`aud` is one to ten texts"),
  rule("claims", "exp", "`exp` is a date after `iat` and `nbf`"),
  rule("claims", "nbf", "`nbf`, if any, is a date"),
  rule("claims", "iat", "`iat`, if any, is a date"),
  rule("claims", "malformed", "`jti` and `iss`, if any, are texts"),
  rule("audience", "aud", "one of the audiences is ours, character for character"),
  rule("dates", "expired", "not ended, with clock_skew as grace"),
  rule("dates", "nbf", "begun, with clock_skew as grace"),
  rule("dates", "iat", "not issued in the future, with clock_skew as grace"),
  rule("dates", "long_lived", "lives no longer than jwt_svid.max_lifetime"),
  rule("bundle", "no_bundle", "a trust bundle of the subject's own trust domain, with keys for tokens"),
  rule("keys", "kid", "`kid` names a key of the bundle"),
  rule("keys", "alg", "the key fits `alg`"),
  rule("signature", "signature", "the key made the signature"),
  {
    stage: "signature",
    check: "foreign_claims",
    rule: "claims of a federated trust domain count only as far as they are listed",
  },
  ...sharedRules(false),
  rule("request", "unbound", "with bind_to_peer: the peer of the connection is the subject, or a gateway"),
  DENY_RULE,
];
