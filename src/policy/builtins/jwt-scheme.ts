// The signature algorithms of tokens (RFC 7518 §3, RFC 8037), by the names of a header's `alg`.

/** How to sign or verify; `hash` is what node:crypto calls it. */
export interface TokenAlgorithm {
  readonly family: "rsa-pkcs1" | "rsa-pss" | "ecdsa" | "ed25519" | "hmac";
  readonly hash: "sha256" | "sha384" | "sha512";
}

const HASHES = { "256": "sha256", "384": "sha384", "512": "sha512" } as const;
const FAMILIES = { RS: "rsa-pkcs1", PS: "rsa-pss", ES: "ecdsa", HS: "hmac" } as const;

/** The algorithm of that name; undefined for any other, `none` among them. */
export function tokenAlgorithm(alg: string): TokenAlgorithm | undefined {
  if (alg === "EdDSA") return { family: "ed25519", hash: "sha512" };
  const match = /^(RS|PS|ES|HS)(256|384|512)$/.exec(alg);
  if (match === null) return undefined;
  const [, family, size] = match as unknown as [string, keyof typeof FAMILIES, keyof typeof HASHES];
  return { family: FAMILIES[family], hash: HASHES[size] };
}
