// One entry of a SPIFFE bundle's `keys`: a certificate authority, a key for JWT-SVIDs, or a reason to leave it out.
// SPEC: SPIFFE Trust Domain and Bundle §4.2: an entry whose `kty` or `use` is missing or unknown is ignored; X509-SVID §6
// and JWT-SVID §6 say what the two uses hold; RFC 7517 and RFC 7518 §6 the keys.
// SECURITY: only the public members of a key reach node:crypto, and a key that is too weak, or so large that each use costs
// milliseconds, is left out.

import { createPublicKey, type KeyObject } from "node:crypto";
import { decodeCanonical } from "../base/canonical.ts";
import { toPlainText } from "../base/plain-text.ts";
import type { Certificate } from "./certificate.ts";
import { MAX_RSA_BITS, MIN_RSA_BITS } from "./certificate-key.ts";
import type { JwtAuthority } from "./trust-bundle.ts";
import { type KnownAuthorities, readAuthority } from "./x509-authorities.ts";

/** What an entry means. `private` is no entry to leave out but a document to refuse. */
export type BundleEntry =
  | { readonly kind: "x509"; readonly certificate: Certificate; readonly note?: string }
  | { readonly kind: "jwt"; readonly authority: JwtAuthority }
  | { readonly kind: "ignored"; readonly why: string }
  | { readonly kind: "private" };

type Members = Readonly<Record<string, unknown>>;

/** SPEC: RFC 7518 §6.2.2 and §6.3.2; a symmetric key's `k` is not here, since such an entry is of an unknown `kty`. */
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth"];
const PUBLIC_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  EC: ["crv", "x", "y"],
  RSA: ["n", "e"],
  OKP: ["crv", "x"],
};
const JWT_CURVES = new Set(["prime256v1", "secp384r1", "secp521r1"]);
/** Nobody needs a larger one, and verification costs grow with it. */
const MAX_RSA_EXPONENT = 0xffffffffn;
const MAX_KEY_ID_CHARS = 512;
const BASE64URL = /^[A-Za-z0-9_-]{1,2048}$/;

const ignored = (why: string): BundleEntry => ({ kind: "ignored", why });

/** How entries are read. */
export interface BundleEntryOptions {
  /** What a key means that states no use. */
  readonly keysWithoutUse: "ignored" | "jwt-svid";
  readonly known: KnownAuthorities;
}

/** Reads one entry. */
export function readBundleEntry(entry: unknown, { keysWithoutUse, known }: BundleEntryOptions): BundleEntry {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) return ignored("is no object");
  const members = entry as Members;
  if (PRIVATE_MEMBERS.some((name) => Object.hasOwn(members, name))) return { kind: "private" };
  const kty = member(members, "kty");
  if (typeof kty !== "string" || !Object.hasOwn(PUBLIC_MEMBERS, kty)) return ignored(`\`kty\` is ${show(kty)}`);
  const use = member(members, "use");
  if (use === "x509-svid") return readX509(members, kty, known);
  if (use === "jwt-svid") return readJwt(members, kty, use);
  if (use === undefined && keysWithoutUse === "jwt-svid") return readJwt(members, kty, use);
  return ignored(`\`use\` is ${show(use)}`);
}

function readX509(members: Members, kty: string, known: KnownAuthorities): BundleEntry {
  const chain = member(members, "x5c");
  if (!Array.isArray(chain) || chain.length === 0) return ignored("`x5c` holds no certificate");
  const [first]: readonly unknown[] = chain;
  // SPEC: RFC 7517 §4.7: standard base64, not base64url; padded, as everybody writes it.
  const der = typeof first === "string" ? decodeCanonical(first, "base64") : undefined;
  if (der === undefined) return ignored("`x5c` is no base64");
  const read = readAuthority(der, known);
  if (!read.ok) {
    const why = `\`x5c\` holds no readable certificate (${read.code})`;
    return ignored(read.code === "unfit" ? (read.detail ?? read.code) : why);
  }
  const certificate = read.value;
  // SPEC: RFC 7517 §4.7: the members of the key must be those of the certificate. Without any there is nothing to compare.
  if ((PUBLIC_MEMBERS[kty] ?? []).some((name) => Object.hasOwn(members, name))) {
    const key = toPublicKey(members, kty);
    if (key?.equals(certificate.x509.publicKey) !== true) return ignored("the certificate in `x5c` is of another key");
  }
  if (chain.length === 1) return { kind: "x509", certificate };
  return { kind: "x509", certificate, note: `only the first of ${chain.length} certificates in \`x5c\` counts` };
}

function readJwt(members: Members, kty: string, use: "jwt-svid" | undefined): BundleEntry {
  const keyId = member(members, "kid");
  if (typeof keyId !== "string" || keyId === "") return ignored("`kid` is missing");
  if (keyId.length > MAX_KEY_ID_CHARS) return ignored(`\`kid\` is longer than ${MAX_KEY_ID_CHARS} characters`);
  if (kty === "OKP") return ignored("`kty` is `OKP`, and JWT-SVIDs are signed with RSA or EC keys");
  const key = toPublicKey(members, kty);
  if (key === undefined) return ignored("the members of the key are not those of a public key");
  const fault = findJwtKeyFault(key);
  return fault === undefined ? { kind: "jwt", authority: { keyId, key, use } } : ignored(fault);
}

/** SPEC: JWT-SVID §2.1 takes RS, PS and ES with 256, 384 and 512; RFC 7518 §3.3 wants RSA keys of at least 2048 bits. */
function findJwtKeyFault({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string | undefined {
  if (asymmetricKeyType === "ec") {
    return JWT_CURVES.has(asymmetricKeyDetails?.namedCurve ?? "") ? undefined : "`crv` is not P-256, P-384 or P-521";
  }
  const bits = asymmetricKeyDetails?.modulusLength ?? 0;
  if (bits < MIN_RSA_BITS) return `the RSA key has ${bits} bits: less than ${MIN_RSA_BITS} can be forged`;
  if (bits > MAX_RSA_BITS) return `the RSA key has ${bits} bits: more than ${MAX_RSA_BITS} cost too much at each use`;
  const exponent = asymmetricKeyDetails?.publicExponent ?? 0n;
  return exponent < 3n || exponent > MAX_RSA_EXPONENT || exponent % 2n === 0n
    ? "`e` is no usual RSA exponent"
    : undefined;
}

/** Undefined when a member is missing, is not base64url, or is no point of its curve. */
function toPublicKey(members: Members, kty: string): KeyObject | undefined {
  const key: Record<string, string> = { kty };
  for (const name of PUBLIC_MEMBERS[kty] ?? []) {
    const value = member(members, name);
    if (typeof value !== "string" || !BASE64URL.test(value)) return undefined;
    key[name] = value;
  }
  try {
    return createPublicKey({ key, format: "jwk" });
  } catch {
    return undefined;
  }
}

const member = (members: Members, name: string): unknown => (Object.hasOwn(members, name) ? members[name] : undefined);

/** For a sentence; the text is a stranger's. */
function show(value: unknown): string {
  if (value === undefined) return "missing";
  return typeof value === "string" ? `\`${toPlainText(value.slice(0, 64))}\`, which means nothing here` : "no text";
}
