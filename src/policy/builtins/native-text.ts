// indexof and replace in place of those inside OPA's module, where what is looked for is not known to be a text that is not
// empty: of the empty one the module's indexof says that it is at 0, where OPA has an error, and its replace never ends.

import { fromBytes, RegoNumber, toBytes, type Value } from "../value.ts";
import { BuiltinError, type BuiltinFamily, MAX_RESULT_CHARS } from "./builtin.ts";
import { stringOperand } from "./operands.ts";
import { findText } from "./search-text.ts";

/** SPEC: OPA v1/topdown/strings.go: in characters, -1 where it is not. */
function indexOf(args: readonly Value[]): Value {
  const text = stringOperand(args, 0);
  const wanted = stringOperand(args, 1);
  if (wanted === "") throw new BuiltinError("empty search character");
  const [at = -1] = findText(text, wanted, false, 1);
  return RegoNumber.of(at <= 0 ? at : Array.from(text.slice(0, at)).length);
}

/** SPEC: OPA v1/topdown/strings.go. */
function replace(args: readonly Value[]): Value {
  const text = stringOperand(args, 0);
  const old = stringOperand(args, 1);
  const by = stringOperand(args, 2);
  if (old === "") return putBetween(toBytes(text), toBytes(by));
  const parts = split(text, old);
  checkLength(text.length + (parts.length - 1) * by.length);
  return parts.join(by);
}

/** SPEC: Go's strings.Replacer: the empty text is before each byte and at the end, also within a character. */
function putBetween(bytes: Uint8Array, by: Uint8Array): string {
  const length = bytes.length + (bytes.length + 1) * by.length;
  checkLength(length);
  const all = Buffer.alloc(length);
  all.set(by);
  for (const [at, byte] of bytes.entries()) {
    const end = (at + 1) * (by.length + 1);
    all[end - 1] = byte;
    all.set(by, end);
  }
  return fromBytes(all);
}

function checkLength(length: number): void {
  if (length > MAX_RESULT_CHARS) throw new BuiltinError("result too long");
}

/** PERF: linear for every text; JavaScript's own search is not. */
function split(text: string, separator: string): string[] {
  const ends = [...findText(text, separator, false), text.length];
  return ends.map((end, i) => text.slice(i === 0 ? 0 : (ends[i - 1] ?? 0) + separator.length, end));
}

/** In place of the module's. */
export const textNatives: BuiltinFamily = { indexof: indexOf, replace };
