// The key that a token is signed with: the first one of a JWK or JWKS, with its private members (RFC 7518 §6).

import { createPrivateKey, type JsonWebKey, type KeyObject } from "node:crypto";
import { RegoObject, type Value } from "../value.ts";
import { BuiltinError } from "./builtin.ts";
import { bytesMember, CURVE_BYTES, integerMember, parseKeys, readJwks, type Spend, textMember } from "./jwk.ts";
import { createLru } from "./lru.ts";
import { MAX_KEY_TEXT_CHARS } from "./pem.ts";
import { importSteps } from "./signature-cost.ts";
import { rsaSize } from "./verification-key.ts";

/** A key to sign with, by kind; `other` signs nothing: a public key, or one of another purpose. */
export type SigningKey =
  | { readonly kind: "rsa"; readonly key: KeyObject; readonly modulusBits: number; readonly exponentBits: number }
  | { readonly kind: "ec"; readonly key: KeyObject; readonly curveBytes: number }
  | { readonly kind: "ed25519"; readonly key: KeyObject }
  | { readonly kind: "secret"; readonly bytes: Buffer }
  | { readonly kind: "other" };

/** SECURITY: private keys stay in memory as long as the policy's own text of them does, so few are remembered. */
const MAX_KEYS = 8;
const MAX_CACHED_TEXT_CHARS = 16_384;
const signingKeys = createLru<SigningKey>(MAX_KEYS);

/** The first key in `text`. Throws BuiltinError when a key of the set cannot be read, or there is none. */
export function loadSigningKey(text: string, spend: Spend): SigningKey {
  const known = signingKeys.get(text);
  if (known !== undefined) return known;
  if (text.length > MAX_KEY_TEXT_CHARS) throw new BuiltinError("key text too long");
  const jwks = readJwks(text);
  parseKeys(jwks, spend);
  const [first] = jwks;
  if (first === undefined) throw new BuiltinError("no keys found in JWK set");
  const key = toSigningKey(first, spend);
  if (text.length <= MAX_CACHED_TEXT_CHARS) signingKeys.set(text, key);
  return key;
}

function toSigningKey(jwk: Value, spend: Spend): SigningKey {
  if (!(jwk instanceof RegoObject)) return { kind: "other" };
  const kty = textMember(jwk, "kty");
  if (kty === "oct") return { kind: "secret", bytes: bytesMember(jwk, "k") };
  if (jwk.get("d") === undefined) return { kind: "other" };
  const crv = textMember(jwk, "crv") ?? "";
  const curveBytes = CURVE_BYTES.get(crv);
  spend(importSteps(curveBytes));
  if (kty === "RSA") {
    const key = importPrivateKey(rsaMembers(jwk));
    return { kind: "rsa", key, ...rsaSize(key) };
  }
  if (kty === "EC" && curveBytes !== undefined) {
    const [x = "", y = "", d = ""] = ["x", "y", "d"].map((name) => integerMember(jwk, name, curveBytes));
    return { kind: "ec", key: importPrivateKey({ kty: "EC", crv, x, y, d }), curveBytes };
  }
  if (crv !== "Ed25519") return { kind: "other" };
  const [x = "", d = ""] = ["x", "d"].map((name) => bytesMember(jwk, name).toString("base64url"));
  return { kind: "ed25519", key: importPrivateKey({ kty: "OKP", crv, x, d }) };
}

/** Node wants the three members that speed the signature up, which a JWK may leave out (RFC 7518 §6.3.2). */
function rsaMembers(jwk: RegoObject): JsonWebKey {
  const [n = "", e = "", d = "", p = "", q = ""] = ["n", "e", "d", "p", "q"].map((name) => integerMember(jwk, name));
  const primes = [toBigInt(p), toBigInt(q)] as const;
  const faster = fasterMembers(toBigInt(n), toBigInt(e), toBigInt(d), primes);
  for (const name of ["dp", "dq", "qi"] as const) {
    const isWrong = jwk.get(name) !== undefined && toBigInt(integerMember(jwk, name)) !== faster[name];
    if (isWrong) throw new BuiltinError("JWK: invalid key");
  }
  const [dp, dq, qi] = [faster.dp, faster.dq, faster.qi].map(toBase64Url);
  return { kty: "RSA", n, e, d, p, q, dp, dq, qi } as JsonWebKey;
}

/** Throws BuiltinError when the numbers are no RSA key, as Go's `PrivateKey.Validate`. */
function fasterMembers(n: bigint, e: bigint, d: bigint, [p, q]: readonly [bigint, bigint]) {
  const isKey = p > 2n && q > 2n && p * q === n && (e * d) % (p - 1n) === 1n && (e * d) % (q - 1n) === 1n;
  if (!isKey) throw new BuiltinError("JWK: invalid key");
  return { dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q % p, p) };
}

const toBigInt = (base64Url: string): bigint =>
  BigInt(`0x${Buffer.from(base64Url, "base64url").toString("hex") || "0"}`);

function toBase64Url(value: bigint): string {
  const hex = value.toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex").toString("base64url");
}

/** The inverse of `value` modulo `modulus`, by Euclid's algorithm. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [previous, current] = [modulus, value];
  let [before, now] = [0n, 1n];
  while (current !== 0n) {
    const quotient = previous / current;
    [previous, current] = [current, previous - quotient * current];
    [before, now] = [now, before - quotient * now];
  }
  if (previous !== 1n) throw new BuiltinError("JWK: invalid key");
  return ((before % modulus) + modulus) % modulus;
}

function importPrivateKey(jwk: JsonWebKey): KeyObject {
  try {
    return createPrivateKey({ key: jwk, format: "jwk" });
  } catch {
    throw new BuiltinError("JWK: invalid key");
  }
}
