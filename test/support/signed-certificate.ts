// Certificates that are really signed, and otherwise as good or as evil as a test wants: every element can be replaced.

import { constants, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { commonName, element, extension, oid, sequence, subjectAltName } from "./der-certificate.ts";

export type KeyKind =
  | "P-256"
  | "P-384"
  | "P-521"
  | "P-224"
  | "secp256k1"
  | "RSA-2048"
  | "RSA-1024"
  | "RSA-PSS-2048"
  | "Ed25519";
export type Hash = "sha1" | "sha256" | "sha384" | "sha512";

export interface TestKeys {
  readonly kind: KeyKind;
  readonly privateKey: KeyObject;
  /** SubjectPublicKeyInfo. */
  readonly publicKeyDer: Buffer;
}

/** A signed certificate and what is needed to sign below it. */
export interface SignedCertificate {
  readonly der: Buffer;
  readonly pem: string;
  readonly keys: TestKeys;
  readonly subject: Buffer;
  readonly subjectKeyId: string;
}

/** What goes into a certificate; whatever is left out is as a good certificate has it. */
export interface CertificateProfile {
  /** Common name, or a whole Name. */
  readonly subject?: string | Buffer;
  /** Claimed in place of the issuer's own name. */
  readonly issuerName?: string;
  readonly keys?: TestKeys;
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly namesAreCritical?: boolean;
  /** In place of the names that `uris` and `dnsNames` make. */
  readonly names?: Buffer;
  /** The octets of the BIT STRING; undefined leaves the extension out. */
  readonly keyUsage?: readonly number[] | undefined;
  readonly keyUsageIsCritical?: boolean;
  readonly extendedKeyUsage?: readonly string[] | undefined;
  readonly isAuthority?: boolean;
  readonly pathLength?: number;
  readonly nameConstraints?: Buffer;
  /** Whole extensions, behind the others. */
  readonly more?: readonly Buffer[];
  readonly notBeforeUnixMs?: number;
  readonly notAfterUnixMs?: number;
  readonly hash?: Hash;
  /** AlgorithmIdentifier in place of the true one, inside what is signed or outside. */
  readonly signedAlgorithm?: Buffer;
  readonly outerAlgorithm?: Buffer;
  /** Claimed identifiers in hex; null leaves the extension out. */
  readonly authorityKeyId?: string | null;
  readonly subjectKeyId?: string | null;
  readonly serial?: Buffer;
  readonly version?: number;
}

const HOUR_MS = 3_600_000;
const CLIENT_AND_SERVER = ["2b06010505070301", "2b06010505070302"];
const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
const NULL = Buffer.from([0x05, 0]);

const made = new Map<KeyKind, TestKeys>();

/** Fresh keys. */
export function createKeys(kind: KeyKind = "P-256"): TestKeys {
  const { privateKey, publicKey } = generate(kind);
  return { kind, privateKey, publicKeyDer: publicKey.export({ type: "spki", format: "der" }) };
}

/** The same keys every time: RSA keys take long to make. */
export function sharedKeys(kind: KeyKind): TestKeys {
  const keys = made.get(kind) ?? createKeys(kind);
  made.set(kind, keys);
  return keys;
}

function generate(kind: KeyKind): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  switch (kind) {
    case "Ed25519":
      return generateKeyPairSync("ed25519");
    case "RSA-1024":
    case "RSA-2048":
    case "RSA-PSS-2048":
      return generateKeyPairSync("rsa", { modulusLength: Number(kind.slice(-4)) });
    case "P-224":
      return generateKeyPairSync("ec", { namedCurve: "secp224r1" });
    default:
      return generateKeyPairSync("ec", { namedCurve: kind });
  }
}

/** The AlgorithmIdentifier of signatures by such a key. */
export function signatureAlgorithm(kind: KeyKind, hash: Hash): Buffer {
  if (kind === "Ed25519") return sequence(oid("2b6570"));
  if (kind === "RSA-PSS-2048") return pssAlgorithm(hash);
  if (kind.startsWith("RSA")) {
    return sequence(oid(`2a864886f70d0101${{ sha1: "05", sha256: "0b", sha384: "0c", sha512: "0d" }[hash]}`), NULL);
  }
  return sequence(
    oid(
      { sha1: "2a8648ce3d0401", sha256: "2a8648ce3d040302", sha384: "2a8648ce3d040303", sha512: "2a8648ce3d040304" }[
        hash
      ],
    ),
  );
}

function pssAlgorithm(hash: Hash): Buffer {
  const digest = sequence(
    oid(
      { sha1: "2b0e03021a", sha256: "608648016503040201", sha384: "608648016503040202", sha512: "608648016503040203" }[
        hash
      ],
    ),
    NULL,
  );
  return sequence(
    oid("2a864886f70d01010a"),
    sequence(
      element(0xa0, digest),
      element(0xa1, sequence(oid("2a864886f70d010108"), digest)),
      element(0xa2, element(0x02, Buffer.from([32]))),
    ),
  );
}

