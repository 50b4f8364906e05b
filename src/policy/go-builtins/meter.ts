// Gives the module of Go builtins a counter: each loop that begins again, each call of a function without a loop and
// each 32 bytes that are copied or filled take one unit, and the module traps when none is left. Its globals become
// exports, so that an instance can be put back to an earlier state. Only for modules of Go's compiler: its functions
// are long, and a loop head is not charged for the length of its body as the policies' counter does it.

import {
  appendEntry,
  BinaryReader,
  contentOf,
  GLOBAL,
  I32,
  MUTABLE,
  readSections,
  SECTION,
  toLeb,
  withContent,
  writeSections,
} from "../wasm-binary.ts";
import { type InstructionVisitor, OPCODE, walk } from "../wasm-opcodes.ts";

/** The counter's export, an i32: units that are left; negative when the module has trapped for want of them. */
export const FUEL_EXPORT = "svidgate_fuel";
/** Exports of the module's own globals: this and an index. */
export const STATE_EXPORT = "svidgate_state_";

const EMPTY_BLOCK = 0x40;
const ONE_UNIT_OF_BYTES_LOG2 = 5;

/** The module with the counter. Throws an Error for a module that is not as Go's compiler writes it. */
export function meterGoModule(binary: Uint8Array): Uint8Array {
  const sections = readSections(binary);
  const globals = contentOf(sections, SECTION.global);
  const own = new BinaryReader(globals).u32();
  const zero = [I32, MUTABLE, OPCODE.i32Const, 0, OPCODE.end];
  const withGlobals = withContent(sections, SECTION.global, appendEntry(appendEntry(globals, zero), zero));
  let exports = appendEntry(contentOf(sections, SECTION.export), exportOf(FUEL_EXPORT, own));
  for (let index = 0; index < own; index++) exports = appendEntry(exports, exportOf(`${STATE_EXPORT}${index}`, index));
  const code = meterCode(contentOf(sections, SECTION.code), own, own + 1);
  return writeSections(withContent(withContent(withGlobals, SECTION.export, exports), SECTION.code, code));
}

function exportOf(name: string, index: number): number[] {
  const bytes = [...Buffer.from(name)];
  return [bytes.length, ...bytes, GLOBAL, ...toLeb(index)];
}

function meterCode(section: Uint8Array, fuel: number, scratch: number): Uint8Array {
  const charge = Uint8Array.from(chargeOne(fuel));
  const bulk = Uint8Array.from(chargeBytes(fuel, scratch));
  const reader = new BinaryReader(section);
  const count = reader.u32();
  const parts: Uint8Array[] = [Uint8Array.from(toLeb(count))];
  for (let index = 0; index < count; index++) {
    const body = meterFunction(reader.bytes(reader.u32()), charge, bulk);
    parts.push(Uint8Array.from(toLeb(body.length)), body);
  }
  return Buffer.concat(parts);
}

function meterFunction(body: Uint8Array, charge: Uint8Array, bulk: Uint8Array): Uint8Array {
  const locals = new BinaryReader(body);
  for (let groups = locals.u32(); groups > 0; groups--) {
    locals.u32();
    locals.byte();
  }
  const places: { readonly at: number; readonly code: Uint8Array }[] = [];
  let loops = 0;
  const visitor: InstructionVisitor = {
    instruction(opcode, end) {
      if (opcode !== OPCODE.loop) return;
      loops++;
      places.push({ at: end, code: charge });
    },
    bulk(start) {
      places.push({ at: start, code: bulk });
    },
  };
  walk(body, locals.at, visitor);
  if (loops === 0) places.unshift({ at: locals.at, code: charge });
  const parts: Uint8Array[] = [];
  let from = 0;
  for (const { at, code } of places) {
    parts.push(body.subarray(from, at), code);
    from = at;
  }
  return Buffer.concat([...parts, body.subarray(from)]);
}

function chargeOne(fuel: number): number[] {
  const index = toLeb(fuel);
  return [
    ...[OPCODE.globalGet, ...index, OPCODE.i32Const, 1, OPCODE.i32Sub, OPCODE.globalSet, ...index],
    ...[OPCODE.globalGet, ...index, OPCODE.i32Const, 0, OPCODE.i32LtS],
    ...[OPCODE.if, EMPTY_BLOCK, OPCODE.unreachable, OPCODE.end],
  ];
}

/** Before an instruction whose topmost operand is a number of bytes. */
function chargeBytes(fuel: number, scratch: number): number[] {
  const [index, kept] = [toLeb(fuel), toLeb(scratch)];
  return [
    ...[OPCODE.globalSet, ...kept, OPCODE.globalGet, ...index, OPCODE.globalGet, ...kept],
    ...[OPCODE.i32Const, ONE_UNIT_OF_BYTES_LOG2, OPCODE.i32ShrU, OPCODE.i32Sub, OPCODE.globalSet, ...index],
    ...[OPCODE.globalGet, ...kept],
  ];
}
