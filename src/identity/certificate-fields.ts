// The fields of an X.509 certificate that identity rests on, read from its DER: validity, URI names, key usages.
// SPEC: RFC 5280 §4. Signatures are not looked at: whoever calls this has had the chain verified.
// SECURITY: node:crypto shows names as text that has to be split, key usages not at all, and of a doubled extension the first.

import { type DerElement, derChildren, readDer } from "../base/der.ts";
import { fail, ok, type Result } from "../base/result.ts";

/** What is read of a certificate. */
export interface CertificateFields {
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
  /** URI subject alternative names, in order, Latin-1; other kinds of names are not kept. */
  readonly uris: readonly string[];
  readonly isAuthority: boolean;
  /** Undefined when the extension is absent. */
  readonly keyUsage: KeyUsage | undefined;
  /** Object identifiers as lower-case hex of their DER content; undefined when the extension is absent. */
  readonly extendedKeyUsage: readonly string[] | undefined;
}

export interface KeyUsage {
  readonly critical: boolean;
  readonly digitalSignature: boolean;
  readonly keyCertSign: boolean;
  readonly crlSign: boolean;
}

export type CertificateFieldsCode = "cert_parse" | "dup_extension";

const SEQUENCE = 0x30;
const OID = 0x06;
const BOOLEAN = 0x01;
const OCTET_STRING = 0x04;
const BIT_STRING = 0x03;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const EXPLICIT_0 = 0xa0;
const EXPLICIT_3 = 0xa3;
const URI_NAME = 0x86;

const EXTENSION = {
  subjectAltName: "551d11",
  basicConstraints: "551d13",
  keyUsage: "551d0f",
  extendedKeyUsage: "551d25",
} as const;

interface Extension {
  readonly critical: boolean;
  readonly content: DerElement;
}

/** Thrown inside this module only: a long way out of nested structures. */
const MALFORMED = new Error("malformed certificate");

/** Reads a whole certificate. Bytes behind it, and two extensions of one kind, are refused. */
export function parseCertificateFields(der: Uint8Array): Result<CertificateFields, CertificateFieldsCode> {
  try {
    return readCertificate(der);
  } catch (error) {
    if (error !== MALFORMED) throw error;
    return fail("cert_parse");
  }
}

function readCertificate(der: Uint8Array): Result<CertificateFields, CertificateFieldsCode> {
  const certificate = need(readDer(der, 0, der.length));
  if (certificate.end !== der.length) throw MALFORMED;
  const [tbs] = sequence(der, certificate);
  const fields = sequence(der, need(tbs));
  // Version 3 (explicit 0), serial, signature, issuer, validity, subject, key; then optional ones.
  if (fields[0]?.tag !== EXPLICIT_0) throw MALFORMED;
  const [notBefore, notAfter] = sequence(der, need(fields[4]));
  const holder = fields.find(({ tag }) => tag === EXPLICIT_3);
  const extensions = new Map<string, Extension>();
  if (holder !== undefined) {
    for (const extension of sequence(der, need(children(der, holder)[0]))) {
      const [oid, ...rest] = sequence(der, extension);
      const content = rest.at(-1);
      if (oid?.tag !== OID || content?.tag !== OCTET_STRING || rest.length > 2) throw MALFORMED;
      const flag = rest.length === 2 ? rest[0] : undefined;
      if (flag !== undefined && flag.tag !== BOOLEAN) throw MALFORMED;
      const name = hex(der, oid);
      if (extensions.has(name)) return fail("dup_extension");
      extensions.set(name, { critical: flag !== undefined && der[flag.start] === 0xff, content });
    }
  }
  return ok({
    notBeforeUnixMs: time(der, need(notBefore)),
    notAfterUnixMs: time(der, need(notAfter)),
    uris: uriNames(der, extensions.get(EXTENSION.subjectAltName)),
    isAuthority: isAuthority(der, extensions.get(EXTENSION.basicConstraints)),
    keyUsage: keyUsage(der, extensions.get(EXTENSION.keyUsage)),
    extendedKeyUsage: extendedKeyUsage(der, extensions.get(EXTENSION.extendedKeyUsage)),
  });
}

function need(element: DerElement | undefined): DerElement {
  if (element === undefined) throw MALFORMED;
  return element;
}

function children(der: Uint8Array, parent: DerElement): readonly DerElement[] {
  const found = derChildren(der, parent);
  if (found === undefined) throw MALFORMED;
  return found;
}

function sequence(der: Uint8Array, element: DerElement): readonly DerElement[] {
  if (element.tag !== SEQUENCE) throw MALFORMED;
  return children(der, element);
}

/** The one element that an extension's octets hold. */
function inner(der: Uint8Array, { content }: Extension): DerElement {
  const element = need(readDer(der, content.start, content.end));
  if (element.end !== content.end) throw MALFORMED;
  return element;
}

const hex = (der: Uint8Array, { start, end }: DerElement): string =>
  Buffer.from(der.buffer, der.byteOffset + start, end - start).toString("hex");

const latin1 = (der: Uint8Array, { start, end }: DerElement): string =>
  Buffer.from(der.buffer, der.byteOffset + start, end - start).toString("latin1");

function uriNames(der: Uint8Array, extension: Extension | undefined): readonly string[] {
  if (extension === undefined) return [];
  return sequence(der, inner(der, extension))
    .filter(({ tag }) => tag === URI_NAME)
    .map((name) => latin1(der, name));
}

function isAuthority(der: Uint8Array, extension: Extension | undefined): boolean {
  if (extension === undefined) return false;
  const [first] = sequence(der, inner(der, extension));
  return first?.tag === BOOLEAN && der[first.start] !== 0;
}

function keyUsage(der: Uint8Array, extension: Extension | undefined): KeyUsage | undefined {
  if (extension === undefined) return undefined;
  const bits = inner(der, extension);
  if (bits.tag !== BIT_STRING || bits.end - bits.start < 1) throw MALFORMED;
  // Bit 0 is the highest of the octet behind the count of unused bits.
  const octet = bits.end - bits.start > 1 ? (der[bits.start + 1] ?? 0) : 0;
  return {
    critical: extension.critical,
    digitalSignature: (octet & 0x80) !== 0,
    keyCertSign: (octet & 0x04) !== 0,
    crlSign: (octet & 0x02) !== 0,
  };
}

function extendedKeyUsage(der: Uint8Array, extension: Extension | undefined): readonly string[] | undefined {
  return extension === undefined ? undefined : sequence(der, inner(der, extension)).map((oid) => hex(der, oid));
}

/** SPEC: RFC 5280 §4.1.2.5: `YYMMDDhhmmssZ` until 2049, `YYYYMMDDhhmmssZ` from 2050 on. */
function time(der: Uint8Array, element: DerElement): number {
  const text = latin1(der, element);
  const short = element.tag === UTC_TIME;
  if (!short && element.tag !== GENERALIZED_TIME) throw MALFORMED;
  const match = (short ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/ : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/).exec(
    text,
  );
  if (match === null) throw MALFORMED;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const fullYear = short ? year + (year < 50 ? 2000 : 1900) : year;
  const unixMs = Date.UTC(fullYear, month - 1, day, hour, minute, second);
  const back = new Date(unixMs);
  if (back.getUTCMonth() !== month - 1 || back.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59) {
    throw MALFORMED;
  }
  return unixMs;
}
