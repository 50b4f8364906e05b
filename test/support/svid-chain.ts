// Authorities below authorities, and leaves with any extensions, for tests of who is let in. Made with @peculiar/x509 through
// base/x509.ts; keys are P-256 and never leave memory but for the leaf's.

import { randomBytes, webcrypto } from "node:crypto";
import type * as X509 from "@peculiar/x509";
import { type IssuedCertificate, loadX509 } from "../../src/base/x509.ts";

const HOUR_MS = 3_600_000;
const KEY = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNING = { name: "ECDSA", hash: "SHA-256" } as const;

/** Dates are an hour around now unless changed. */
export interface ChainChanges {
  readonly notBeforeUnixMs?: number;
  readonly notAfterUnixMs?: number;
  /** In place of the extensions that an SVID has. */
  readonly extensions?: (x509: typeof X509) => readonly X509.Extension[];
}

/** An authority; its own certificate may be signed by another one. */
export interface ChainAuthority {
  readonly certificatePem: string;
  /** An authority that this one signed. */
  authority(subject: string, changes?: ChainChanges): Promise<ChainAuthority>;
  /** A leaf for these URIs. */
  leaf(uris: readonly string[], changes?: ChainChanges): Promise<IssuedCertificate>;
}

interface Signer {
  readonly keys: webcrypto.CryptoKeyPair;
  readonly subject: string;
}

/** A self-signed authority; two of one `subject` have different keys. */
export const createRoot = (subject = "CN=root", changes: ChainChanges = {}): Promise<ChainAuthority> =>
  createAuthority(subject, undefined, changes);

async function createAuthority(
  subject: string,
  signer: Signer | undefined,
  changes: ChainChanges,
): Promise<ChainAuthority> {
  const x509 = loadX509();
  const keys = await newKeys();
  const own: Signer = { keys, subject };
  const { keyCertSign, cRLSign } = x509.KeyUsageFlags;
  const extensions = changes.extensions?.(x509) ?? [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(keyCertSign | cRLSign, true),
    await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    await x509.AuthorityKeyIdentifierExtension.create((signer ?? own).keys.publicKey),
  ];
  const certificate = await sign(subject, keys, signer ?? own, extensions, changes);
  return {
    certificatePem: certificate,
    authority: (name, more = {}) => createAuthority(name, own, more),
    leaf: async (uris, more = {}) => {
      const leafKeys = await newKeys();
      const leafExtensions = more.extensions?.(x509) ?? [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
        new x509.SubjectAlternativeNameExtension(uris.map((value) => ({ type: "url", value }))),
        await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
      ];
      const privateKey = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", leafKeys.privateKey));
      return {
        certificatePem: await sign("O=SPIRE", leafKeys, own, leafExtensions, more),
        privateKeyPem: `${x509.PemConverter.encode(privateKey, "PRIVATE KEY")}\n`,
      };
    },
  };
}

const newKeys = (): Promise<webcrypto.CryptoKeyPair> => webcrypto.subtle.generateKey(KEY, true, ["sign", "verify"]);

async function sign(
  subject: string,
  keys: webcrypto.CryptoKeyPair,
  signer: Signer,
  extensions: readonly X509.Extension[],
  { notBeforeUnixMs = Date.now() - HOUR_MS, notAfterUnixMs = Date.now() + HOUR_MS }: ChainChanges,
): Promise<string> {
  const certificate = await loadX509().X509CertificateGenerator.create({
    serialNumber: Buffer.concat([Buffer.of(1), randomBytes(15)]).toString("hex"),
    subject,
    issuer: signer.subject,
    notBefore: new Date(notBeforeUnixMs),
    notAfter: new Date(notAfterUnixMs),
    signingAlgorithm: SIGNING,
    publicKey: keys.publicKey,
    signingKey: signer.keys.privateKey,
    extensions: [...extensions],
  });
  return `${certificate.toString("pem")}\n`;
}
