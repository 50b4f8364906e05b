// JSON strings of printable ASCII only, with a bound on what is written: for audit and log lines, where text comes from strangers.
// SECURITY: `JSON.stringify` leaves DEL, C1 controls (0x9b starts a terminal sequence), bidi controls and line separators as they
// are, so a path could repaint the terminal or reorder the line of whoever reads the log. Here everything beyond 0x20–0x7e is
// `\uXXXX`. That also makes characters and bytes the same count. It does not write objects: lines are built field by field.

const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
const CUT = "\\u2026";

const escapeUnit = (unit: number): string => `\\u${unit.toString(16).padStart(4, "0")}`;

/** One code point as it stands in a JSON string; a lone surrogate becomes U+FFFD, so that every parser reads the line. */
function escapePoint(point: number): string {
  if (point === 0x22) return '\\"';
  if (point === 0x5c) return "\\\\";
  if (point >= 0x20 && point <= 0x7e) return String.fromCharCode(point);
  if (point === 0x0a) return "\\n";
  if (point === 0x09) return "\\t";
  if (point >= 0xd800 && point <= 0xdfff) return "\\ufffd";
  if (point <= 0xffff) return escapeUnit(point);
  return escapeUnit(0xd800 + ((point - 0x10000) >> 10)) + escapeUnit(0xdc00 + ((point - 0x10000) & 0x3ff));
}

/**
 * Writes `text` as a JSON string with its quotes, in printable ASCII.
 * Between the quotes stand at most `maxChars` (at least 6) characters, escapes counted; a cut value ends in `\u2026` ("…").
 */
export function quoteAscii(text: string, maxChars: number): string {
  // PERF: the plain case is one regular expression and one concatenation.
  if (text.length <= maxChars && PLAIN.test(text)) return `"${text}"`;
  let written = "";
  let kept = 0; // how much of `written` may stay when the cut mark has to follow
  for (let at = 0; at < text.length; ) {
    const point = text.codePointAt(at) ?? 0;
    const piece = escapePoint(point);
    if (written.length + piece.length > maxChars) return `"${written.slice(0, kept)}${CUT}"`;
    written += piece;
    if (written.length + CUT.length <= maxChars) kept = written.length;
    at += point > 0xffff ? 2 : 1;
  }
  return `"${written}"`;
}
