// `crypto.{md5,sha1,sha256}`, `crypto.hmac.*` and `hex.*` over the bytes of strings, which need not be UTF-8.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { fromBytes, toBytes } from "../value.ts";
import { type Builtin, BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { stringOperand } from "./operands.ts";

const digest =
  (algorithm: string): Builtin =>
  (args) =>
    createHash(algorithm)
      .update(toBytes(stringOperand(args, 0)))
      .digest("hex");

const hmac =
  (algorithm: string): Builtin =>
  (args) => {
    const message = stringOperand(args, 0);
    return createHmac(algorithm, toBytes(stringOperand(args, 1)))
      .update(toBytes(message))
      .digest("hex");
  };

/** Whether two strings are equal, in time that depends on their lengths only. */
function isEqualInConstantTime(a: string, b: string): boolean {
  const [first, second] = [toBytes(a), toBytes(b)];
  return first.length === second.length && timingSafeEqual(first, second);
}

function decodeHex(text: string): string {
  if (text.length % 2 !== 0 || !/^[0-9A-Fa-f]*$/.test(text)) throw new BuiltinError("not hexadecimal");
  return fromBytes(Buffer.from(text, "hex"));
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
  "hex.encode": (args) => toBytes(stringOperand(args, 0)).toString("hex"),
  "hex.decode": (args) => decodeHex(stringOperand(args, 0)),
};