/** Signs a certificate; without an issuer by its own key. */
export function issueCertificate(
  issuer: SignedCertificate | undefined,
  profile: CertificateProfile,
): SignedCertificate {
  const keys = profile.keys ?? createKeys();
  const signer = issuer?.keys ?? keys;
  const hash = profile.hash ?? "sha256";
  const algorithm = profile.signedAlgorithm ?? signatureAlgorithm(signer.kind, hash);
  const subject = typeof profile.subject === "object" ? profile.subject : commonName(profile.subject ?? "workload");
  const subjectKeyId = profile.subjectKeyId ?? keys.publicKeyDer.subarray(-20).toString("hex");
  const claimedIssuer = profile.issuerName === undefined ? undefined : commonName(profile.issuerName);
  const tbs = sequence(
    element(0xa0, element(0x02, Buffer.from([profile.version ?? 2]))),
    element(0x02, profile.serial ?? Buffer.from([0x0a, 0x0b])),
    algorithm,
    claimedIssuer ?? issuer?.subject ?? subject,
    sequence(
      time(profile.notBeforeUnixMs ?? Date.now() - HOUR_MS),
      time(profile.notAfterUnixMs ?? Date.now() + HOUR_MS),
    ),
    subject,
    keys.publicKeyDer,
    element(0xa3, sequence(...extensionsOf(profile, subjectKeyId, issuer))),
  );
  const digest = signer.kind === "Ed25519" ? null : hash;
  const options = signer.kind === "RSA-PSS-2048" ? { ...PSS, key: signer.privateKey } : signer.privateKey;
  const signature = sign(digest, tbs, options);
  const der = sequence(tbs, profile.outerAlgorithm ?? algorithm, element(0x03, Buffer.from([0]), signature));
  return { der, pem: toPem(der), keys, subject, subjectKeyId };
}

/** DER → PEM as Envoy and OpenSSL write it. */
export const toPem = (der: Uint8Array): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(der)
    .toString("base64")
    .replaceAll(/.{1,64}/g, "$&\n")}-----END CERTIFICATE-----\n`;

/** As `source.certificate` has it: the characters that Envoy escapes, and no others. */
export const toEnvoyText = (der: Uint8Array): string =>
  toPem(der).replaceAll(/[ \n/+=]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);

/** GeneralizedTime or UTCTime, as RFC 5280 wants it. */
function time(unixMs: number): Buffer {
  const digits = new Date(unixMs).toISOString().replaceAll(/[-:T]|\.\d+/g, "");
  return digits < "2050" ? element(0x17, Buffer.from(digits.slice(2))) : element(0x18, Buffer.from(digits));
}

function extensionsOf(
  profile: CertificateProfile,
  subjectKeyId: string,
  issuer: SignedCertificate | undefined,
): readonly Buffer[] {
  const { uris = [], dnsNames = [], isAuthority = false, pathLength, authorityKeyId } = profile;
  const usage = "keyUsage" in profile ? profile.keyUsage : isAuthority ? [0x01, 0x06] : [0x03, 0xa8];
  const extended =
    "extendedKeyUsage" in profile ? profile.extendedKeyUsage : isAuthority ? undefined : CLIENT_AND_SERVER;
  const hasNames = uris.length + dnsNames.length > 0;
  const names = profile.names ?? (hasNames ? subjectAltName(uris, dnsNames, profile.namesAreCritical) : undefined);
  const basic = [
    ...(isAuthority ? [element(0x01, Buffer.from([0xff]))] : []),
    ...(pathLength === undefined ? [] : [element(0x02, Buffer.from([pathLength]))]),
  ];
  const keyId = authorityKeyId === undefined ? issuer?.subjectKeyId : authorityKeyId;
  const all = [
    usage && extension("551d0f", profile.keyUsageIsCritical ?? true, element(0x03, Buffer.from(usage))),
    extended && extension("551d25", false, sequence(...extended.map(oid))),
    extension("551d13", true, sequence(...basic)),
    profile.subjectKeyId === null
      ? undefined
      : extension("551d0e", false, element(0x04, Buffer.from(subjectKeyId, "hex"))),
    typeof keyId === "string"
      ? extension("551d23", false, sequence(element(0x80, Buffer.from(keyId, "hex"))))
      : undefined,
    names,
    profile.nameConstraints,
    ...(profile.more ?? []),
  ];
  return all.filter((one) => one !== undefined);
}

/** An authority: self-signed without an issuer. */
export const issueAuthority = (issuer: SignedCertificate | undefined, profile: CertificateProfile): SignedCertificate =>
  issueCertificate(issuer, { subject: "authority", isAuthority: true, ...profile });

/** A GeneralSubtree list for each kind: `[tag of the name, base]`. */
export function nameConstraints(
  permitted: readonly (readonly [number, string | Buffer])[],
  excluded: readonly (readonly [number, string | Buffer])[] = [],
  critical = true,
): Buffer {
  const list = (tag: number, subtrees: typeof permitted) =>
    subtrees.length === 0
      ? []
      : [element(tag, ...subtrees.map(([kind, base]) => sequence(element(kind, Buffer.from(base)))))];
  return extension("551d1e", critical, sequence(...list(0xa0, permitted), ...list(0xa1, excluded)));
}
