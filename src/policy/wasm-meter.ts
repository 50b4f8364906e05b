// Adds a counter of steps to a policy's module, so that an evaluation ends where its budget ends: synchronous WASM
// cannot be interrupted from outside. Charged at once, where it begins: a function's work outside of its loops, and each
// turn of a loop; so nothing runs that is not paid for (wasm-cost.ts). The counter is a new global behind all others, an
// i32 outside of the policy's memory; where it falls below zero the module traps, and the host knows why by the counter.
// PERF: costs 10 to 15 % of an evaluation (bench/policy.ts). Tried and not better: a counter in a local variable for
// loops, which is added up every 64 steps; charges after every branch; an i64, which JavaScript reads as BigInt.

import {
  appendEntry,
  type BinaryReader,
  contentOf,
  FUNCTION,
  GLOBAL,
  I32,
  MUTABLE,
  reading,
  SECTION,
  type Section,
  toLeb,
  toSignedLeb,
  withContent,
} from "./wasm-binary.ts";
import { type CallCosts, findCallCosts, type MeasuredFunction, measureFunction, type Segment } from "./wasm-cost.ts";
import { isNumberType, OPCODE } from "./wasm-opcodes.ts";

/** Name under which the counter is exported. */
export const STEPS_LEFT_EXPORT = "svidgate_steps_left";

/** What a module may do before the host sets a budget: its start function runs while it is linked. */
const START_STEPS = 20_000_000;
/** `memory.copy` and its like move this many bytes a step, as a power of two. */
const BULK_SHIFT = 3;
/** A step is this many instructions; one more is charged for each charge, as loops of few instructions are slowest. */
const INSTRUCTIONS_PER_STEP = 32;
const VOID = 0x40;
/** No charge takes the counter round: it is at least 0 before. */
const MAX_CHARGE = 2 ** 28;

/** The sections with the counter in them. Throws an Error that says what in the module cannot be bounded. */
export function addMeter(sections: readonly Section[]): Section[] {
  const imported = countImports(sections);
  const counter = imported.globals + reading(contentOf(sections, SECTION.global)).u32();
  const code = meterCode(sections, imported.functions, counter);
  const initial = [I32, MUTABLE, OPCODE.i32Const, ...toSignedLeb(START_STEPS), OPCODE.end];
  const entry = [...toLeb(STEPS_LEFT_EXPORT.length), ...Buffer.from(STEPS_LEFT_EXPORT), GLOBAL, ...toLeb(counter)];
  const globals = appendEntry(contentOf(sections, SECTION.global), initial);
  const exports = appendEntry(contentOf(sections, SECTION.export), entry);
  const metered = withContent(withContent(sections, SECTION.global, globals), SECTION.export, exports);
  return withContent(metered, SECTION.code, code);
}

function meterCode(sections: readonly Section[], imported: number, counter: number): Uint8Array {
  const parameters = readParameters(sections);
  const functions: MeasuredFunction[] = [];
  const reader = reading(contentOf(sections, SECTION.code));
  for (let count = reader.u32(); count > 0; count--) functions.push(measureFunction(reader.bytes(reader.u32())));
  const callCosts = findCallCosts(functions, imported);
  const parts: Uint8Array[] = [Uint8Array.from(toLeb(functions.length))];
  for (const [index, measured] of functions.entries()) {
    const isPaidByCallers = callCosts(imported + index) !== undefined;
    const charged = measured.segments.filter(({ inLoop }) => inLoop || !isPaidByCallers);
    const body = meterBody(measured, charged, { counter, parameters: parameters[index] ?? 0, callCosts });
    const length = body.reduce((sum, part) => sum + part.length, 0);
    parts.push(Uint8Array.from(toLeb(length)), ...body);
  }
  return Buffer.concat(parts);
}

interface MeterContext {
  readonly counter: number;
  readonly parameters: number;
  readonly callCosts: CallCosts;
}

