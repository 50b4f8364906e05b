// Takes a JWT-SVID apart as a JWS in compact serialisation, holds its header against the rules, and verifies its signature.
// SPEC: JWT-SVID §2 and §3 (serialisation, `alg`, `kid`, `typ`, and no other header), RFC 7515, RFC 7518 §3.
// SECURITY: one token has one text. Padding, other alphabets and unused bits are refused, or a cache, a log and a receiver
// would each know the same token by another name. The claims are read elsewhere (jwt-claims.ts).

import type { KeyObject } from "node:crypto";
import { decodeCanonical } from "../base/canonical.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { type JsonValue, parseJsonObject } from "../base/strict-json.ts";
import { MIN_RSA_BITS } from "./certificate-key.ts";
import type { JwtSvidCode } from "./codes.ts";

/** Longest token that is looked at; SPIRE's own stay below 2 KiB. */
export const MAX_TOKEN_CHARS = 16 * 1024;

/** SPEC: JWT-SVID §2.1: these and no others; in particular neither `none` nor anything with a shared secret. */
export type JwsAlgorithm = "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" | "ES256" | "ES384" | "ES512";

/** For an elliptic curve its name in OpenSSL: SPEC: RFC 7518 §3.4 binds each ES algorithm to one curve. */
const ALGORITHMS: ReadonlyMap<string, { readonly name: JwsAlgorithm; readonly curve?: string }> = new Map([
  ["RS256", { name: "RS256" }],
  ["RS384", { name: "RS384" }],
  ["RS512", { name: "RS512" }],
  ["PS256", { name: "PS256" }],
  ["PS384", { name: "PS384" }],
  ["PS512", { name: "PS512" }],
  ["ES256", { name: "ES256", curve: "prime256v1" }],
  ["ES384", { name: "ES384", curve: "secp384r1" }],
  ["ES512", { name: "ES512", curve: "secp521r1" }],
]);

/** A token taken apart; nothing in it is verified. */
export interface UnverifiedJws {
  readonly algorithm: JwsAlgorithm;
  /** `kid`; undefined when the header has none. */
  readonly keyId: string | undefined;
  readonly payload: Uint8Array;
  /** The three parts as they stand in the token. */
  readonly encoded: { readonly protected: string; readonly payload: string; readonly signature: string };
}

/** Why a text is no JWS that a JWT-SVID may be. */
export type JwsCode = Extract<JwtSvidCode, "malformed" | "alg" | "typ" | "header" | "kid" | "dup_claims">;

/** Reads a token of at most 16 KiB; of several faults in the header the algorithm is told first. */
export function parseCompactJws(token: string): Result<UnverifiedJws, JwsCode> {
  if (token.length > MAX_TOKEN_CHARS) return fail("malformed", `longer than ${MAX_TOKEN_CHARS} characters`);
  const [header, payload, signature, ...more] = token.split(".", 4);
  if (header === undefined || payload === undefined || signature === undefined || more.length > 0) {
    return fail("malformed", "not the three parts of a compact JWS");
  }
  const headerBytes = decodeCanonical(header, "base64url");
  const payloadBytes = decodeCanonical(payload, "base64url");
  if (
    headerBytes === undefined ||
    payloadBytes === undefined ||
    decodeCanonical(signature, "base64url") === undefined
  ) {
    return fail("malformed", "a part is empty or not canonical base64url");
  }
  const parsed = parseTokenObject(headerBytes, "header");
  if (!parsed.ok) return parsed;
  const checked = checkHeader(parsed.value);
  if (!checked.ok) return checked;
  return ok({ ...checked.value, payload: payloadBytes, encoded: { protected: header, payload, signature } });
}

/** Reads the header or the claims of a token; `part` is for the sentence. */
export function parseTokenObject(
  bytes: Uint8Array,
  part: "header" | "payload",
): Result<ReadonlyMap<string, JsonValue>, "malformed" | "dup_claims"> {
  const parsed = parseJsonObject(bytes);
  if (parsed.ok) return parsed;
  return fail(parsed.code === "duplicate_key" ? "dup_claims" : "malformed", `${part}: ${parsed.detail ?? parsed.code}`);
}

function checkHeader(
  header: ReadonlyMap<string, JsonValue>,
): Result<Pick<UnverifiedJws, "algorithm" | "keyId">, JwsCode> {
  const name = header.get("alg");
  const algorithm = typeof name === "string" ? ALGORITHMS.get(name)?.name : undefined;
  if (algorithm === undefined) return fail("alg", "`alg` is none of RS, PS and ES with 256, 384 or 512");
  // SPEC: JWT-SVID §2: other headers must not be there. SECURITY: `jwk`, `jku` and `x5c` bring the attacker's key along.
  for (const member of header.keys()) {
    if (member !== "alg" && member !== "kid" && member !== "typ") {
      return fail("header", "a header other than `alg`, `kid` and `typ`");
    }
  }
  // SPEC: JWT-SVID §2.3: `JWT` or `JOSE` if present. SECURITY: tokens for other purposes (`at+jwt`, `wit+jwt`) are told by it.
  const type = header.get("typ");
  if (type !== undefined && type !== "JWT" && type !== "JOSE") return fail("typ", "`typ` is neither `JWT` nor `JOSE`");
  const keyId = header.get("kid");
  if (keyId !== undefined && (typeof keyId !== "string" || keyId === "")) return fail("kid", "`kid` is no text");
  return ok({ algorithm, keyId });
}

/** Whether a public key is of the type, curve and size that the algorithm demands. */
export function isKeyFor(
  algorithm: JwsAlgorithm,
  { type, asymmetricKeyType, asymmetricKeyDetails }: KeyObject,
): boolean {
  if (type !== "public") return false;
  const curve = ALGORITHMS.get(algorithm)?.curve;
  if (curve !== undefined) return asymmetricKeyType === "ec" && asymmetricKeyDetails?.namedCurve === curve;
  return asymmetricKeyType === "rsa" && (asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_RSA_BITS;
}

/** Loads what verifies signatures, 25 ms the first time; whoever expects tokens does it early. */
export const loadVerifier = (): Promise<typeof import("jose/jws/flattened/verify")> =>
  import("jose/jws/flattened/verify");

/**
 * Whether `key` made the signature; a key that cannot verify at all made none. Rejects only where the verifier cannot be loaded:
 * that is our fault and says nothing of the token.
 */
export async function isSignedBy(
  { algorithm, encoded }: UnverifiedJws,
  key: KeyObject,
  load = loadVerifier,
): Promise<boolean> {
  if (!isKeyFor(algorithm, key)) return false;
  const { flattenedVerify } = await load();
  try {
    await flattenedVerify(encoded, key, { algorithms: [algorithm] });
    return true;
  } catch {
    return false;
  }
}
