// `io.jwt.encode_sign` and `io.jwt.encode_sign_raw` (v1/topdown/tokens.go): a token in compact form (RFC 7515 §3.1), signed
// with the first key of a JWK or JWKS. The raw form signs header and payload as they are written, byte for byte.

import { constants, createHmac, sign } from "node:crypto";
import { printValue, RegoObject, toBytes, type Value } from "../value.ts";
import { type BuiltinContext, BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { marshalJson } from "./json-marshal.ts";
import { type TokenAlgorithm, tokenAlgorithm } from "./jwt-scheme.ts";
import { isJson, parseJson } from "./jwt-token.ts";
import { objectOperand, stringOperand } from "./operands.ts";
import { MIN_RSA_BITS, signingSteps } from "./signature-cost.ts";
import { loadSigningKey, type SigningKey } from "./signing-key.ts";

/** The texts that a token is made of. */
interface TokenTexts {
  readonly header: string;
  readonly payload: string;
  readonly keys: string;
}

/** The algorithm, and whether the payload must be JSON. */
function readHeader(text: string): { readonly algorithm: TokenAlgorithm; readonly isJwt: boolean } {
  const wrong = (why: string): BuiltinError => new BuiltinError(`missing or invalid 'alg' header: ${why}`);
  if (!isJson(text)) throw wrong("cannot parse JSON");
  const header = parseJson(text);
  const alg = header instanceof RegoObject ? header.get("alg") : undefined;
  if (alg === undefined) throw wrong('jwsbb: header "alg" not found');
  if (typeof alg !== "string") throw wrong("must be a string");
  const algorithm = tokenAlgorithm(alg);
  if (algorithm === undefined) throw new BuiltinError(`unknown JWS algorithm: ${alg}`);
  const typ = header instanceof RegoObject ? header.get("typ") : undefined;
  return { algorithm, isJwt: typeof typ !== "string" || typ === "JWT" };
}

const wrongKey = (wanted: string): BuiltinError => new BuiltinError(`invalid key type: ${wanted} is required`);

function makeSignature(signed: Buffer, { family, hash }: TokenAlgorithm, signer: SigningKey): Buffer {
  if (family === "hmac") {
    if (signer.kind !== "secret") throw wrongKey("a symmetric key");
    return createHmac(hash, signer.bytes).update(signed).digest();
  }
  if (family === "ecdsa") {
    if (signer.kind !== "ec") throw wrongKey("an ECDSA private key");
    // SPEC: RFC 7518 §3.4; as wide as the key's curve, which OPA does not tie to the algorithm.
    return sign(hash, signed, { key: signer.key, dsaEncoding: "ieee-p1363" });
  }
  if (family === "ed25519") {
    if (signer.kind !== "ed25519") throw wrongKey("an Ed25519 private key");
    return sign(null, signed, signer.key);
  }
  if (signer.kind !== "rsa") throw wrongKey("an RSA private key");
  if (signer.modulusBits < MIN_RSA_BITS) throw new BuiltinError("RSA key is shorter than 1024 bits");
  if (family === "rsa-pkcs1") return sign(hash, signed, signer.key);
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  return sign(hash, signed, { key: signer.key, ...pss });
}

/** node:crypto refuses keys that OpenSSL cannot use, such as an RSA key too short for the digest. */
function trySignature(signed: Buffer, algorithm: TokenAlgorithm, signer: SigningKey): Buffer {
  try {
    return makeSignature(signed, algorithm, signer);
  } catch (error) {
    if (error instanceof BuiltinError) throw error;
    throw new BuiltinError("the key cannot make this signature");
  }
}

function encodeSigned({ header, payload, keys }: TokenTexts, context: BuiltinContext): string {
  const signer = loadSigningKey(keys, context.spend);
  const { algorithm, isJwt } = readHeader(header);
  if (isJwt && !isJson(payload)) throw new BuiltinError("type is JWT but payload is not JSON");
  const encode = (text: string): string => toBytes(text).toString("base64url");
  const signed = `${encode(header)}.${encode(payload)}`;
  const token = (): string => {
    context.spend(signingSteps(signer));
    return `${signed}.${trySignature(Buffer.from(signed, "latin1"), algorithm, signer).toString("base64url")}`;
  };
  const isRandom = algorithm.family === "ecdsa" || algorithm.family === "rsa-pss";
  return isRandom ? onceIn(context, [header, payload, keys], token) : token();
}

/**
 * INVARIANT: an evaluation that runs again, with an answer of `http.send`, asks the same questions: a signature that is
 * made with random numbers stays the same within a decision.
 */
function onceIn({ memo }: BuiltinContext, texts: readonly Value[], make: () => string): string {
  const name = `io.jwt.encode_sign:${printValue(texts)}`;
  const known = memo.get(name);
  if (typeof known === "string") return known;
  const token = make();
  memo.set(name, token);
  return token;
}

/** `io.jwt.encode_sign(header, payload, key)` of objects, and `io.jwt.encode_sign_raw(header, payload, key)` of JSON texts. */
export const jwtSignBuiltins: BuiltinFamily = {
  "io.jwt.encode_sign": (args, context) => {
    const [header = "", payload = "", keys = ""] = [0, 1, 2].map((index) => marshalJson(objectOperand(args, index)));
    return encodeSigned({ header, payload, keys }, context);
  },
  "io.jwt.encode_sign_raw": (args, context) => {
    const keys = stringOperand(args, 2);
    return encodeSigned({ header: stringOperand(args, 0), payload: stringOperand(args, 1), keys }, context);
  },
};
