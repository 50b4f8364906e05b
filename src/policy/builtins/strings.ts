// `strings.any_prefix_match`, `any_suffix_match`, `count`, `split_n` and `indexof_n` (v1/topdown/strings.go).
// Positions and lengths count code points, as OPA does; a byte that is no UTF-8 is one.

import { fromLatin1, isWellFormed, RegoNumber, RegoSet, toLatin1, toWellFormed, type Value } from "../value.ts";
import { BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { int64Operand, isArray, operandError, stringOperand, stringsOperand } from "./operands.ts";
import { findText } from "./search-text.ts";

/** The strings of an operand that is one string, or an array or set of strings. */
function textsOperand(args: readonly Value[], index: number): readonly string[] {
  const value = args[index];
  if (typeof value === "string") return [value];
  if (!isArray(value) && !(value instanceof RegoSet)) throw operandError(args, index, "one of {string, set, array}");
  return stringsOperand(args, index);
}

/**
 * Texts to compare byte by byte, as Go does: a bad byte can be one byte of a character elsewhere. Texts of UTF-8 stay as
 * they are, where bytes and characters give the same answers; else each becomes one character per byte.
 */
function toComparable(texts: readonly string[]): readonly string[] {
  return texts.every(isWellFormed) ? texts : texts.map(toLatin1);
}

/** First index in `sorted` whose string is not below `text`. */
function lowerBound(sorted: readonly string[], text: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? "") < text) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Strings that share a prefix sort together, right behind the prefix: one look per prefix instead of one per pair. */
function anyStartsWithAny(texts: readonly string[], prefixes: readonly string[]): boolean {
  const sorted = [...texts].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return prefixes.some((prefix) => sorted[lowerBound(sorted, prefix)]?.startsWith(prefix) ?? false);
}

const reversed = (text: string): string => text.split("").reverse().join("");

function matchesAny(texts: readonly string[], affixes: readonly string[], turn: (text: string) => string): boolean {
  const comparable = toComparable([...texts, ...affixes]).map(turn);
  return anyStartsWithAny(comparable.slice(0, texts.length), comparable.slice(texts.length));
}

function count(text: string, pattern: string): number {
  if (pattern !== "") {
    const [within = "", wanted = ""] = toComparable([text, pattern]);
    return findText(within, wanted, false).length;
  }
  let runes = 1;
  for (const _ of text) runes++;
  return runes;
}

/** Go's `strings.SplitN`: at most `limit` parts, the last one unsplit; an empty delimiter splits into code points. */
function splitN(text: string, delimiter: string, limit: number): string[] {
  if (delimiter === "") {
    const runes = [...text];
    if (runes.length <= limit) return runes;
    return [...runes.slice(0, limit - 1), runes.slice(limit - 1).join("")];
  }
  const parts: string[] = [];
  const [whole = "", separator = ""] = toComparable([text, delimiter]);
  const toPart = (start: number, end?: number): string => {
    const part = whole.slice(start, end);
    return whole === text ? part : fromLatin1(part);
  };
  let start = 0;
  for (const at of findText(whole, separator, false, limit - 1)) {
    parts.push(toPart(start, at));
    start = at + separator.length;
  }
  parts.push(toPart(start));
  return parts;
}

/** The first `wanted` parts, or for a negative number the last ones. */
function splitParts(text: string, delimiter: string, wanted: number): readonly string[] {
  if (wanted >= 0) return splitN(text, delimiter, wanted + 1).slice(0, wanted);
  return splitN(text, delimiter, Number.POSITIVE_INFINITY).slice(wanted);
}

function indexesOf(text: string, pattern: string): number[] {
  if (pattern === "") throw new BuiltinError("empty search character");
  // Go compares runes here, and every bad byte is the same one.
  const whole = toWellFormed(text);
  const indexes: number[] = [];
  let codePoints = 0;
  let unit = 0;
  for (const at of findText(whole, toWellFormed(pattern), true)) {
    for (; unit < at; unit++) if ((whole.charCodeAt(unit) & 0xfc00) !== 0xdc00) codePoints++;
    indexes.push(codePoints);
  }
  return indexes;
}

/** The `strings.*` builtins that OPA's runtime does not carry, and `indexof_n`. */
export const stringBuiltins: BuiltinFamily = {
  "strings.any_prefix_match": (args) => matchesAny(textsOperand(args, 0), textsOperand(args, 1), (text) => text),
  "strings.any_suffix_match": (args) => matchesAny(textsOperand(args, 0), textsOperand(args, 1), reversed),
  "strings.count": (args) => RegoNumber.of(count(stringOperand(args, 0), stringOperand(args, 1))),
  "strings.split_n": (args) =>
    splitParts(stringOperand(args, 0), stringOperand(args, 1), Number(int64Operand(args, 2))),
  indexof_n: (args) => indexesOf(stringOperand(args, 0), stringOperand(args, 1)).map((at) => RegoNumber.of(at)),
};
