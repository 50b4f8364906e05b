// Walks over the instructions of a function. SPEC: WebAssembly core 5.4 (instructions), version 1 with sign extension,
// saturating truncation, bulk memory and blocks with several results: what OPA's compiler and clang write. Anything else
// (vectors, exceptions, tail calls, references, threads) is refused: its cost would be unknown.

import { BinaryReader } from "./wasm-binary.ts";

/** Instructions that matter for the cost; {@link walk} tells of them and counts the others. */
export const OPCODE = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  brIf: 0x0d,
  call: 0x10,
  callIndirect: 0x11,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  memoryGrow: 0x40,
  i32Const: 0x41,
  i32LtS: 0x48,
  i32Sub: 0x6b,
  i32ShrU: 0x76,
  prefixed: 0xfc,
} as const;

/** What follows an opcode. */
const NONE = 0;
const LEB = 1;
const TWO_LEBS = 2;
const LABELS = 3;
const FOUR_BYTES = 4;
const EIGHT_BYTES = 5;
const BLOCK_TYPE = 6;
const ADDRESS = 7;
const UNKNOWN = 8;

const IMMEDIATES = new Uint8Array(256).fill(UNKNOWN);
const ranges: readonly (readonly [first: number, last: number, immediate: number])[] = [
  [0x00, 0x01, NONE], // unreachable, nop
  [0x02, 0x04, BLOCK_TYPE], // block, loop, if
  [0x05, 0x05, NONE], // else
  [0x0b, 0x0b, NONE], // end
  [0x0c, 0x0d, LEB], // br, br_if
  [0x0e, 0x0e, LABELS], // br_table
  [0x0f, 0x0f, NONE], // return
  [0x10, 0x10, LEB], // call
  [0x11, 0x11, TWO_LEBS], // call_indirect: type, table
  [0x1a, 0x1b, NONE], // drop, select
  [0x20, 0x24, LEB], // local.*, global.*
  [0x28, 0x3e, ADDRESS], // loads and stores
  [0x3f, 0x42, LEB], // memory.size, memory.grow, i32.const, i64.const
  [0x43, 0x43, FOUR_BYTES], // f32.const
  [0x44, 0x44, EIGHT_BYTES], // f64.const
  [0x45, 0xc4, NONE], // arithmetic, comparisons, conversions, sign extension
];
for (const [first, last, immediate] of ranges) IMMEDIATES.fill(immediate, first, last + 1);

/** Whether a byte is i32, i64, f32 or f64: the only types that {@link walk} and its callers know. */
export const isNumberType = (byte: number): boolean => byte >= 0x7c && byte <= 0x7f;

/** Instructions after 0xfc whose cost grows with their topmost operand: `memory.*` and `table.*` of bulk memory. */
const BULK = new Set([8, 10, 11, 12, 14]);

/** Hears of a function's instructions, in order. */
export interface InstructionVisitor {
  /** Every instruction; `end` is the offset behind it. `index` is that of a `call`. */
  instruction(opcode: number, end: number, index: number): void;
  /** An instruction whose cost is that of its topmost operand, an i32. It is told instead of `instruction`. */
  bulk(start: number): void;
}

/** Tells `visitor` of all instructions of `code` from `at` on. Throws an Error that names an unknown instruction. */
export function walk(code: Uint8Array, at: number, visitor: InstructionVisitor): void {
  const reader = new BinaryReader(code, at);
  while (!reader.atEnd) {
    const start = reader.at;
    const opcode = reader.byte();
    if (opcode === OPCODE.prefixed) {
      if (skipPrefixed(reader)) visitor.bulk(start);
      else visitor.instruction(opcode, reader.at, 0);
      continue;
    }
    const index = opcode === OPCODE.call ? reader.u32() : 0;
    if (opcode !== OPCODE.call) skipImmediate(reader, opcode);
    visitor.instruction(opcode, reader.at, index);
  }
}

/** Passes over the instructions up to an `end`: the first value of a global. */
export function skipExpression(reader: BinaryReader): void {
  for (let opcode = reader.byte(); opcode !== OPCODE.end; opcode = reader.byte()) skipImmediate(reader, opcode);
}

function skipImmediate(reader: BinaryReader, opcode: number): void {
  const kind = IMMEDIATES[opcode];
  if (kind === UNKNOWN) throw new Error(`instruction 0x${opcode.toString(16).padStart(2, "0")}`);
  if (kind === BLOCK_TYPE) skipBlockType(reader);
  else if (kind === FOUR_BYTES) reader.skip(4);
  else if (kind === EIGHT_BYTES) reader.skip(8);
  else {
    // INVARIANT: with more than one memory a third number would follow the alignment.
    if (kind === ADDRESS && reader.byte() >= 0x40) throw new Error("more than one memory");
    let numbers = kind === TWO_LEBS ? 2 : kind === NONE ? 0 : 1;
    if (kind === LABELS) numbers = reader.u32() + 1;
    for (; numbers > 0; numbers--) reader.skipLeb();
  }
}

/** Nothing, a type of number, or the index of a function type; references have a longer form. */
function skipBlockType(reader: BinaryReader): void {
  const first = reader.byte();
  if (first >= 0x80) reader.skipLeb();
  else if (first > 0x40 && !isNumberType(first)) throw new Error("a block of references or vectors");
}

/** Passes over what follows 0xfc; true for an instruction of {@link BULK}. */
function skipPrefixed(reader: BinaryReader): boolean {
  const kind = reader.u32();
  if (kind > 14) throw new Error(`instruction 0xfc ${kind}`);
  // Truncations have nothing behind them; memory.fill, data.drop and elem.drop one index; the others two.
  if (kind >= 8) reader.skipLeb();
  if (kind === 8 || kind === 10 || kind === 12 || kind === 14) reader.skipLeb();
  return BULK.has(kind);
}
