// Keys that verify the signatures of tokens: what kind they are decides which algorithms they may serve at all.
// SECURITY: the kind is part of the type, so that no public key's text can ever be used as an HMAC secret.

import { createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { BuiltinError } from "./builtin.ts";
import type { PemBlock } from "./pem.ts";

/** A key and what its set says about it; texts that are not given are "". */
export interface VerificationKey {
  readonly alg: string;
  readonly kid: string;
  readonly key:
    | { readonly kind: "rsa"; readonly key: KeyObject; readonly modulusBits: number; readonly exponentBits: number }
    | { readonly kind: "ec"; readonly key: KeyObject; readonly curveBytes: number }
    | { readonly kind: "ed25519"; readonly key: KeyObject }
    | { readonly kind: "secret"; readonly bytes: Buffer }
    | { readonly kind: "other" };
  /** A private JWK: `io.jwt.decode_verify` takes its public half, the `verify_*` builtins do not. */
  readonly isPrivate: boolean;
}

/** The curves of Go's crypto/elliptic: bytes of a coordinate. */
const CURVES: ReadonlyMap<string | undefined, number> = new Map([
  ["secp224r1", 28],
  ["prime256v1", 32],
  ["secp384r1", 48],
  ["secp521r1", 66],
]);

const isKnownType = (key: KeyObject): boolean =>
  ["rsa", "ec", "ed25519", "dsa", "x25519"].includes(key.asymmetricKeyType ?? "");

/** Sorts a public key by kind. Throws BuiltinError for curves and types that Go does not read. */
export function toPublicKey(key: KeyObject): VerificationKey["key"] {
  switch (key.asymmetricKeyType) {
    case "rsa":
      return { kind: "rsa", key, ...rsaSize(key) };
    case "ec": {
      const curveBytes = CURVES.get(key.asymmetricKeyDetails?.namedCurve);
      if (curveBytes === undefined) throw new BuiltinError("unsupported elliptic curve");
      return { kind: "ec", key, curveBytes };
    }
    case "ed25519":
      return { kind: "ed25519", key };
    case "dsa":
    case "x25519":
      return { kind: "other" };
    default:
      throw new BuiltinError("unknown public key algorithm");
  }
}

/** Bits of an RSA key's modulus and of its public exponent. */
export function rsaSize(key: KeyObject): { readonly modulusBits: number; readonly exponentBits: number } {
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  return { modulusBits: modulusLength, exponentBits: publicExponent.toString(2).length };
}

function keyOfCertificate(der: Buffer): VerificationKey["key"] {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(der);
  } catch {
    throw new BuiltinError("failed to parse a PEM certificate");
  }
  // Node also reads PEM, and takes what stands behind the certificate.
  if (!certificate.raw.equals(der)) throw new BuiltinError("failed to parse a PEM certificate");
  // Go reads certificates with keys of a type that it does not know; nothing verifies with those.
  const { publicKey } = certificate;
  return isKnownType(publicKey) ? toPublicKey(publicKey) : { kind: "other" };
}

function keyOfSpki(der: Buffer): VerificationKey["key"] {
  try {
    return toPublicKey(createPublicKey({ key: der, format: "der", type: "spki" }));
  } catch (error) {
    if (error instanceof BuiltinError) throw error;
    throw new BuiltinError("failed to parse a PEM public key");
  }
}

/** The key in a PEM block, `CERTIFICATE` or `PUBLIC KEY`. Throws BuiltinError. */
export function keyOfPem({ label, der }: PemBlock): VerificationKey {
  if (label === "CERTIFICATE") return { alg: "", kid: "", key: keyOfCertificate(der), isPrivate: false };
  if (label === "PUBLIC KEY") return { alg: "", kid: "", key: keyOfSpki(der), isPrivate: false };
  throw new BuiltinError("failed to extract a key from the PEM block");
}
