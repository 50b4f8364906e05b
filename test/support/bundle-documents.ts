// SPIFFE bundle documents for tests, made of real keys and certificates.

import { generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";

/** Any members: tests make wrong ones. */
export type Entry = Readonly<Record<string, unknown>>;

const base64Of = (certificatePem: string): string => new X509Certificate(certificatePem).raw.toString("base64");

/** An `x509-svid` entry with the certificate and the members of its key. */
export const x509Entry = (certificatePem: string, changes: Entry = {}): Entry => ({
  ...new X509Certificate(certificatePem).publicKey.export({ format: "jwk" }),
  use: "x509-svid",
  x5c: [base64Of(certificatePem)],
  ...changes,
});

/** A `jwt-svid` entry with the public half of `key`. */
export const jwtEntry = (keyId: string, key: KeyObject, changes: Entry = {}): Entry => ({
  ...key.export({ format: "jwk" }),
  use: "jwt-svid",
  kid: keyId,
  ...changes,
});

/** A fresh public key. */
export const ecKey = (namedCurve = "P-256"): KeyObject => generateKeyPairSync("ec", { namedCurve }).publicKey;

/** The text of a document. */
export const bundleText = (keys: readonly unknown[], members: Entry = {}): string =>
  JSON.stringify({ ...members, keys });
