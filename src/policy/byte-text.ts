// Text as the plugin's Go code sees it: a string of bytes that need not be UTF-8. Here such a "byte text" is a string with
// one character (U+0000–U+00FF) per byte; it becomes real text last, and what is not UTF-8 becomes U+FFFD, one per byte,
// as Go does when it prints. (The plugin's policy sees the raw byte; no JSON text can carry it.)

import { isUtf8 } from "node:buffer";

// biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII begins with control characters
const ASCII = /^[\u0000-\u007f]*$/;

/** The byte text of a string. */
export function toByteText(text: string): string {
  return ASCII.test(text) ? text : Buffer.from(text, "utf8").toString("latin1");
}

/** The string of a byte text; every byte that is not part of UTF-8 becomes U+FFFD. */
export function fromByteText(byteText: string): string {
  return ASCII.test(byteText) ? byteText : decodeUtf8(Buffer.from(byteText, "latin1"));
}

/** Decodes UTF-8; every byte that is not part of a character becomes U+FFFD, one each (Go's `utf8.DecodeRune`). */
export function decodeUtf8(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString("utf8");
  // PERF: one buffer, three bytes for each byte at worst: a body of bad bytes stays linear in time and memory.
  const text = Buffer.allocUnsafe(bytes.length * REPLACEMENT.length);
  let end = 0;
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes, at);
    end += length > 0 ? bytes.copy(text, end, at, at + length) : REPLACEMENT.copy(text, end);
    at += Math.max(length, 1);
  }
  return text.toString("utf8", 0, end);
}

const REPLACEMENT = Buffer.from("\ufffd");

/** The number of bytes of the character at `at`, or 0 when there is none (RFC 3629 §4). */
export function characterLength(bytes: Buffer, at: number): number {
  const first = bytes[at] as number;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const second = bytes[at + 1] ?? 0;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let next = 2; next < length; next++) if (((bytes[at + next] ?? 0) & 0xc0) !== 0x80) return 0;
  return length;
}

/** JSON text of a string. PERF: most strings need no escape, and a test is cheaper than JSON.stringify. */
export function quoteJson(text: string): string {
  return ESCAPED.test(text) ? JSON.stringify(text) : `"${text}"`;
}
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON's list of characters that must be escaped
const ESCAPED = /["\\\u0000-\u001f\ud800-\udfff]/;

/** SECURITY: error sentences go into the answer, twice: what they quote of a request of megabytes is its beginning. */
const MAX_QUOTED_BYTES = 2_048;

/** A byte text in Go's `%q` form, for error sentences: `"a\x00é"`; a longer one than 2,048 bytes ends in `"...`. */
export function quoteGo(byteText: string): string {
  if (byteText.length > MAX_QUOTED_BYTES) return `${quoteGo(byteText.slice(0, MAX_QUOTED_BYTES))}...`;
  const bytes = Buffer.from(byteText, "latin1");
  let quoted = "";
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes, at);
    quoted += length === 0 ? hexEscape(bytes[at] as number) : quoteCharacter(bytes.toString("utf8", at, at + length));
    at += Math.max(length, 1);
  }
  return `"${quoted.replace(/"/g, '\\"')}"`;
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  "\u0007": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
};

/** One character as Go's `strconv.Quote` writes it between the quotes; a `"` stays as it is. */
export function quoteCharacter(character: string): string {
  const short = SHORT_ESCAPES[character];
  if (short !== undefined) return short;
  if (/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(character)) return character;
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20 || code === 0x7f) return hexEscape(code);
  return code < 0x1_0000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\U${code.toString(16).padStart(8, "0")}`;
}

const hexEscape = (code: number): string => `\\x${code.toString(16).padStart(2, "0")}`;

/** The text without the characters of `set` at its end. PERF: a regular expression would try every run of them (O(n²)). */
export function trimEndOf(text: string, set: string): string {
  let end = text.length;
  while (end > 0 && set.includes(text[end - 1] as string)) end--;
  return text.slice(0, end);
}
