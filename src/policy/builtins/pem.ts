// Reads one PEM block (RFC 7468) as strictly as OPA does: text before it is skipped, nothing may follow it.

import { BuiltinError } from "./builtin.ts";

/** A decoded block: the label between the dashes, and the bytes. */
export interface PemBlock {
  readonly label: string;
  readonly der: Buffer;
}

/** Longest certificate or key text; a JWKS of a thousand keys fits. */
export const MAX_KEY_TEXT_CHARS = 1024 * 1024;

const BEGIN = "-----BEGIN ";

/** The block in `text`, undefined when there is none to begin with; throws BuiltinError when it is broken or not alone. */
export function parsePem(text: string): PemBlock | undefined {
  const start = text.startsWith(BEGIN) ? 0 : text.indexOf(`\n${BEGIN}`) + 1;
  if (start === 0 && !text.startsWith(BEGIN)) return undefined;
  const lineEnd = text.indexOf("\n", start);
  const label = /^-----BEGIN ([^\n]*)-----[ \t\r]*$/.exec(text.slice(start, lineEnd))?.[1];
  if (lineEnd < 0 || label === undefined) throw new BuiltinError("broken PEM block");
  const endLine = `\n-----END ${label}-----`;
  const end = text.indexOf(endLine, lineEnd);
  if (end < 0) throw new BuiltinError("PEM block has no end");
  if (!/^[ \t\r]*\n?$/.test(text.slice(end + endLine.length))) {
    throw new BuiltinError("extra data after a PEM certificate block");
  }
  // Headers such as `Proc-Type: …` may stand before the data.
  const lines = text.slice(lineEnd + 1, end + 1).split("\n");
  const data = lines.slice(lines.findLastIndex((line) => line.includes(":")) + 1).join("");
  const base64 = data.replace(/[ \t\r]/g, "");
  if (base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) throw new BuiltinError("broken PEM data");
  return { label, der: Buffer.from(base64, "base64") };
}
