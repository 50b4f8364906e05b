// The one door to @peculiar/x509 (with reflect-metadata, which it needs at load): makes X.509 certificates for SPIFFE
// workloads, as a throwaway authority for demonstrations and tests. It verifies nothing.
// SPEC: X509-SVID §3–§4: one URI SAN, key usage digitalSignature on leaves, keyCertSign on authorities.
// PERF: the package costs 150 ms, so it is loaded when the first authority is made and never by a serving process.

import { randomBytes, webcrypto } from "node:crypto";
import type * as X509 from "@peculiar/x509";

/** A certificate and its private key, as PEM. */
export interface IssuedCertificate {
  readonly certificatePem: string;
  /** PKCS #8. */
  readonly privateKeyPem: string;
}

/** What a leaf certificate says. */
export interface LeafProfile {
  /** URI subject alternative names; an X509-SVID has exactly one. */
  readonly uris: readonly string[];
  readonly dnsNames?: readonly string[];
  /** Distinguished name, e.g. `O=example`; the default is what SPIRE writes. */
  readonly subject?: string;
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
}

/** A certificate authority that lives as long as the process. */
export interface CertificateAuthority {
  readonly certificatePem: string;
  /** Makes a fresh P-256 key and signs a certificate for it. */
  issue(profile: LeafProfile): Promise<IssuedCertificate>;
}

/** Names and dates of an authority. */
export interface AuthorityProfile {
  /** E.g. `spiffe://example.org`. */
  readonly uri: string;
  readonly subject?: string;
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
}

const KEY = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNING = { name: "ECDSA", hash: "SHA-256" } as const;
const SUBJECT = "C=US,O=SPIRE";

let loaded: Promise<typeof X509> | undefined;

function loadX509(): Promise<typeof X509> {
  loaded ??= (async () => {
    await import("reflect-metadata");
    return import("@peculiar/x509");
  })();
  return loaded;
}

/** Makes a self-signed authority with a P-256 key that never leaves memory. */
export async function createAuthority(profile: AuthorityProfile): Promise<CertificateAuthority> {
  const x509 = await loadX509();
  const keys = await generateKeys();
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    ...base(profile),
    name: profile.subject ?? SUBJECT,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      new x509.SubjectAlternativeNameExtension([{ type: "url", value: profile.uri }]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    certificatePem: pem(authority),
    issue: async (leaf) => {
      const leafKeys = await generateKeys();
      const names = [
        ...leaf.uris.map((value) => ({ type: "url" as const, value })),
        ...(leaf.dnsNames ?? []).map((value) => ({ type: "dns" as const, value })),
      ];
      const certificate = await x509.X509CertificateGenerator.create({
        ...base(leaf),
        subject: leaf.subject ?? SUBJECT,
        issuer: authority.subject,
        publicKey: leafKeys.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyAgreement, true),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
          ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
          await x509.SubjectKeyIdentifierExtension.create(leafKeys.publicKey),
          await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
        ],
      });
      const privateKey = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", leafKeys.privateKey));
      return {
        certificatePem: pem(certificate),
        privateKeyPem: `${x509.PemConverter.encode(privateKey, "PRIVATE KEY")}\n`,
      };
    },
  };
}

const generateKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(KEY, true, ["sign", "verify"]);

const pem = (certificate: X509.X509Certificate): string => `${certificate.toString("pem")}\n`;

const base = ({ notBeforeUnixMs, notAfterUnixMs }: { notBeforeUnixMs: number; notAfterUnixMs: number }) => ({
  // SPEC: RFC 5280 §4.1.2.2 wants a positive number of at most 20 octets.
  serialNumber: Buffer.concat([Buffer.of(1), randomBytes(15)]).toString("hex"),
  notBefore: new Date(notBeforeUnixMs),
  notAfter: new Date(notAfterUnixMs),
  signingAlgorithm: SIGNING,
});
