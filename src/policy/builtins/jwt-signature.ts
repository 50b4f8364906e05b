// Verifies the signature of a token's parts with the keys in a text: PEM certificate, PEM public key, JWK or JWKS.
// Signatures only: neither time nor audience is looked at here, so nothing here goes stale.

import { constants, createHash, createHmac, timingSafeEqual, verify } from "node:crypto";
import { BuiltinError } from "./builtin.ts";
import { parseJwks } from "./jwk.ts";
import type { JoseHeader, TokenParts } from "./jwt-token.ts";
import { createLru } from "./lru.ts";
import { MAX_KEY_TEXT_CHARS, parsePem } from "./pem.ts";
import { keyOfPem, type VerificationKey } from "./verification-key.ts";

/** How to verify; `hash` is what node:crypto calls it. */
export interface SignatureScheme {
  readonly family: "rsa-pkcs1" | "rsa-pss" | "ecdsa" | "ed25519" | "hmac";
  readonly hash: "sha256" | "sha384" | "sha512";
  /** `lenient` as the `verify_*` builtins: any PSS salt, ECDSA halves of any length, no private keys. */
  readonly mode: "lenient" | "strict";
}

/** Go refuses to verify with RSA keys below this. */
const MIN_RSA_BITS = 1_024;

/** Key texts whose parsed keys are kept; a JWKS costs 60 µs per EC key to read. */
const MAX_KEY_TEXTS = 64;
const MAX_CACHED_TEXT_CHARS = 65_536;
const keySets = createLru<readonly VerificationKey[]>(MAX_KEY_TEXTS);

/** The keys in `text`; throws BuiltinError when there is none to be read. */
export function loadKeys(text: string): readonly VerificationKey[] {
  const known = keySets.get(text);
  if (known !== undefined) return known;
  if (text.length > MAX_KEY_TEXT_CHARS) throw new BuiltinError("key text too long");
  const block = parsePem(text);
  const keys = block === undefined ? parseJwks(text) : [keyOfPem(block)];
  if (text.length <= MAX_CACHED_TEXT_CHARS) keySets.set(text, keys);
  return keys;
}

/** Halves of any length as the fixed width that node:crypto wants; undefined when a number is too large for the curve. */
function toFixedWidth(signature: Buffer, curveBytes: number, mode: SignatureScheme["mode"]): Buffer | undefined {
  if (signature.length === curveBytes * 2) return signature;
  if (mode === "strict") return undefined;
  const middle = Math.floor(signature.length / 2);
  const halves = [signature.subarray(0, middle), signature.subarray(middle)].map((half) => {
    const start = half.findIndex((byte) => byte !== 0);
    const digits = start < 0 ? Buffer.alloc(0) : half.subarray(start);
    return digits.length > curveBytes ? undefined : Buffer.concat([Buffer.alloc(curveBytes - digits.length), digits]);
  });
  const [r, s] = halves;
  return r === undefined || s === undefined ? undefined : Buffer.concat([r, s]);
}

/** Whether HMAC of `signed` under `secret` is `signature`, compared in constant time. */
export function verifyHmac(hash: string, secret: Buffer, signed: string, signature: Buffer): boolean {
  const expected = createHmac(hash, secret).update(signed, "utf8").digest();
  return expected.length === signature.length && timingSafeEqual(expected, signature);
}

function verifyWith(
  { key, isPrivate }: VerificationKey,
  scheme: SignatureScheme,
  signed: string,
  signature: Buffer,
): boolean {
  if (isPrivate && scheme.mode === "lenient") return false;
  const { family, hash, mode } = scheme;
  const data = Buffer.from(signed, "utf8");
  if (family === "hmac") {
    return key.kind === "secret" && mode === "strict" && verifyHmac(hash, key.bytes, signed, signature);
  }
  if (family === "ecdsa") {
    if (key.kind !== "ec") return false;
    const fixed = toFixedWidth(signature, key.curveBytes, mode);
    return fixed !== undefined && verify(hash, data, { key: key.key, dsaEncoding: "ieee-p1363" }, fixed);
  }
  if (family === "ed25519") {
    return key.kind === "ed25519" && signature.length === 64 && verify(null, data, key.key, signature);
  }
  if (key.kind !== "rsa" || key.modulusBits < MIN_RSA_BITS) return false;
  if (family === "rsa-pkcs1") return verify(hash, data, key.key, signature);
  const saltLength = mode === "lenient" ? constants.RSA_PSS_SALTLEN_AUTO : constants.RSA_PSS_SALTLEN_DIGEST;
  return verify(hash, data, { key: key.key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }, signature);
}

/** OPA's choice of key: the one that the token names, else any whose algorithm is not another one. */
function verifyWithAny(
  keys: readonly VerificationKey[],
  header: JoseHeader,
  scheme: SignatureScheme,
  signed: string,
  signature: Buffer,
): boolean {
  const named = header.kid === "" ? undefined : keys.find((key) => key.kid === header.kid);
  if (named !== undefined) return verifyWith(named, scheme, signed, signature);
  return keys.some((key) => (key.alg === "" || key.alg === header.alg) && verifyWith(key, scheme, signed, signature));
}

/** Outcomes that are kept: at most 1,024 digests and booleans. */
const MAX_OUTCOMES = 1_024;
const outcomes = createLru<boolean>(MAX_OUTCOMES);

/**
 * SECURITY: the name of an outcome is a digest of everything that it depends on, each part with its length: the whole
 * token, not the signature alone, and the whole key text, not a key id. Time is no part of it, nor of the outcome.
 */
function outcomeName(parts: readonly string[]): string {
  const digest = createHash("sha256");
  for (const part of parts) digest.update(`${Buffer.byteLength(part)}:`).update(part, "utf8");
  return digest.digest("base64");
}

/** Whether one of the keys in `keyText` made the token's signature. Throws BuiltinError when the text holds no keys. */
export function verifySignature(
  keyText: string,
  parts: TokenParts,
  header: JoseHeader,
  signature: Buffer,
  scheme: SignatureScheme,
): boolean {
  const { family, hash, mode } = scheme;
  const name = outcomeName([family, hash, mode, keyText, parts.header, parts.payload, parts.signature]);
  const known = outcomes.get(name);
  if (known !== undefined) return known;
  const outcome = verifyWithAny(loadKeys(keyText), header, scheme, `${parts.header}.${parts.payload}`, signature);
  outcomes.set(name, outcome);
  return outcome;
}
