// `io.jwt.decode`, `io.jwt.verify_*` and `io.jwt.decode_verify` (v1/topdown/tokens.go). Signing is not here.
// All of node:crypto's calls are synchronous, as a builtin must be.

import { decodeUtf8, trimEndOf } from "../byte-text.ts";
import { RegoObject, type Value } from "../value.ts";
import { type Builtin, type BuiltinContext, BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { toHmacKey } from "./crypto.ts";
import { areClaimsMet, parseConstraints, type TokenConstraints } from "./jwt-constraints.ts";
import { loadKeys, type SignatureScheme, verifyHmac, verifySignature } from "./jwt-signature.ts";
import {
  decodeBase64Url,
  decodeHeader,
  decodeObject,
  type JoseHeader,
  splitToken,
  type TokenParts,
  toJoseHeader,
} from "./jwt-token.ts";
import { objectOperand, stringOperand } from "./operands.ts";

const HASHES = { "256": "sha256", "384": "sha384", "512": "sha512" } as const;

const FAMILIES = { RS: "rsa-pkcs1", PS: "rsa-pss", ES: "ecdsa", HS: "hmac" } as const;

/** The scheme behind an `alg` of RFC 7518 or 8037; undefined for any other, `none` among them. */
function schemeOf(alg: string, mode: SignatureScheme["mode"]): SignatureScheme | undefined {
  if (alg === "EdDSA" || alg === "Ed25519") return { family: "ed25519", hash: "sha512", mode };
  const match = /^(RS|PS|ES|HS)(256|384|512)$/.exec(alg);
  if (match === null) return undefined;
  const [, family, size] = match as unknown as [string, keyof typeof FAMILIES, keyof typeof HASHES];
  return { family: FAMILIES[family], hash: HASHES[size], mode };
}

/** Some encoders put the inner token in quotes, and OPA drops all that there are. */
const unquoted = (text: string): string => trimEndOf(text.replace(/^["']+/, ""), QUOTES);
const QUOTES = `"'`;

/** `[header, payload, signature in hexadecimal]`, unverified; a token within a token is opened. */
function decode(token: string): Value {
  const parts = splitToken(token);
  const header = decodeHeader(parts);
  const payload = decodeBase64Url(parts.payload);
  const cty = header.get("cty");
  if (cty !== undefined && typeof cty !== "string") throw new BuiltinError("cty: must be a string");
  if (cty === "JWT") return decode(unquoted(decodeUtf8(payload)));
  return [header, decodeObject(parts.payload), decodeBase64Url(parts.signature).toString("hex")];
}

function verifyAsymmetric(alg: string): Builtin {
  const scheme = schemeOf(alg, "lenient");
  return (args) => {
    const parts = splitToken(stringOperand(args, 0));
    const keyText = stringOperand(args, 1);
    loadKeys(keyText);
    const signature = decodeBase64Url(parts.signature);
    const header = toJoseHeader(decodeHeader(parts));
    return scheme !== undefined && verifySignature(keyText, parts, header, signature, scheme);
  };
}

/** The algorithm is the builtin's own; the header is not even read. */
const verifySymmetric =
  (hash: string): Builtin =>
  (args) => {
    const token = stringOperand(args, 0);
    const secret = toHmacKey(stringOperand(args, 1));
    const parts = splitToken(token);
    return verifyHmac(hash, secret, `${parts.header}.${parts.payload}`, decodeBase64Url(parts.signature));
  };

function isSigned(constraints: TokenConstraints, parts: TokenParts, header: JoseHeader): boolean {
  const signature = decodeBase64Url(parts.signature);
  const scheme = schemeOf(header.alg, "strict");
  if (scheme === undefined) return false;
  if (constraints.cert !== undefined) return verifySignature(constraints.cert, parts, header, signature, scheme);
  // SECURITY: a secret serves HMAC only, and a certificate never does (jwt-signature.ts): no algorithm confusion.
  if (scheme.family !== "hmac") return false;
  return verifyHmac(scheme.hash, toHmacKey(constraints.secret), `${parts.header}.${parts.payload}`, signature);
}

const unverified = (): Value => [false, RegoObject.of([]), RegoObject.of([])];

/** Each level of nesting shrinks the token by a quarter, so the loop ends. */
function decodeVerify(token: string, object: RegoObject, { nowUnixNs }: BuiltinContext): Value {
  const constraints = parseConstraints(object, nowUnixNs);
  if (constraints.cert !== undefined) loadKeys(constraints.cert);
  let current = token;
  for (;;) {
    const parts = splitToken(current);
    const decodedHeader = decodeHeader(parts);
    const header = toJoseHeader(decodedHeader);
    if (!header.isValid) return unverified();
    if (constraints.alg !== "" && constraints.alg !== header.alg) return unverified();
    if (!isSigned(constraints, parts, header)) return unverified();
    if (header.cty.toUpperCase() !== "JWT") {
      const payload = decodeObject(parts.payload);
      return areClaimsMet(payload, constraints) ? [true, decodedHeader, payload] : unverified();
    }
    current = decodeUtf8(decodeBase64Url(parts.payload));
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
