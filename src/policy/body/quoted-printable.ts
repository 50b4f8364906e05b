// Decodes quoted-printable as Go's `mime/quotedprintable` reader does (go1.26), tolerances and line limit included.
// Works on byte texts.

import { fail, ok, type Result } from "../../base/result.ts";
import { quoteGo, trimEndOf } from "../byte-text.ts";

/** SPEC: bufio's default buffer: a line that fills it without a line feed ends the reading with an error. */
export const MAX_LINE_BYTES = 4096;

/** The sentence for a body without its closing delimiter. */
export const CUT_OFF = "unexpected EOF";

/** The sentence for such a line. */
export const LINE_TOO_LONG = "bufio: buffer full";

/**
 * Decodes a whole body; `ended` is false when it was cut off and not delimited, which is an error of its own.
 * The detail of `request_malformed` is Go's sentence.
 */
export function decodeQuotedPrintable(text: string, ended = true): Result<string, "request_malformed"> {
  let decoded = "";
  for (let start = 0; start < text.length; ) {
    const feed = text.indexOf("\n", start);
    const full = feed < 0 ? text.length - start >= MAX_LINE_BYTES : feed - start >= MAX_LINE_BYTES;
    const end = full ? start + MAX_LINE_BYTES : feed < 0 ? text.length : feed + 1;
    const line = decodeLine(text.slice(start, end), ended && !full && feed < 0);
    if (!line.ok) return line;
    if (full) return fail("request_malformed", LINE_TOO_LONG);
    decoded += line.value;
    start = end;
  }
  return ended ? ok(decoded) : fail("request_malformed", CUT_OFF);
}

function decodeLine(line: string, last: boolean): Result<string, "request_malformed"> {
  let content = trimEndOf(line, "\n\r \t");
  if (content.endsWith("=")) {
    const after = line.slice(content.length).replace(/^[ \t]+/, "");
    content = content.slice(0, -1);
    if (!after.startsWith("\n") && !after.startsWith("\r\n") && !(after === "" && content !== "" && last)) {
      const decoded = decodeContent(content);
      return decoded.ok
        ? fail("request_malformed", `quotedprintable: invalid bytes after =: ${quoteGo(after)}`)
        : decoded;
    }
  } else if (line.endsWith("\r\n")) content += "\r\n";
  else if (line.endsWith("\n")) content += "\n";
  return decodeContent(content);
}

/** `=XX` and the bytes that stand for themselves; an `=` before anything but two hex digits is taken as it is. */
function decodeContent(content: string): Result<string, "request_malformed"> {
  let decoded = "";
  for (let at = 0; at < content.length; at++) {
    const character = content[at] as string;
    if (character === "=") {
      const hex = content.slice(at + 1, at + 3);
      if (/^[0-9a-fA-F]{2}$/.test(hex)) {
        decoded += String.fromCharCode(Number.parseInt(hex, 16));
        at += 2;
        continue;
      }
      const next = content[at + 1];
      if (next === undefined || next === "\r" || next === "\n") return fail("request_malformed", hexProblem(hex));
    } else if (/[^\t\r\n -~\x80-\xff]/.test(character)) {
      const code = character.charCodeAt(0).toString(16).padStart(2, "0");
      return fail("request_malformed", `quotedprintable: invalid unescaped byte 0x${code} in body`);
    }
    decoded += character;
  }
  return ok(decoded);
}

function hexProblem(hex: string): string {
  if (hex.length < 2) return "unexpected EOF";
  const code = hex.charCodeAt(/^[0-9a-fA-F]/.test(hex) ? 1 : 0);
  return `quotedprintable: invalid hex byte 0x${code.toString(16).padStart(2, "0")}`;
}
