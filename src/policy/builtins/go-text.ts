// Text as Go sees it: bytes to strings with one U+FFFD per bad byte, and strconv.Quote.
// Go's strings are bytes and ours are UTF-16, so a string that is no valid UTF-8 cannot cross unharmed: see docs/builtins.md.

import { toWellFormed } from "../value.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * `bytes` as text; each byte that is not part of valid UTF-8 becomes U+FFFD, as Go's JSON encoder prints it
 * (the WHATWG decoder would make one U+FFFD of several).
 */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    let text = "";
    for (let at = 0; at < bytes.length; ) {
      const length = validLength(bytes, at);
      text += length === 0 ? "\ufffd" : utf8.decode(bytes.subarray(at, at + length));
      at += length === 0 ? 1 : length;
    }
    return text;
  }
}

/** Length in bytes of the well-formed sequence at `at` (Unicode 15 table 3-7), or 0. */
function validLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + length > bytes.length) return 0;
  const second = bytes[at + 1] ?? 0;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i = at + 2; i < at + length; i++) if (((bytes[i] ?? 0) & 0xc0) !== 0x80) return 0;
  return length;
}

const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** Go's `strconv.IsPrint`: letters, marks, numbers, punctuation, symbols and the ASCII space. */
export const isPrint = (codePoint: number): boolean => PRINTABLE.test(String.fromCodePoint(codePoint));

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
};

const hex = (value: number, width: number): string => value.toString(16).padStart(width, "0");

function escapeRune(char: string, quote: string, asciiOnly: boolean): string {
  if (char === quote) return `\\${quote}`;
  const short = SHORT_ESCAPES[char];
  if (short !== undefined) return short;
  const codePoint = char.codePointAt(0) ?? 0xfffd;
  if (codePoint < 0x7f && codePoint >= 0x20) return char;
  if (codePoint >= 0x80 && !asciiOnly && isPrint(codePoint)) return char;
  if (codePoint < 0x20 || codePoint === 0x7f) return `\\x${hex(codePoint, 2)}`;
  return codePoint < 0x10000 ? `\\u${hex(codePoint, 4)}` : `\\U${hex(codePoint, 8)}`;
}

/** Go's `strconv.Quote` (`"`) or `QuoteRune` (`'`), with `asciiOnly` the `…ToASCII` forms. */
export function goQuote(text: string, quote: '"' | "'" = '"', asciiOnly = false): string {
  let quoted = quote as string;
  for (const char of toWellFormed(text)) quoted += escapeRune(char, quote, asciiOnly);
  return quoted + quote;
}
