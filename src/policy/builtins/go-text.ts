// Go's strconv.Quote and IsPrint.

import { quoteCharacter } from "../byte-text.ts";
import { isWellFormed } from "../value.ts";

const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** Go's `strconv.IsPrint`: letters, marks, numbers, punctuation, symbols and the ASCII space. */
export const isPrint = (codePoint: number): boolean => PRINTABLE.test(String.fromCodePoint(codePoint));

/** A character beyond ASCII as the `…ToASCII` forms write it. */
function escapeCodePoint(codePoint: number): string {
  const hex = codePoint.toString(16);
  return codePoint < 0x10000 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}

function escapeRune(char: string, quote: string, asciiOnly: boolean): string {
  if (char === quote) return `\\${quote}`;
  const codePoint = char.codePointAt(0) ?? 0xfffd;
  // A byte that is no UTF-8 (value/bytes.ts).
  if (codePoint >= 0xdc80 && codePoint <= 0xdcff) return `\\x${(codePoint & 0xff).toString(16)}`;
  if (!isWellFormed(char)) return escapeRune("\ufffd", quote, asciiOnly);
  return asciiOnly && codePoint >= 0x80 ? escapeCodePoint(codePoint) : quoteCharacter(char);
}

/** Go's `strconv.Quote` (`"`) or `QuoteRune` (`'`), with `asciiOnly` the `…ToASCII` forms. */
export function goQuote(text: string, quote: '"' | "'" = '"', asciiOnly = false): string {
  let quoted = quote as string;
  for (const char of text) quoted += escapeRune(char, quote, asciiOnly);
  return quoted + quote;
}
