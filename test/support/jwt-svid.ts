// JWT-SVIDs as an issuer makes them, and as an attacker would: signed by node:crypto, apart from the library that verifies them.

import { constants, createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { JwtAuthority } from "../../src/identity/trust-bundle.ts";
import type { HeldBundle, TrustBundleSource } from "../../src/identity/trust-bundles.ts";

/** A key pair of an issuer. */
export interface SigningKey {
  readonly keyId: string;
  readonly algorithm: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

const CURVES: Readonly<Record<string, string>> = {
  ES256: "P-256",
  ES384: "P-384",
  ES512: "P-521",
  ES256K: "secp256k1",
};

/** A new key for an algorithm: EC for `ES…`, Ed25519 for `EdDSA`, else RSA. */
export function createSigningKey(algorithm: string, keyId = `key-${algorithm}`, rsaBits = 2048): SigningKey {
  const namedCurve = CURVES[algorithm];
  const pair =
    algorithm === "EdDSA"
      ? generateKeyPairSync("ed25519")
      : namedCurve === undefined
        ? generateKeyPairSync("rsa", { modulusLength: rsaBits })
        : generateKeyPairSync("ec", { namedCurve });
  return { keyId, algorithm, ...pair };
}

export const encodePart = (part: unknown): string =>
  Buffer.from(typeof part === "string" ? part : JSON.stringify(part)).toString("base64url");

/** A signature by the rules of `algorithm`. */
export function signText(text: string, algorithm: string, key: KeyObject): Buffer {
  const bytes = Buffer.from(text);
  if (algorithm === "EdDSA") return sign(null, bytes, key);
  const hash = `sha${algorithm.slice(2, 5)}`;
  if (algorithm.startsWith("ES")) return sign(hash, bytes, { key, dsaEncoding: "ieee-p1363" });
  if (algorithm.startsWith("PS")) {
    return sign(hash, bytes, {
      key,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    });
  }
  return sign(hash, bytes, key);
}

/** The two parts, each an object or its very text, signed by the key whatever they say. */
export function signToken(header: unknown, payload: unknown, { algorithm, privateKey }: SigningKey): string {
  const text = `${encodePart(header)}.${encodePart(payload)}`;
  return `${text}.${signText(text, algorithm, privateKey).toString("base64url")}`;
}

/** HMAC under any secret: the key-confusion attack. */
export function signWithSecret(header: unknown, payload: unknown, secret: string | Buffer): string {
  const text = `${encodePart(header)}.${encodePart(payload)}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

/** Bundles of trust domains, which a test may change. */
export interface HandBundles extends TrustBundleSource {
  /** Replaces the keys of a trust domain, under a new generation. */
  set(trustDomain: string, keys: readonly SigningKey[]): void;
  remove(trustDomain: string): void;
}

export function createHandBundles(): HandBundles {
  const held = new Map<string, HeldBundle>();
  let generation = 0;
  return {
    find: (trustDomain) => held.get(trustDomain),
    remove: (trustDomain) => void held.delete(trustDomain),
    set: (trustDomain, keys) => {
      generation++;
      const authority = ({ keyId, publicKey }: SigningKey): [string, JwtAuthority] => [
        keyId,
        { keyId, key: publicKey, use: "jwt-svid" },
      ];
      const jwtAuthorities = new Map(keys.map(authority));
      const rest = { x509Authorities: [], sequence: undefined, refreshHintSeconds: undefined, ignored: [] };
      held.set(trustDomain, {
        bundle: { trustDomain, jwtAuthorities, ...rest },
        generation,
        source: "file",
        lastSuccessUnixMs: 0,
      });
    },
  };
}
