// JSON Web Keys and key sets (RFC 7517, 7518, 8037) as verification keys, as strict as the JWK library inside OPA: one key
// that cannot be read fails the whole set.

import { createPublicKey, type JsonWebKey, X509Certificate } from "node:crypto";
import { RegoObject, type Value } from "../value.ts";
import { BuiltinError } from "./builtin.ts";
import { parseJson } from "./jwt-token.ts";
import { isArray } from "./operands.ts";
import { CERTIFICATE_STEPS, importSteps } from "./signature-cost.ts";
import { toPublicKey, type VerificationKey } from "./verification-key.ts";

/** Takes steps from the evaluation's budget; see BuiltinContext. */
export type Spend = (steps: number) => void;

/** Most keys in a set. */
const MAX_KEYS = 1_000;

/** Characters of base64 for 16,384 bits, with padding. */
const MAX_RSA_CHARS = 2_732;

/** The signature algorithms that OPA verifies. */
const SIGNATURE_ALGORITHMS: ReadonlySet<string> = new Set(
  "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 HS256 HS384 HS512 EdDSA".split(" "),
);

/** The other registered algorithms: a key for one of them is skipped, a name that is nowhere registered is an error. */
const OTHER_ALGORITHMS: ReadonlySet<string> = new Set(
  (
    "none ES256K Ed25519 Ed448 RSA1_5 RSA-OAEP RSA-OAEP-256 RSA-OAEP-384 RSA-OAEP-512 A128KW A192KW A256KW dir ECDH-ES " +
    "ECDH-ES+A128KW ECDH-ES+A192KW ECDH-ES+A256KW A128GCMKW A192GCMKW A256GCMKW PBES2-HS256+A128KW " +
    "PBES2-HS384+A192KW PBES2-HS512+A256KW A128CBC-HS256 A192CBC-HS384 A256CBC-HS512 A128GCM A192GCM A256GCM"
  ).split(" "),
);

/** The text under `name`; undefined when there is none. Throws BuiltinError for anything else. */
export function textMember(jwk: RegoObject, name: string): string | undefined {
  const value = jwk.get(name);
  if (value !== undefined && typeof value !== "string") throw new BuiltinError(`JWK: \`${name}\` must be a string`);
  return value;
}

/** The bytes under `name`: base64 of either alphabet, with or without padding. */
export function bytesMember(jwk: RegoObject, name: string): Buffer {
  const text = textMember(jwk, name) ?? "";
  const base64 = text.replace(/={0,2}$/, "");
  if (base64 === "" || base64.length % 4 === 1 || !/^[\w+/-]+$/.test(base64)) {
    throw new BuiltinError(`JWK: \`${name}\` is missing or no base64`);
  }
  return Buffer.from(base64, "base64url");
}

/** The integer under `name` as base64url without zero bytes in front; `width` pads them again, for coordinates of a curve. */
export function integerMember(jwk: RegoObject, name: string, width = 0): string {
  const bytes = bytesMember(jwk, name);
  const start = bytes.findIndex((byte) => byte !== 0);
  const trimmed = start < 0 ? Buffer.alloc(0) : bytes.subarray(start);
  const padding = Buffer.alloc(Math.max(width - trimmed.length, 0));
  return Buffer.concat([padding, trimmed]).toString("base64url");
}

/** Bytes of a coordinate, by `crv`. */
export const CURVE_BYTES: ReadonlyMap<string | undefined, number> = new Map([
  ["P-256", 32],
  ["P-384", 48],
  ["P-521", 66],
]);

function importJwk(jwk: JsonWebKey): VerificationKey["key"] {
  try {
    return toPublicKey(createPublicKey({ key: jwk, format: "jwk" }));
  } catch (error) {
    if (error instanceof BuiltinError) throw error;
    throw new BuiltinError("JWK: invalid key");
  }
}

/** The longest exponent that Go's `int` holds; it must be odd. */
function checkExponent(exponent: string): void {
  const bytes = Buffer.from(exponent, "base64url");
  const tooLong = bytes.length > 8 || (bytes.length === 8 && (bytes[0] ?? 0) >= 0x80);
  if (bytes.length === 0 || tooLong || (bytes.at(-1) ?? 0) % 2 === 0) throw new BuiltinError("JWK: invalid exponent");
}

