// `io.jwt.decode`, `io.jwt.verify_*` and `io.jwt.decode_verify` (v1/topdown/tokens.go). Signing is in jwt-sign.ts.
// All of node:crypto's calls are synchronous, as a builtin must be.

import { trimEndOf } from "../byte-text.ts";
import { fromBytes, RegoObject, toBytes, type Value } from "../value.ts";
import { type Builtin, type BuiltinContext, BuiltinError, type BuiltinFamily } from "./builtin.ts";
import type { Spend } from "./jwk.ts";
import { areClaimsMet, parseConstraints, type TokenConstraints } from "./jwt-constraints.ts";
import { tokenAlgorithm } from "./jwt-scheme.ts";
import {
  type KeySet,
  loadKeys,
  recallOutcome,
  type SignatureScheme,
  verifyHmac,
  verifySignature,
} from "./jwt-signature.ts";
import { decodeBase64Url, readToken, type Token } from "./jwt-token.ts";
import { objectOperand, stringOperand } from "./operands.ts";

/** The scheme behind an `alg`; undefined for any that is not verified, `none` among them. */
function schemeOf(alg: string, mode: SignatureScheme["mode"]): SignatureScheme | undefined {
  const algorithm = tokenAlgorithm(alg === "Ed25519" ? "EdDSA" : alg);
  return algorithm && { ...algorithm, mode };
}

/** Some encoders put the inner token in quotes, and OPA drops all that there are. */
const unquoted = (text: string): string => trimEndOf(text.replace(/^["']+/, ""), QUOTES);
const QUOTES = `"'`;

/** `[header, payload, signature in hexadecimal]`, unverified; a token within a token is opened. */
function decode(text: string): Value {
  const token = readToken(text);
  const cty = token.header.get("cty");
  const payload = decodeBase64Url(token.parts.payload);
  if (cty !== undefined && typeof cty !== "string") throw new BuiltinError("cty: must be a string");
  if (cty === "JWT") return decode(unquoted(fromBytes(payload)));
  return [token.header, token.payload, token.signature.toString("hex")];
}

function verifyAsymmetric(alg: string): Builtin {
  const scheme = schemeOf(alg, "lenient");
  return (args, { spend }) => {
    const text = stringOperand(args, 0);
    const token = readToken(text);
    const set = loadKeys(stringOperand(args, 1), spend);
    if (scheme === undefined) return false;
    // PERF: whatever could be wrong with the token was looked at when the outcome was found.
    return recallOutcome(set, scheme, text) ?? verifySignature(set, token, scheme, spend);
  };
}

/** The algorithm is the builtin's own; the header is not even read. */
const verifySymmetric =
  (hash: string): Builtin =>
  (args) => {
    const text = stringOperand(args, 0);
    const secret = toBytes(stringOperand(args, 1));
    const token = readToken(text);
    return verifyHmac(hash, secret, token.signed, token.signature);
  };

function isSigned(constraints: TokenConstraints, token: Token, set: KeySet | undefined, spend: Spend): boolean {
  const { jose, signature } = token;
  const scheme = schemeOf(jose.alg, "strict");
  if (scheme === undefined) return false;
  if (set !== undefined) return verifySignature(set, token, scheme, spend);
  // SECURITY: a secret serves HMAC only, and a certificate never does (jwt-signature.ts): no algorithm confusion.
  return scheme.family === "hmac" && verifyHmac(scheme.hash, toBytes(constraints.secret), token.signed, signature);
}

const unverified = (): Value => [false, RegoObject.of([]), RegoObject.of([])];

/** Each level of nesting shrinks the token by a quarter, so the loop ends. */
function decodeVerify(text: string, object: RegoObject, { nowUnixNs, spend }: BuiltinContext): Value {
  const constraints = parseConstraints(object, nowUnixNs);
  const set = constraints.cert === undefined ? undefined : loadKeys(constraints.cert, spend);
  for (let current = text; ; ) {
    const token = readToken(current);
    const { jose } = token;
    if (!jose.isValid) return unverified();
    if (constraints.alg !== "" && constraints.alg !== jose.alg) return unverified();
    if (!isSigned(constraints, token, set, spend)) return unverified();
    if (jose.cty.toUpperCase() !== "JWT") {
      const { payload } = token;
      return areClaimsMet(payload, constraints) ? [true, token.header, payload] : unverified();
    }
    current = fromBytes(decodeBase64Url(token.parts.payload));
  }
}

/** The `io.jwt.*` builtins that read tokens. */
export const jwtBuiltins: BuiltinFamily = {
  "io.jwt.decode": (args) => decode(stringOperand(args, 0)),
  "io.jwt.decode_verify": (args, context) => {
    const constraints = objectOperand(args, 1);
    return decodeVerify(stringOperand(args, 0), constraints, context);
  },
  "io.jwt.verify_eddsa": verifyAsymmetric("EdDSA"),
  "io.jwt.verify_es256": verifyAsymmetric("ES256"),
  "io.jwt.verify_es384": verifyAsymmetric("ES384"),
  "io.jwt.verify_es512": verifyAsymmetric("ES512"),
  "io.jwt.verify_hs256": verifySymmetric("sha256"),
  "io.jwt.verify_hs384": verifySymmetric("sha384"),
  "io.jwt.verify_hs512": verifySymmetric("sha512"),
  "io.jwt.verify_ps256": verifyAsymmetric("PS256"),
  "io.jwt.verify_ps384": verifyAsymmetric("PS384"),
  "io.jwt.verify_ps512": verifyAsymmetric("PS512"),
  "io.jwt.verify_rs256": verifyAsymmetric("RS256"),
  "io.jwt.verify_rs384": verifyAsymmetric("RS384"),
  "io.jwt.verify_rs512": verifyAsymmetric("RS512"),
};
