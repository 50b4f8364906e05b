// Verifies the signature of a token's parts with the keys in a text: PEM certificate, PEM public key, JWK or JWKS.
// Signatures only: neither time nor audience is looked at here, so nothing here goes stale.

import { constants, createHmac, timingSafeEqual, verify } from "node:crypto";
import { toBytes } from "../value.ts";
import { BuiltinError } from "./builtin.ts";
import { parseJwks, type Spend } from "./jwk.ts";
import type { TokenAlgorithm } from "./jwt-scheme.ts";
import type { JoseHeader, Token } from "./jwt-token.ts";
import { createLru } from "./lru.ts";
import { MAX_KEY_TEXT_CHARS, parsePem } from "./pem.ts";
import { CERTIFICATE_STEPS, MIN_RSA_BITS, verifyingSteps } from "./signature-cost.ts";
import { keyOfPem, type VerificationKey } from "./verification-key.ts";

/** How to verify. */
export interface SignatureScheme extends TokenAlgorithm {
  /** `lenient` as the `verify_*` builtins: any PSS salt, ECDSA halves of any length, no private keys. */
  readonly mode: "lenient" | "strict";
}

/** Key texts whose parsed keys are kept; a JWKS costs 60 µs per EC key to read. */
const MAX_KEY_TEXTS = 64;
const MAX_CACHED_TEXT_CHARS = 65_536;
const keySets = createLru<KeySet>(MAX_KEY_TEXTS);

/** The keys of a text. */
export interface KeySet {
  /** Never given to another set: what is remembered of one set is never told of another. */
  readonly id: number;
  readonly keys: readonly VerificationKey[];
}

let lastKeySet = 0;

/** The keys in `text`; throws BuiltinError when there is none to be read. */
export function loadKeys(text: string, spend: Spend): KeySet {
  const known = keySets.get(text);
  if (known !== undefined) return known;
  if (text.length > MAX_KEY_TEXT_CHARS) throw new BuiltinError("key text too long");
  const block = parsePem(text);
  if (block !== undefined) spend(CERTIFICATE_STEPS);
  const set = { id: ++lastKeySet, keys: block === undefined ? parseJwks(text, spend) : [keyOfPem(block)] };
  if (text.length <= MAX_CACHED_TEXT_CHARS) keySets.set(text, set);
  return set;
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
  const expected = createHmac(hash, secret).update(toBytes(signed)).digest();
  return expected.length === signature.length && timingSafeEqual(expected, signature);
}

function verifyWith(
  { key, isPrivate }: VerificationKey,
  scheme: SignatureScheme,
  signed: string,
  signature: Buffer,
  spend: Spend,
): boolean {
  if (isPrivate && scheme.mode === "lenient") return false;
  spend(verifyingSteps(key));
  const { family, hash, mode } = scheme;
  const data = toBytes(signed);
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
  spend: Spend,
): boolean {
  const named = header.kid === "" ? undefined : keys.find((key) => key.kid === header.kid);
  if (named !== undefined) return verifyWith(named, scheme, signed, signature, spend);
  return keys.some(
    (key) => (key.alg === "" || key.alg === header.alg) && verifyWith(key, scheme, signed, signature, spend),
  );
}

/** Tokens whose outcomes are kept, the longest one of them, and outcomes of one token: 16 MiB at most. */
const MAX_TOKENS = 1_024;
const MAX_CACHED_TOKEN_CHARS = 8_192;
const MAX_OUTCOMES_OF_TOKEN = 32;

/**
 * SECURITY: by everything that an outcome depends on, and nothing shortened: the whole token, not the signature alone;
 * the scheme; and the set of keys by a number that stands for one text's keys, not a key id. Time is no part of it.
 */
const outcomes = createLru<Map<string, boolean>>(MAX_TOKENS);

const outcomeName = ({ id }: KeySet, { family, hash, mode }: SignatureScheme): string =>
  `${id} ${family} ${hash} ${mode}`;

/** Whether one of the keys made the token's signature, when that is known from an earlier call. */
export const recallOutcome = (set: KeySet, scheme: SignatureScheme, token: string): boolean | undefined =>
  token.length > MAX_CACHED_TOKEN_CHARS ? undefined : outcomes.get(token)?.get(outcomeName(set, scheme));

function rememberOutcome(set: KeySet, scheme: SignatureScheme, token: string, outcome: boolean): void {
  if (token.length > MAX_CACHED_TOKEN_CHARS) return;
  const known = outcomes.get(token) ?? new Map<string, boolean>();
  if (known.size >= MAX_OUTCOMES_OF_TOKEN) known.clear();
  outcomes.set(token, known.set(outcomeName(set, scheme), outcome));
}

/** Whether one of the keys made the token's signature; remembered. Throws BuiltinError when the token is malformed. */
export function verifySignature(set: KeySet, token: Token, scheme: SignatureScheme, spend: Spend): boolean {
  // OPA's order: what is wrong with the signature is told before what is wrong with the header.
  const { text, signature, jose } = token;
  const known = recallOutcome(set, scheme, text);
  if (known !== undefined) return known;
  const outcome = verifyWithAny(set.keys, jose, scheme, token.signed, signature, spend);
  rememberOutcome(set, scheme, text, outcome);
  return outcome;
}
