// What the readers of certificates share: DER primitives that leave by one exception, so that nested structures read as they
// are written down. SPEC: X.690 §8, §11 (DER): one encoding for each value; everything else is malformed.
// The exception never leaves this folder's parsers: `readOr` turns it into their code.

import { type DerElement, derChildren, readDer } from "../base/der.ts";

/** Identifier octets. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const;

const CONSTRUCTED = 0x20;

/** Thrown by the functions below: a long way out of nested structures. */
const MALFORMED = new Error("malformed DER");

/** Ends the reading. */
export function malformed(): never {
  throw MALFORMED;
}

/** What `read` gives, or undefined when anything in it was malformed. */
export function readOr<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error !== MALFORMED) throw error;
    return undefined;
  }
}

/** The element, which must be there and, when `tag` is given, be of that kind. */
export function need(element: DerElement | undefined, tag?: number): DerElement {
  if (element === undefined || (tag !== undefined && element.tag !== tag)) return malformed();
  return element;
}

/** The elements in a constructed one. */
export const children = (der: Uint8Array, parent: DerElement): readonly DerElement[] =>
  derChildren(der, parent) ?? malformed();

/** The elements of a SEQUENCE. */
export const sequence = (der: Uint8Array, element: DerElement | undefined): readonly DerElement[] =>
  children(der, need(element, TAG.sequence));

/** Ends the reading of more elements or levels than these; what an OCTET STRING holds counts when it is elements too. */
export function needModest(der: Uint8Array, top: DerElement, maxElements: number, maxDepth: number): void {
  let count = 0;
  const visit = (element: DerElement, depth: number): void => {
    if (++count > maxElements || depth > maxDepth) malformed();
    if ((element.tag & CONSTRUCTED) !== 0) {
      for (const child of children(der, element)) visit(child, depth + 1);
    } else if (element.tag === TAG.octetString) {
      const held = readDer(der, element.start, element.end);
      if (held?.end === element.end && (held.tag & CONSTRUCTED) !== 0) visit(held, depth + 1);
    }
  };
  visit(top, 1);
}

/** The only element between `start` and `end`. */
export function only(der: Uint8Array, start: number, end: number): DerElement {
  const element = need(readDer(der, start, end));
  return element.end === end ? element : malformed();
}

/** The content of an element, a view. */
export const content = (der: Uint8Array, { start, end }: DerElement): Uint8Array => der.subarray(start, end);

/** Lower-case hex of the content. */
export const hex = (der: Uint8Array, element: DerElement): string => view(der, element).toString("hex");

/** The content, a character for each byte. */
export const latin1 = (der: Uint8Array, element: DerElement): string => view(der, element).toString("latin1");

const view = (der: Uint8Array, { start, end }: DerElement): Buffer =>
  Buffer.from(der.buffer, der.byteOffset + start, end - start);

/** A BOOLEAN that DER writes only when it is true, its default being false; false when it is absent. */
export function presentTrue(der: Uint8Array, element: DerElement | undefined): boolean {
  if (element === undefined) return false;
  const isTrue = element.tag === TAG.boolean && element.end - element.start === 1 && der[element.start] === 0xff;
  return isTrue || malformed();
}

/** The content of an INTEGER that is zero or more, in its shortest form. */
export function naturalNumber(der: Uint8Array, element: DerElement | undefined): Uint8Array {
  const bytes = content(der, need(element, TAG.integer));
  const [first = 0x80, second = 0x80] = bytes;
  if (first >= 0x80 || (first === 0 && bytes.length > 1 && second < 0x80)) return malformed();
  return bytes;
}

/** An INTEGER below 2^31. */
export function smallNumber(der: Uint8Array, element: DerElement | undefined): number {
  const bytes = naturalNumber(der, element);
  return bytes.length > 4 ? malformed() : bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

/** The octets of a BIT STRING without unused bits. */
export function bitStringOctets(der: Uint8Array, element: DerElement | undefined): DerElement {
  const bits = need(element, TAG.bitString);
  return der[bits.start] === 0 && bits.end > bits.start ? { ...bits, start: bits.start + 1 } : malformed();
}

/** `2b06…` → `1.3.6.…`; for people and for comparing with other libraries. */
export function oidText(hexOfContent: string): string {
  const numbers: bigint[] = [];
  let number = 0n;
  for (const byte of Buffer.from(hexOfContent, "hex")) {
    number = number * 128n + BigInt(byte & 0x7f);
    if (byte >= 0x80) continue;
    if (numbers.length === 0) {
      const arc = number < 80n ? number / 40n : 2n;
      numbers.push(arc, number - arc * 40n);
    } else {
      numbers.push(number);
    }
    number = 0n;
  }
  return numbers.join(".");
}

/** Unix milliseconds. SPEC: RFC 5280 §4.1.2.5: `YYMMDDhhmmssZ` means 1950 to 2049, `YYYYMMDDhhmmssZ` any year. */
export function time(der: Uint8Array, element: DerElement | undefined): number {
  const found = need(element);
  const short = found.tag === TAG.utcTime;
  if (!short && found.tag !== TAG.generalizedTime) malformed();
  const form = short ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/ : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
  const match = form.exec(latin1(der, found)) ?? malformed();
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const fullYear = short ? year + (year < 50 ? 2000 : 1900) : year;
  const unixMs = Date.UTC(fullYear, month - 1, day, hour, minute, second);
  const back = new Date(unixMs);
  const same = back.getUTCFullYear() === fullYear && back.getUTCMonth() === month - 1 && back.getUTCDate() === day;
  return same && hour <= 23 && minute <= 59 && second <= 59 ? unixMs : malformed();
}
