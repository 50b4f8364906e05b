// Strings of Rego as bytes and back. OPA's strings are bytes that need not be UTF-8 (`base64.decode` makes such ones), and
// JavaScript's are not, so a byte that is no part of UTF-8 is a lone low surrogate here: U+DC80 for 0x80 … U+DCFF for 0xff.
// INVARIANT: different bytes are different strings. SECURITY: only bytes out of the module or a builtin become such
// strings; in texts of callers a lone surrogate, raw or escaped, is U+FFFD before anything reads it.

import { isUtf8 } from "node:buffer";
import { characterLength } from "../byte-text.ts";

/** Runs of lone surrogates; in Unicode mode a pair is one character and no match. */
const LONE_SURROGATES = /\p{Surrogate}+/gu;

/** Whether no lone surrogate is in the text: such a text has the bytes of its UTF-8. PERF: V8 knows of most texts. */
export const isWellFormed = (text: string): boolean => (text as string & { isWellFormed(): boolean }).isWellFormed(); // ES2024, in Node since 20

/** Replaces each lone surrogate by U+FFFD, as Go's encoders do for each bad byte. */
export function toWellFormed(text: string): string {
  return isWellFormed(text) ? text : text.replace(/\p{Surrogate}/gu, "\ufffd");
}

/** The bytes of a string. */
export function toBytes(text: string): Buffer {
  if (isWellFormed(text)) return Buffer.from(text, "utf8");
  const parts: Buffer[] = [];
  let start = 0;
  for (const { 0: run, index } of text.matchAll(LONE_SURROGATES)) {
    parts.push(Buffer.from(text.slice(start, index), "utf8"), toRawBytes(run));
    start = index + run.length;
  }
  parts.push(Buffer.from(text.slice(start), "utf8"));
  return Buffer.concat(parts);
}

/** A surrogate that stands for no byte (U+D800…U+DC7F, U+DD00…) is U+FFFD here as everywhere. */
function toRawBytes(run: string): Buffer {
  if (/^[\udc80-\udcff]*$/.test(run)) return Buffer.from(run, "latin1"); // which keeps the low eight bits
  return Buffer.concat(
    Array.from(run, (unit) => (/[\udc80-\udcff]/.test(unit) ? Buffer.from(unit, "latin1") : REPLACEMENT)),
  );
}

const REPLACEMENT = Buffer.from("\ufffd");

/** The string of these bytes: UTF-8 where it is, and a lone surrogate for each byte that is no part of a character. */
export function fromBytes(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString("utf8");
  // PERF: one buffer of UTF-16, which is never longer in units than the bytes are in number: linear for hostile bytes.
  const units = Buffer.allocUnsafe(bytes.length * 2);
  let end = 0;
  for (let at = 0; at < bytes.length; ) {
    const start = at;
    for (let length = characterLength(bytes, at); at < bytes.length && length > 0; length = characterLength(bytes, at))
      at += length;
    if (at > start) end += units.write(bytes.toString("utf8", start, at), end, "utf16le");
    for (; at < bytes.length && characterLength(bytes, at) === 0; at++)
      end = units.writeUInt16LE(0xdc00 | (bytes[at] as number), end);
  }
  return units.toString("utf16le", 0, end);
}

/**
 * The one string of its bytes, for text that was put together: `\udcc3` and `\udca9` beside each other are `é`, whose
 * bytes they are.
 */
export function joinBytes(text: string): string {
  return isWellFormed(text) ? text : fromBytes(toBytes(text));
}

/** The bytes of a string as a text of one character (U+0000–U+00FF) a byte, to search and cut byte by byte. */
export const toLatin1 = (text: string): string => toBytes(text).toString("latin1");

/** The string of such a text. */
export const fromLatin1 = (text: string): string => fromBytes(Buffer.from(text, "latin1"));