/** The body with charges for these segments put in, in parts; it then has one more local variable, an i32. */
function meterBody(measured: MeasuredFunction, charged: readonly Segment[], context: MeterContext): Uint8Array[] {
  const { body, codeAt, bulk } = measured;
  if (charged.length === 0 && bulk.length === 0) return [body];
  const { counter, callCosts } = context;
  const local = toLeb(context.parameters + measured.locals);
  const insertions = bulk.map((at) => ({ at, code: chargeOperand(counter, local) }));
  for (const { at, head, instructions, calls } of charged) {
    const total = calls.reduce((sum, callee) => sum + (callCosts(callee) ?? 0), instructions);
    const steps = Math.min(MAX_CHARGE, 1 + Math.ceil(total / INSTRUCTIONS_PER_STEP));
    insertions.push({ at, code: head === undefined ? charge(counter, steps) : chargeHead(counter, local, steps) });
  }
  insertions.sort((a, b) => a.at - b.at);
  const parts: Uint8Array[] = [appendEntry(body.subarray(0, codeAt), [1, I32])];
  let from = codeAt;
  for (const { at, code } of insertions) {
    parts.push(body.subarray(from, at), Uint8Array.from(code));
    from = at;
  }
  return [...parts, body.subarray(from)];
}

/** Takes steps from the counter, and traps when too few were left. */
function chargeHead(counter: number, local: readonly number[], steps: number): number[] {
  const global = toLeb(counter);
  return [
    ...[OPCODE.globalGet, ...global, OPCODE.i32Const, ...toSignedLeb(steps), OPCODE.i32Sub],
    ...[OPCODE.localTee, ...local, OPCODE.globalSet, ...global],
    ...[OPCODE.localGet, ...local, OPCODE.i32Const, 0, OPCODE.i32LtS],
    ...[OPCODE.if, VOID, OPCODE.unreachable, OPCODE.end],
  ];
}

/** Takes steps from the counter; it is looked at where the next function or turn of a loop begins. */
function charge(counter: number, steps: number): number[] {
  const global = toLeb(counter);
  return [
    OPCODE.globalGet,
    ...global,
    OPCODE.i32Const,
    ...toSignedLeb(steps),
    OPCODE.i32Sub,
    OPCODE.globalSet,
    ...global,
  ];
}

/** As {@link chargeHead}, by the operand on top of the stack, which stays there. */
function chargeOperand(counter: number, local: readonly number[]): number[] {
  const global = toLeb(counter);
  return [
    ...[OPCODE.localSet, ...local, OPCODE.globalGet, ...global],
    ...[OPCODE.localGet, ...local, OPCODE.i32Const, BULK_SHIFT, OPCODE.i32ShrU, OPCODE.i32Sub],
    ...[OPCODE.globalSet, ...global, OPCODE.globalGet, ...global, OPCODE.i32Const, 0, OPCODE.i32LtS],
    ...[OPCODE.if, VOID, OPCODE.unreachable, OPCODE.end],
    ...[OPCODE.localGet, ...local],
  ];
}

/** How many functions and globals the module imports: they come first in the index. */
export function countImports(sections: readonly Section[]): { readonly functions: number; readonly globals: number } {
  const reader = reading(contentOf(sections, SECTION.import));
  const counts = { functions: 0, globals: 0 };
  for (let count = reader.u32(); count > 0; count--) {
    reader.skip(reader.u32()); // module
    reader.skip(reader.u32()); // name
    const kind = reader.byte();
    if (kind === FUNCTION) {
      counts.functions++;
      reader.skipLeb();
    } else if (kind === GLOBAL) {
      counts.globals++;
      reader.skip(2); // type, mutability
    } else skipLimits(reader, kind);
  }
  return counts;
}

/** A memory's limits, or a table's type and limits. */
function skipLimits(reader: BinaryReader, kind: number): void {
  if (kind !== 0x01 && kind !== 0x02) throw new Error(`an import of kind ${kind}`);
  if (kind === 0x01) reader.skip(1);
  const hasMaximum = (reader.byte() & 1) === 1;
  reader.skipLeb();
  if (hasMaximum) reader.skipLeb();
}

/** How many parameters each function of the module has. */
function readParameters(sections: readonly Section[]): number[] {
  const types: number[] = [];
  const reader = reading(contentOf(sections, SECTION.type));
  for (let count = reader.u32(); count > 0; count--) {
    if (reader.byte() !== 0x60) throw new Error("a type that is no function");
    types.push(readNumberTypes(reader));
    readNumberTypes(reader);
  }
  const functions = reading(contentOf(sections, SECTION.function));
  return Array.from({ length: functions.u32() }, () => types[functions.u32()] ?? 0);
}

function readNumberTypes(reader: BinaryReader): number {
  const types = reader.bytes(reader.u32());
  if (!types.every(isNumberType)) throw new Error("a function of references or vectors");
  return types.length;
}
