// `crypto.{md5,sha1,sha256}`, `crypto.hmac.*` and `hex.*` over the UTF-8 bytes of strings.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { decodeUtf8 } from "../byte-text.ts";
import { type Builtin, BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { stringOperand } from "./operands.ts";

const digest =
  (algorithm: string): Builtin =>
  (args) =>
    createHash(algorithm).update(stringOperand(args, 0), "utf8").digest("hex");

/**
 * A key for HMAC. SECURITY: a key of raw bytes does not survive the way here, each bad byte turns into U+FFFD, and keys
 * that differ would become one; so a text with U+FFFD is refused rather than used.
 */
export function toHmacKey(text: string): Buffer {
  if (text.includes("\ufffd")) throw new BuiltinError("key is not valid UTF-8");
  return Buffer.from(text, "utf8");
}

const hmac =
  (algorithm: string): Builtin =>
  (args) => {
    const message = stringOperand(args, 0);
    return createHmac(algorithm, toHmacKey(stringOperand(args, 1)))
      .update(message, "utf8")
      .digest("hex");
  };

/** Whether two strings are equal, in time that depends on their lengths only. */
function isEqualInConstantTime(a: string, b: string): boolean {
  const [first, second] = [Buffer.from(a, "utf8"), Buffer.from(b, "utf8")];
  return first.length === second.length && timingSafeEqual(first, second);
}

function decodeHex(text: string): string {
  if (text.length % 2 !== 0 || !/^[0-9A-Fa-f]*$/.test(text)) throw new BuiltinError("not hexadecimal");
  return decodeUtf8(Buffer.from(text, "hex"));
}

/** Hashes, HMACs and hexadecimal. */
export const cryptoBuiltins: BuiltinFamily = {
  "crypto.md5": digest("md5"),
  "crypto.sha1": digest("sha1"),
  "crypto.sha256": digest("sha256"),
  "crypto.hmac.md5": hmac("md5"),
  "crypto.hmac.sha1": hmac("sha1"),
  "crypto.hmac.sha256": hmac("sha256"),
  "crypto.hmac.sha512": hmac("sha512"),
  "crypto.hmac.equal": (args) => isEqualInConstantTime(stringOperand(args, 0), stringOperand(args, 1)),
  "hex.encode": (args) => Buffer.from(stringOperand(args, 0), "utf8").toString("hex"),
  "hex.decode": (args) => decodeHex(stringOperand(args, 0)),
};
