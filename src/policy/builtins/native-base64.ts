// base64.decode, base64.is_valid and base64url.decode in place of those inside OPA's module, which take what is no base64
// and refuse the empty text. SPEC: Go's encoding/base64 with padding: line feeds and carriage returns count for nothing,
// and base64url may leave the padding out (OPA v1/topdown/encoding.go).

import { fromBytes } from "../value.ts";
import { BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { stringOperand } from "./operands.ts";

const STANDARD = /^[A-Za-z0-9+/]*={0,2}$/;
const URL_SAFE = /^[A-Za-z0-9_-]*={0,2}$/;
const PAD = "=";

/** The bytes, or the offset of the first character that is wrong. */
function decode(text: string, alphabet: RegExp): Buffer | number {
  const letters = /[\r\n]/.test(text) ? text.replace(/[\r\n]/g, "") : text;
  if (letters.length % 4 === 0 && alphabet.test(letters)) return Buffer.from(letters, "base64url");
  return findFault(text, alphabet);
}

/** Go's decodeQuantum, for the offset alone. */
function findFault(text: string, alphabet: RegExp): number {
  let inQuantum = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charAt(at);
    if (unit === "\r" || unit === "\n") continue;
    if (unit !== PAD && alphabet.test(unit)) {
      inQuantum = (inQuantum + 1) % 4;
      continue;
    }
    if (unit !== PAD || inQuantum < 2) return at;
    const next = skipLineEnds(text, at + 1);
    if (inQuantum === 3) return next;
    if (text.charAt(next) === PAD) return skipLineEnds(text, next + 1);
    return next < text.length ? next - 1 : text.length;
  }
  return Math.max(0, text.length - inQuantum);
}

function skipLineEnds(text: string, start: number): number {
  let at = start;
  while (text.charAt(at) === "\r" || text.charAt(at) === "\n") at++;
  return at;
}

function decoded(text: string, alphabet: RegExp): string {
  const bytes = decode(text, alphabet);
  if (typeof bytes === "number") throw new BuiltinError(`illegal base64 data at input byte ${bytes}`);
  return fromBytes(bytes);
}

/** In place of the module's. */
export const base64Natives: BuiltinFamily = {
  "base64.decode": (args) => decoded(stringOperand(args, 0), STANDARD),
  "base64.is_valid": ([text]) => typeof text === "string" && typeof decode(text, STANDARD) !== "number",
  "base64url.decode": (args) => {
    const text = stringOperand(args, 0);
    const missing = text.endsWith(PAD) ? 0 : (4 - (Buffer.byteLength(text) % 4)) % 4;
    if (missing === 3) throw new BuiltinError(`illegal base64url string: ${text}`);
    return decoded(text + PAD.repeat(missing), URL_SAFE);
  },
};
