// Keys and signature algorithms of certificates, and which of them are too weak to believe. Read from the DER, before any
// library does arithmetic with numbers that a stranger chose.
// SPEC: identity rests on RSA of 2048 to 8192 bits, P-256, P-384, P-521 and Ed25519, with SHA-256 or better (RFC 5480, RFC 4055,
// RFC 8410). SECURITY: bounds above too: verifying with a huge modulus or exponent would be a way to spend our time.

import type { DerElement } from "../base/der.ts";
import {
  bitStringOctets,
  children,
  content,
  hex,
  malformed,
  naturalNumber,
  need,
  oidText,
  only,
  sequence,
  TAG,
} from "./der-reader.ts";

/** A certificate's public key, as far as its strength goes. */
export interface CertificateKey {
  readonly type: "EC" | "RSA" | "Ed25519" | "other";
  /** In bits; 0 for keys of no known type. */
  readonly size: number;
  /** Why nothing that this key signed is believed; undefined when it is strong enough. */
  readonly weakness: string | undefined;
}

/** How a certificate was signed. */
export interface SignatureAlgorithm {
  /** E.g. `ecdsa-with-SHA256`; the dotted object identifier of an algorithm that is not known. */
  readonly name: string;
  readonly weakness: string | undefined;
}

const KEY = {
  rsa: "2a864886f70d010101",
  rsaPss: "2a864886f70d01010a",
  ec: "2a8648ce3d0201",
  ed25519: "2b6570",
} as const;
const CURVE_BITS: Readonly<Record<string, number>> = { "2a8648ce3d030107": 256, "2b81040022": 384, "2b81040023": 521 };
/** Of any key that identity rests on; SPEC: RFC 7518 §3.3 for tokens. */
export const MIN_RSA_BITS = 2048;
export const MAX_RSA_BITS = 8192;
const MAX_EXPONENT_BYTES = 5;

const SIGNATURE: Readonly<Record<string, string>> = {
  "2a8648ce3d040302": "ecdsa-with-SHA256",
  "2a8648ce3d040303": "ecdsa-with-SHA384",
  "2a8648ce3d040304": "ecdsa-with-SHA512",
  "2a864886f70d01010b": "sha256WithRSAEncryption",
  "2a864886f70d01010c": "sha384WithRSAEncryption",
  "2a864886f70d01010d": "sha512WithRSAEncryption",
  [KEY.ed25519]: "Ed25519",
};
/** Known to be weak; the name says it better than a number. */
const WEAK_SIGNATURE: Readonly<Record<string, string>> = {
  "2a864886f70d010104": "md5WithRSAEncryption",
  "2a864886f70d010105": "sha1WithRSAEncryption",
  "2a8648ce3d0401": "ecdsa-with-SHA1",
};
const SHA2: ReadonlySet<string> = new Set(["608648016503040201", "608648016503040202", "608648016503040203"]);
const MGF1 = "2a864886f70d010108";

const weak = (type: CertificateKey["type"], size: number, weakness: string): CertificateKey => ({
  type,
  size,
  weakness,
});

/** Reads a SubjectPublicKeyInfo. */
export function readKey(der: Uint8Array, element: DerElement | undefined): CertificateKey {
  const [algorithm, bits, ...others] = sequence(der, element);
  const [oid, parameters, ...rest] = sequence(der, algorithm);
  if (others.length > 0 || rest.length > 0) malformed();
  const key = bitStringOctets(der, bits);
  const name = hex(der, need(oid, TAG.oid));
  if (name === KEY.rsa || name === KEY.rsaPss) return rsaKey(der, key);
  if (name === KEY.ed25519) return { type: "Ed25519", size: 256, weakness: undefined };
  if (name !== KEY.ec) return weak("other", 0, `a key of type ${oidText(name)}`);
  const size = parameters?.tag === TAG.oid ? CURVE_BITS[hex(der, parameters)] : undefined;
  return size === undefined
    ? weak("EC", 0, "a curve other than P-256, P-384 and P-521")
    : { type: "EC", size, weakness: undefined };
}

function rsaKey(der: Uint8Array, octets: DerElement): CertificateKey {
  const [modulus, exponent, ...rest] = sequence(der, only(der, octets.start, octets.end));
  if (rest.length > 0) malformed();
  const number = naturalNumber(der, modulus);
  const start = number[0] === 0 ? 1 : 0;
  const size = (number.length - start) * 8 - Math.clz32(number[start] ?? 0) + 24;
  const power = naturalNumber(der, exponent);
  if (size < MIN_RSA_BITS || size > MAX_RSA_BITS) return weak("RSA", size, `an RSA key of ${size} bits`);
  const isFit =
    power.length <= MAX_EXPONENT_BYTES && ((power.at(-1) ?? 0) & 1) === 1 && (power.length > 1 || power[0] !== 1);
  return isFit ? { type: "RSA", size, weakness: undefined } : weak("RSA", size, "an RSA key with an unfit exponent");
}

/** Reads both AlgorithmIdentifiers of a certificate, which must be the same. */
export function readSignatureAlgorithm(
  der: Uint8Array,
  signed: DerElement | undefined,
  outer: DerElement | undefined,
): SignatureAlgorithm {
  const [oid, parameters, ...rest] = sequence(der, signed);
  sequence(der, outer);
  if (rest.length > 0) malformed();
  const id = hex(der, need(oid, TAG.oid));
  const name = SIGNATURE[id];
  const same = Buffer.compare(content(der, need(signed)), content(der, need(outer))) === 0;
  if (!same) return { name: name ?? oidText(id), weakness: "two different signature algorithms" };
  if (id === KEY.rsaPss) {
    const strong = parameters !== undefined && isStrongPss(der, parameters);
    return { name: "RSASSA-PSS", weakness: strong ? undefined : "RSASSA-PSS without SHA-256 or better" };
  }
  if (name === undefined) {
    const told = WEAK_SIGNATURE[id] ?? oidText(id);
    return { name: told, weakness: `a signature by ${told}` };
  }
  // SPEC: RFC 4055 §5: NULL or nothing; RFC 5758 §3.2 and RFC 8410 §3: nothing.
  const isEmpty = parameters === undefined || (name.endsWith("RSAEncryption") && isNull(parameters));
  return { name, weakness: isEmpty ? undefined : `a signature by ${name} with parameters` };
}

const isNull = ({ tag, start, end }: DerElement): boolean => tag === TAG.null && start === end;

/** SPEC: RFC 4055 §3.1: what is absent has its default, which is SHA-1. */
function isStrongPss(der: Uint8Array, parameters: DerElement): boolean {
  const fields = sequence(der, parameters);
  const field = (tag: number): DerElement | undefined => {
    const holder = fields.find((element) => element.tag === tag);
    return holder && children(der, holder)[0];
  };
  const isSha2 = (algorithm: DerElement | undefined): boolean =>
    algorithm !== undefined && SHA2.has(hex(der, need(sequence(der, algorithm)[0], TAG.oid)));
  const mask = field(0xa1);
  const [maskId, maskHash] = mask === undefined ? [] : sequence(der, mask);
  return isSha2(field(0xa0)) && maskId !== undefined && hex(der, maskId) === MGF1 && isSha2(maskHash);
}
