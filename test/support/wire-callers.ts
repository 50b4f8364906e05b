// Certificates that callers show to an Envoy: names of every shape, a chain with an intermediate, one that nobody signed.

import { webcrypto } from "node:crypto";
import { type IssuedCertificate, loadX509 } from "../../src/base/x509.ts";
import { createTestAuthority, type TestAuthority } from "./ca.ts";

const KEY = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNING = { name: "ECDSA", hash: "SHA-256" } as const;
const HOUR_MS = 3_600_000;

/** The trust domain of all callers but strangers. */
export const TRUST_DOMAIN = "example.org";

export interface WireCallers {
  readonly authority: TestAuthority;
  /** The anchor of `chained` and `authorityLeaf`, which is not `authority`. */
  readonly chainRootPem: string;
  /** The caller of most requests. */
  readonly web: IssuedCertificate;
  /** A leaf under an intermediate; `certificatePem` holds both, leaf first. */
  readonly chained: IssuedCertificate & { readonly leafPem: string; readonly intermediatePem: string };
  /** May sign certificates, under the same intermediate. */
  readonly authorityLeaf: IssuedCertificate;
  /** Signed by its own key, with the ID of an administrator. */
  readonly selfSigned: IssuedCertificate;
}

export const WEB_ID = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/web`;
export const CHAINED_ID = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/chained`;
export const ADMIN_ID = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/admin`;

/** Makes them all, with keys of their own. */
export async function createWireCallers(): Promise<WireCallers> {
  const authority = await createTestAuthority(TRUST_DOMAIN);
  const [root, intermediate, leaf, signer, alone] = await Promise.all([
    newKeys(),
    newKeys(),
    newKeys(),
    newKeys(),
    newKeys(),
  ]);
  const rootPem = await sign({
    subject: "CN=chain root",
    uri: `spiffe://${TRUST_DOMAIN}`,
    isAuthority: true,
    keys: root,
  });
  const intermediatePem = await sign({
    subject: "CN=chain intermediate",
    uri: `spiffe://${TRUST_DOMAIN}`,
    isAuthority: true,
    keys: intermediate,
    issuer: { name: "CN=chain root", keys: root },
  });
  const leafPem = await sign({
    subject: "C=US,O=SPIRE",
    uri: CHAINED_ID,
    isAuthority: false,
    keys: leaf,
    issuer: { name: "CN=chain intermediate", keys: intermediate },
  });
  const signerPem = await sign({
    subject: "CN=signer",
    uri: ADMIN_ID,
    isAuthority: true,
    keys: signer,
    issuer: { name: "CN=chain intermediate", keys: intermediate },
  });
  const alonePem = await sign({ subject: "CN=alone", uri: ADMIN_ID, isAuthority: false, keys: alone });
  return {
    authority,
    chainRootPem: rootPem,
    web: await authority.svid("/ns/shop/sa/web"),
    chained: { certificatePem: leafPem + intermediatePem, privateKeyPem: await keyPem(leaf), leafPem, intermediatePem },
    authorityLeaf: { certificatePem: signerPem + intermediatePem, privateKeyPem: await keyPem(signer) },
    selfSigned: { certificatePem: alonePem, privateKeyPem: await keyPem(alone) },
  };
}

interface Signing {
  readonly subject: string;
  readonly uri: string;
  readonly isAuthority: boolean;
  readonly keys: webcrypto.CryptoKeyPair;
  /** The subject itself when absent. */
  readonly issuer?: { readonly name: string; readonly keys: webcrypto.CryptoKeyPair };
}

async function sign({ subject, uri, isAuthority, keys, issuer }: Signing): Promise<string> {
  const x509 = loadX509();
  const { keyCertSign, digitalSignature } = x509.KeyUsageFlags;
  const now = Date.now();
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: `01${Buffer.from(webcrypto.getRandomValues(new Uint8Array(15))).toString("hex")}`,
    subject,
    issuer: issuer?.name ?? subject,
    notBefore: new Date(now - HOUR_MS),
    notAfter: new Date(now + HOUR_MS),
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    signingAlgorithm: SIGNING,
    extensions: [
      new x509.BasicConstraintsExtension(isAuthority, undefined, true),
      new x509.KeyUsagesExtension(isAuthority ? keyCertSign | digitalSignature : digitalSignature, true),
      new x509.SubjectAlternativeNameExtension([{ type: "url", value: uri }]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create((issuer?.keys ?? keys).publicKey),
    ],
  });
  return `${certificate.toString("pem")}\n`;
}

const newKeys = (): Promise<webcrypto.CryptoKeyPair> => webcrypto.subtle.generateKey(KEY, true, ["sign", "verify"]);

async function keyPem(keys: webcrypto.CryptoKeyPair): Promise<string> {
  const bytes = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  return `${loadX509().PemConverter.encode(bytes, "PRIVATE KEY")}\n`;
}
