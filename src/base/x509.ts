// The one door to @peculiar/x509 (with reflect-metadata, which it needs at load): makes X.509 certificates for SPIFFE
// workloads, as a throwaway authority for demonstrations and tests, and reads the extensions of others'. It verifies nothing.
// SPEC: X509-SVID §3–§4: one URI SAN, key usage digitalSignature on leaves, keyCertSign on authorities.
// PERF: the package costs 150 to 300 ms, so it is loaded at first need, or when a service that will need it starts.

import { randomBytes, webcrypto } from "node:crypto";
import { createRequire } from "node:module";
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

let loaded: typeof X509 | undefined;

/** Loads the package, if it is not loaded. Synchronous: a first certificate must not wait for a turn of the event loop. */
export function loadX509(): typeof X509 {
  if (loaded === undefined) {
    createRequire(import.meta.url)("reflect-metadata");
    loaded = createRequire(import.meta.url)("@peculiar/x509") as typeof X509;
  }
  return loaded;
}

/** What @peculiar/x509 reads in a certificate's extensions; undefined or empty where an extension is absent. */
export interface ExtensionValues {
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  readonly isAuthority: boolean;
  readonly pathLength: number | undefined;
  /** Nine digits, digitalSignature first. */
  readonly keyUsageBits: string | undefined;
  /** Dotted object identifiers. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  /** Lower-case hex. */
  readonly subjectKeyId: string | undefined;
  readonly authorityKeyId: string | undefined;
}

/** Reads them, or gives undefined when the package cannot. It takes bytes behind the certificate, and doubled extensions. */
export function readExtensionValues(der: Uint8Array): ExtensionValues | undefined {
  const x509 = loadX509();
  try {
    const certificate = new x509.X509Certificate(der);
    const names = certificate.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? [];
    const constraints = certificate.getExtension(x509.BasicConstraintsExtension);
    const usages = certificate.getExtension(x509.KeyUsagesExtension)?.usages;
    const valuesOf = (kind: string) => names.filter(({ type }) => type === kind).map(({ value }) => value);
    return {
      uris: valuesOf("url"),
      dnsNames: valuesOf("dns"),
      isAuthority: constraints?.ca === true,
      pathLength: constraints?.pathLength,
      // The package's flags begin at the lowest bit.
      keyUsageBits: usages === undefined ? undefined : [...usages.toString(2).padStart(9, "0")].reverse().join(""),
      extendedKeyUsage: certificate.getExtension(x509.ExtendedKeyUsageExtension)?.usages.map(String),
      subjectKeyId: certificate.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId,
      authorityKeyId: certificate.getExtension(x509.AuthorityKeyIdentifierExtension)?.keyId,
    };
  } catch {
    return undefined;
  }
}

/** Makes a self-signed authority with a P-256 key that never leaves memory. */
export async function createAuthority(profile: AuthorityProfile): Promise<CertificateAuthority> {
  const x509 = loadX509();
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
