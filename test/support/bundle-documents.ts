// SPIFFE bundle documents for tests, made of real keys and certificates.

import { generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import { loadX509 } from "../../src/base/x509.ts";

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

/** A self-signed certificate with these flags, valid for the hours around now. */
export async function selfSigned(
  isAuthority: boolean,
  usage: "keyCertSign" | "digitalSignature" | "none",
): Promise<string> {
  const x509 = await loadX509();
  const keys = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: "O=test",
    notBefore: new Date(Date.now() - 3_600_000),
    notAfter: new Date(Date.now() + 3_600_000),
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(isAuthority, undefined, true),
      ...(usage === "none" ? [] : [new x509.KeyUsagesExtension(x509.KeyUsageFlags[usage], true)]),
      new x509.SubjectAlternativeNameExtension([{ type: "url", value: "spiffe://example.org" }]),
    ],
  });
  return `${certificate.toString("pem")}\n`;
}
