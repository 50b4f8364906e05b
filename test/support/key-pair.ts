// Key pairs whose keys have left the job that made them. Node 20 holds a key's lock while it exports a JWK, and destroys the
// job of `generateKeyPairSync` under the same lock when garbage is collected: where both meet, the process waits for ever.

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";

const publicKeyEncoding = { type: "spki", format: "pem" } as const;
const privateKeyEncoding = { type: "pkcs8", format: "pem" } as const;

/** Both halves of a pair. */
export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const toPair = (pems: { readonly publicKey: string; readonly privateKey: string }): KeyPair => ({
  publicKey: createPublicKey(pems.publicKey),
  privateKey: createPrivateKey(pems.privateKey),
});

/** A new RSA key. */
export const rsaKeyPair = (modulusLength: number): KeyPair =>
  toPair(generateKeyPairSync("rsa", { modulusLength, publicKeyEncoding, privateKeyEncoding }));

/** A new key on a curve, such as `P-256`. */
export const ecKeyPair = (namedCurve: string): KeyPair =>
  toPair(generateKeyPairSync("ec", { namedCurve, publicKeyEncoding, privateKeyEncoding }));

/** A new Ed25519 key. */
export const ed25519KeyPair = (): KeyPair =>
  toPair(generateKeyPairSync("ed25519", { publicKeyEncoding, privateKeyEncoding }));
