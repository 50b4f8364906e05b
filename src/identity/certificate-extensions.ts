// The certificate extensions that identity rests on: names, key usages, authority, key identifiers, name constraints.
// SPEC: RFC 5280 §4.2.1. An extension that is not listed in `EXTENSION` is unknown; a critical one of those ends every path
// (certificate policies and policy constraints too: policies are not processed here).

import type { DerElement } from "../base/der.ts";
import {
  children,
  content,
  hex,
  latin1,
  malformed,
  need,
  only,
  presentTrue,
  sequence,
  smallNumber,
  TAG,
} from "./der-reader.ts";
import { NAME, type NameConstraints, readNameConstraints } from "./name-constraints.ts";

/** One of the names of a subject: the identifier octet says of which kind it is. */
export interface GeneralName {
  readonly tag: number;
  readonly value: Uint8Array;
}

export interface KeyUsage {
  readonly critical: boolean;
  readonly digitalSignature: boolean;
  readonly keyCertSign: boolean;
  readonly crlSign: boolean;
  /** The nine bits, digitalSignature first; for comparing with other libraries. */
  readonly bits: string;
}

/** What the extensions say. */
export interface CertificateExtensions {
  /** All subject alternative names, in order. */
  readonly names: readonly GeneralName[];
  /** URI subject alternative names, in order, Latin-1. */
  readonly uris: readonly string[];
  /** DNS subject alternative names, in order, Latin-1. */
  readonly dnsNames: readonly string[];
  readonly namesAreCritical: boolean;
  readonly isAuthority: boolean;
  /** How many authorities may follow below; undefined when there is no limit. */
  readonly pathLength: number | undefined;
  /** Undefined when the extension is absent. */
  readonly keyUsage: KeyUsage | undefined;
  /** Object identifiers as lower-case hex of their DER content; undefined when the extension is absent. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  /** Lower-case hex; undefined when absent. */
  readonly subjectKeyId: string | undefined;
  readonly authorityKeyId: string | undefined;
  readonly nameConstraints: NameConstraints | undefined;
  /** Object identifiers (hex) of critical extensions that are not processed here. */
  readonly unknownCritical: readonly string[];
}

const EXTENSION = {
  subjectKeyId: "551d0e",
  keyUsage: "551d0f",
  subjectAltName: "551d11",
  basicConstraints: "551d13",
  nameConstraints: "551d1e",
  authorityKeyId: "551d23",
  extendedKeyUsage: "551d25",
} as const;
const KNOWN: ReadonlySet<string> = new Set(Object.values(EXTENSION));
/** SPEC: RFC 5280 §4.2.1.6: the nine choices of GeneralName; in DER each is either primitive or constructed. */
const NAME_TAGS: ReadonlySet<number> = new Set([0xa0, 0x81, 0x82, 0xa3, 0xa4, 0xa5, 0x86, 0x87, 0x88]);
/** More are in no certificate that means well. */
const MAX_EXTENSIONS = 64;

interface Extension {
  readonly critical: boolean;
  /** The one element in its octets. */
  readonly value: DerElement;
}

/** Reads the list; `undefined` stands for an extension that comes twice. */
export function readExtensions(der: Uint8Array, list: DerElement | undefined): CertificateExtensions | undefined {
  const found = new Map<string, Extension>();
  const unknownCritical: string[] = [];
  const all = list === undefined ? [] : sequence(der, list);
  if (all.length > MAX_EXTENSIONS || (list !== undefined && all.length === 0)) malformed();
  const seen = new Set<string>();
  for (const extension of all) {
    const parts = sequence(der, extension);
    if (parts.length < 2 || parts.length > 3) malformed();
    const name = hex(der, need(parts[0], TAG.oid));
    const octets = need(parts.at(-1), TAG.octetString);
    const critical = presentTrue(der, parts.length === 3 ? parts[1] : undefined);
    if (seen.has(name)) return undefined;
    seen.add(name);
    if (KNOWN.has(name)) found.set(name, { critical, value: only(der, octets.start, octets.end) });
    else if (critical) unknownCritical.push(name);
  }
  const alternative = found.get(EXTENSION.subjectAltName);
  const names = alternative === undefined ? [] : sequence(der, alternative.value);
  if (alternative !== undefined && names.length === 0) malformed();
  if (!names.every(({ tag }) => NAME_TAGS.has(tag))) malformed();
  const textsOf = (tag: number) => names.filter((name) => name.tag === tag).map((name) => latin1(der, name));
  const constraints = found.get(EXTENSION.nameConstraints);
  const usages = found.get(EXTENSION.extendedKeyUsage);
  const subjectKeyId = found.get(EXTENSION.subjectKeyId);
  return {
    names: names.map((name) => ({ tag: name.tag, value: content(der, name) })),
    uris: textsOf(NAME.uri),
    dnsNames: textsOf(NAME.dns),
    namesAreCritical: alternative?.critical === true,
    ...basicConstraints(der, found.get(EXTENSION.basicConstraints)),
    keyUsage: keyUsage(der, found.get(EXTENSION.keyUsage)),
    extendedKeyUsage: usages && sequence(der, usages.value).map((oid) => hex(der, need(oid, TAG.oid))),
    subjectKeyId: subjectKeyId && hex(der, need(subjectKeyId.value, TAG.octetString)),
    authorityKeyId: authorityKeyId(der, found.get(EXTENSION.authorityKeyId)),
    nameConstraints: constraints && readNameConstraints(der, constraints.value),
    unknownCritical,
  };
}

function basicConstraints(
  der: Uint8Array,
  extension: Extension | undefined,
): { readonly isAuthority: boolean; readonly pathLength: number | undefined } {
  if (extension === undefined) return { isAuthority: false, pathLength: undefined };
  const parts = [...sequence(der, extension.value)];
  const isAuthority = parts[0]?.tag === TAG.boolean && presentTrue(der, parts.shift());
  const pathLength = parts.length === 0 ? undefined : smallNumber(der, parts.shift());
  // SPEC: RFC 5280 §4.2.1.9: a path length has a meaning for authorities only.
  if (parts.length > 0 || (pathLength !== undefined && !isAuthority)) malformed();
  return { isAuthority, pathLength };
}

function keyUsage(der: Uint8Array, extension: Extension | undefined): KeyUsage | undefined {
  if (extension === undefined) return undefined;
  const { start, end } = need(extension.value, TAG.bitString);
  const [unused = 8, high = 0, low = 0] = der.subarray(start, end);
  const octets = end - start - 1;
  // X.690 §11.2.2 wants no zero bits at the end, which not every authority heeds; no reader can mistake them for anything.
  const last = octets === 2 ? low : high;
  const isRead = octets === 0 ? unused === 0 : unused < 8 && (last & ((1 << unused) - 1)) === 0;
  if (octets < 0 || octets > 2 || !isRead) malformed();
  const bits = (high * 256 + low).toString(2).padStart(16, "0").slice(0, 9);
  return {
    critical: extension.critical,
    digitalSignature: bits[0] === "1",
    keyCertSign: bits[5] === "1",
    crlSign: bits[6] === "1",
    bits,
  };
}

/** The key identifier of the issuer; an issuer's name and serial number beside it are left to OpenSSL's comparison. */
function authorityKeyId(der: Uint8Array, extension: Extension | undefined): string | undefined {
  if (extension === undefined) return undefined;
  need(extension.value, TAG.sequence);
  const keyId = children(der, extension.value).find(({ tag }) => tag === 0x80);
  return keyId && hex(der, keyId);
}