function keyOf(jwk: RegoObject, spend: Spend): VerificationKey["key"] {
  const crv = textMember(jwk, "crv");
  spend(importSteps(CURVE_BYTES.get(crv)));
  switch (textMember(jwk, "kty")) {
    case "oct":
      return { kind: "secret", bytes: bytesMember(jwk, "k") };
    case "RSA": {
      const [n, e] = [integerMember(jwk, "n"), integerMember(jwk, "e")];
      if (n === "") throw new BuiltinError("JWK: missing `n`");
      // SECURITY: arithmetic with private members takes the square of this; OpenSSL uses none that is longer.
      const longest = Math.max(...["n", "d", "p", "q"].map((name) => textMember(jwk, name)?.length ?? 0));
      if (longest > MAX_RSA_CHARS) throw new BuiltinError("JWK: RSA key longer than 16384 bits");
      checkExponent(e);
      return importJwk({ kty: "RSA", n, e });
    }
    case "EC": {
      const width = CURVE_BYTES.get(crv);
      if (crv === undefined || width === undefined) throw new BuiltinError("JWK: unknown curve");
      return importJwk({ kty: "EC", crv, x: integerMember(jwk, "x", width), y: integerMember(jwk, "y", width) });
    }
    case "OKP": {
      const x = bytesMember(jwk, "x");
      if ((crv !== "Ed25519" && crv !== "X25519") || x.length !== 32) throw new BuiltinError("JWK: unknown curve");
      return crv === "X25519" ? { kind: "other" } : importJwk({ kty: "OKP", crv, x: x.toString("base64url") });
    }
    default:
      throw new BuiltinError("JWK: unknown key type");
  }
}

const KEY_OPERATIONS: ReadonlySet<Value> = new Set(
  "sign verify encrypt decrypt wrapKey unwrapKey deriveKey deriveBits".split(" "),
);

function isCertificate(value: Value): boolean {
  if (typeof value !== "string" || !/^[A-Za-z0-9+/]+={0,2}$/.test(value)) return false;
  try {
    return new X509Certificate(Buffer.from(value, "base64")).raw.length > 0;
  } catch {
    return false;
  }
}

/** Members that say what a key is for do not decide anything here, but when malformed they make the key unreadable. */
function checkDescription(jwk: RegoObject, spend: Spend): void {
  textMember(jwk, "use");
  const operations = jwk.get("key_ops") ?? [];
  if (!isArray(operations) || !operations.every((operation) => KEY_OPERATIONS.has(operation))) {
    throw new BuiltinError("JWK: `key_ops` must be an array of operations");
  }
  const chain = jwk.get("x5c") ?? [];
  if (isArray(chain)) spend(chain.length * CERTIFICATE_STEPS);
  if (!isArray(chain) || !chain.every(isCertificate)) throw new BuiltinError("JWK: `x5c` must hold certificates");
}

/** One key; undefined when its algorithm is not one for the signatures of tokens. */
function parseJwk(value: Value, spend: Spend): VerificationKey | undefined {
  if (!(value instanceof RegoObject)) throw new BuiltinError("JWK: must be an object");
  const alg = textMember(value, "alg");
  const kid = textMember(value, "kid") ?? "";
  checkDescription(value, spend);
  const key = keyOf(value, spend);
  const known = alg === undefined || SIGNATURE_ALGORITHMS.has(alg);
  if (!known && !OTHER_ALGORITHMS.has(alg)) throw new BuiltinError("JWK: unknown algorithm");
  return known ? { alg: alg ?? "", kid, key, isPrivate: value.get("d") !== undefined } : undefined;
}

/** The keys of a JWK or of a JWKS, as they are written. Throws BuiltinError. */
export function readJwks(text: string): readonly Value[] {
  const document = parseJson(text);
  if (!(document instanceof RegoObject)) throw new BuiltinError("JWK: must be an object");
  const keys = document.get("keys") ?? undefined;
  if (keys !== undefined && !isArray(keys)) throw new BuiltinError("JWKS: `keys` must be an array");
  if (document.get("keys") === null) throw new BuiltinError("JWKS: `keys` must be an array");
  if (keys !== undefined && keys.length > MAX_KEYS) throw new BuiltinError("JWKS: too many keys");
  return keys ?? [document];
}

/** Those keys of a JWK or of a JWKS that are for signatures of tokens. Throws BuiltinError. */
export const parseJwks = (text: string, spend: Spend): readonly VerificationKey[] => parseKeys(readJwks(text), spend);

/** {@link parseJwks} of keys that are read. */
export const parseKeys = (jwks: readonly Value[], spend: Spend): readonly VerificationKey[] =>
  jwks.map((jwk) => parseJwk(jwk, spend)).filter((key) => key !== undefined);
