// The detached signature of a data document: Ed25519 or ECDSA over the file's bytes, base64. It says who wrote the bytes, not that
// they are the newest: an older file with its older signature verifies too.
// SPEC: RFC 8032; FIPS 186-5 with SHA-256, SHA-384 or SHA-512 for P-256, P-384, P-521, the signature in DER as openssl writes it.

import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { decodeCanonical } from "../base/canonical.ts";
import { fail, ok, type Result } from "../base/result.ts";

/** Longest text of a signature; one of P-521 has 188 characters. */
export const MAX_SIGNATURE_BYTES = 1024;
/** Longest PEM of a public key. */
export const MAX_PUBLIC_KEY_BYTES = 16 * 1024;

/** A public key that signatures are verified with. */
export interface SignatureKey {
  readonly key: KeyObject;
  /** Undefined where the scheme has its own. */
  readonly digest: string | undefined;
}

const DIGESTS: Readonly<Record<string, string>> = { prime256v1: "sha256", secp384r1: "sha384", secp521r1: "sha512" };

/** Reads a public key in PEM (SubjectPublicKeyInfo). A private key is refused: it has no business beside what it signs. */
export function parseSignatureKey(pem: string): Result<SignatureKey, "key"> {
  if (!pem.trimStart().startsWith("-----BEGIN PUBLIC KEY-----"))
    return fail("key", "expected a public key in PEM: `-----BEGIN PUBLIC KEY-----`");
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    return fail("key", "not a public key in PEM");
  }
  if (key.asymmetricKeyType === "ed25519") return ok({ key, digest: undefined });
  const digest = key.asymmetricKeyType === "ec" ? DIGESTS[key.asymmetricKeyDetails?.namedCurve ?? ""] : undefined;
  return digest === undefined
    ? fail("key", "expected Ed25519, or ECDSA on P-256, P-384 or P-521")
    : ok({ key, digest });
}

/** Whether `signature`, base64 with at most a line feed behind it, is the key's signature over the bytes. */
export function isSignedBy({ key, digest }: SignatureKey, bytes: Uint8Array, signature: string): boolean {
  const text = signature.replace(/\r?\n$/, "");
  const decoded = decodeCanonical(text, "base64");
  if (decoded === undefined) return false;
  try {
    return verify(digest, bytes, key, decoded);
  } catch {
    return false;
  }
}
