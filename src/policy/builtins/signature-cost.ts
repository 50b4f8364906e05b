// What signatures cost, in steps of the evaluation's budget (builtin.ts): the time that node:crypto takes, as measured with
// OpenSSL 3, rounded up. SECURITY: keys may come from a request, and a large modulus or curve takes milliseconds.

/** Go's crypto/rsa refuses keys below this. */
export const MIN_RSA_BITS = 1_024;

/** One reading of a key of RSA, Ed25519 or HMAC; with a certificate around it, CERTIFICATE_STEPS. */
const IMPORT_STEPS = 30_000;
/** One reading of a certificate. */
export const CERTIFICATE_STEPS = 200_000;

/** By bytes of a coordinate: OpenSSL has fast code for P-256 only. */
const CURVE_STEPS: ReadonlyMap<number, number> = new Map([
  [28, 1_000_000],
  [32, 150_000],
  [48, 2_000_000],
  [66, 4_000_000],
]);

/** What decides. */
export type CostlyKey =
  | { readonly kind: "rsa"; readonly modulusBits: number; readonly exponentBits: number }
  | { readonly kind: "ec"; readonly curveBytes: number }
  | { readonly kind: "ed25519" | "secret" | "other" };

/** Steps to read a key; with a point on a curve, which is checked, about as many as to verify. */
export const importSteps = (curveBytes?: number): number =>
  curveBytes === undefined ? IMPORT_STEPS : (CURVE_STEPS.get(curveBytes) ?? IMPORT_STEPS);

/** Steps to verify one signature; an HMAC is linear in its operands, which are paid for. */
export function verifyingSteps(key: CostlyKey): number {
  if (key.kind === "rsa")
    return Math.ceil(60_000 * (key.modulusBits / 2_048) ** 2 * Math.max(1, key.exponentBits / 17));
  if (key.kind === "ec") return CURVE_STEPS.get(key.curveBytes) ?? 0;
  return key.kind === "ed25519" ? 250_000 : 0;
}

/** Steps to make one signature: with RSA, by the cube of the key's length. */
export function signingSteps(key: CostlyKey): number {
  return key.kind === "rsa" ? Math.ceil(1_200_000 * (key.modulusBits / 2_048) ** 3) : verifyingSteps(key);
}
