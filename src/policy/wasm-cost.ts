// What the functions of a module cost, in instructions. A segment is a stretch of them that is charged for as a whole
// where it begins, so every way to one of its instructions must pass there: a function, a loop's body without the loops
// in it, and within these whatever comes after a branch, if it is long. What a call costs is in the segment of the
// caller, or is left to the function that is called: see findCallCosts.

import { BinaryReader } from "./wasm-binary.ts";
import { isNumberType, OPCODE, walk } from "./wasm-opcodes.ts";

/** Stretches up to this length are charged for with what comes before them, whether they are reached or not. */
const SHORT_STRETCH = 256;
/** What a call counts for when a stretch is judged, before it is known what is called. */
const UNKNOWN_CALL = 8;
/** Functions up to this cost, loops aside, with what they call, are paid for by who calls them. */
const MAX_PAID_BY_CALLER = 1_024;
/** Most that a caller pays: few ways through a function are its longest one. What runs is at most 8 times what is paid. */
const MAX_CALL = 128;
/** Stands for a function of the table, which may be any. */
const INDIRECT = -1;
/** `memory.grow` asks the host's allocator. */
const GROW = 64;

/** Instructions that run at most once for each time that their beginning is passed. */
export interface Segment {
  /** Offset in the function's body behind the head: where to charge. */
  readonly at: number;
  /** What begins here: a function, a turn of a loop, or neither. The counter is looked at where something begins. */
  readonly head: "function" | "loop" | undefined;
  /** Whether a loop is around it. */
  readonly inLoop: boolean;
  instructions: number;
  /** Indices of the functions that it calls, one for each call. */
  readonly calls: number[];
}

/** A function's body, measured. */
export interface MeasuredFunction {
  readonly body: Uint8Array;
  /** Offset of the first instruction: behind the declarations of locals. */
  readonly codeAt: number;
  /** How many locals it declares, parameters not among them. */
  readonly locals: number;
  /** In the order of the code; the first one begins the function. */
  readonly segments: readonly Segment[];
  /** Offsets of instructions that cost as much as their topmost operand says. */
  readonly bulk: readonly number[];
}

/** Measures one body of the code section. Throws an Error that names what cannot be measured. */
export function measureFunction(body: Uint8Array): MeasuredFunction {
  const [locals, codeAt] = readLocals(body);
  const segments = new SegmentTree(codeAt);
  const bulk: number[] = [];
  walk(body, codeAt, {
    instruction: (opcode, end, index) => segments.add(opcode, end, index),
    bulk: (start) => {
      segments.add(OPCODE.prefixed, start, 0);
      bulk.push(start);
    },
  });
  return { body, codeAt, locals, segments: segments.merge(), bulk };
}

function readLocals(body: Uint8Array): [locals: number, codeAt: number] {
  const reader = new BinaryReader(body);
  let locals = 0;
  for (let groups = reader.u32(); groups > 0; groups--) {
    locals += reader.u32();
    if (!isNumberType(reader.byte())) throw new Error("a local variable of references or vectors");
  }
  return [locals, reader.at];
}

/** The segments of one function; each but the heads has a parent, which is passed on every way to it. */
class SegmentTree {
  readonly #segments: Segment[] = [];
  readonly #parents: (Segment | undefined)[] = [];
  /** The segment around each open block: what follows its `end` belongs to that. */
  readonly #open: Segment[] = [];
  #current: Segment;

  constructor(codeAt: number) {
    this.#current = this.#begin(codeAt, "function", undefined);
  }

  add(opcode: number, end: number, callee: number): void {
    this.#current.instructions++;
    if (opcode === OPCODE.call) this.#current.calls.push(callee);
    else if (opcode === OPCODE.callIndirect) this.#current.calls.push(INDIRECT);
    else if (opcode === OPCODE.memoryGrow) this.#current.instructions += GROW;
    else if (opcode === OPCODE.block) this.#open.push(this.#current);
    else if (opcode === OPCODE.brIf) this.#current = this.#begin(end, undefined, this.#current);
    else if (opcode === OPCODE.else) this.#current = this.#begin(end, undefined, this.#open.at(-1));
    else if (opcode === OPCODE.if) {
      this.#open.push(this.#current);
      this.#current = this.#begin(end, undefined, this.#current);
    } else if (opcode === OPCODE.loop) {
      this.#open.push(this.#current);
      this.#current = this.#begin(end, "loop", undefined);
    } else if (opcode === OPCODE.end) {
      const outer = this.#open.pop();
      if (outer !== undefined) this.#current = this.#begin(end, undefined, outer); // else the function ends
    }
  }

  /** The segments in the order of the code, short ones merged into their parents. */
  merge(): Segment[] {
    const kept: Segment[] = [];
    for (let index = this.#segments.length - 1; index >= 0; index--) {
      const [segment, parent] = [this.#segments[index], this.#parents[index]];
      if (segment === undefined) continue;
      const length = segment.instructions + segment.calls.length * UNKNOWN_CALL;
      if (parent === undefined || length > SHORT_STRETCH) kept.push(segment);
      else {
        parent.instructions += segment.instructions;
        for (const callee of segment.calls) parent.calls.push(callee);
      }
    }
    return kept.reverse();
  }

  #begin(at: number, head: Segment["head"], parent: Segment | undefined): Segment {
    const segment = { at, head, inLoop: head === "loop" || parent?.inLoop === true, instructions: 0, calls: [] };
    this.#segments.push(segment);
    this.#parents.push(parent);
    return segment;
  }
}

/** What a call of a function costs its caller, in instructions; undefined when the function charges for itself. */
export type CallCosts = (index: number) => number | undefined;

/**
 * Finds the functions that their callers pay for. The others charge where they are entered: long ones, and those that
 * may call themselves outside of loops, or through the table (a turn of a loop is paid for anyhow). `imported` functions come first in the
 * index and cost nothing here: the host charges for what they do.
 */
export function findCallCosts(functions: readonly MeasuredFunction[], imported: number): CallCosts {
  const known = new Map<number, number | undefined>();
  const open = new Set<number>();
  const recursive = new Set<number>();
  const costOf = (index: number): number | undefined => {
    if (index < imported) return index === INDIRECT ? undefined : 0;
    if (open.has(index)) recursive.add(index); // INVARIANT: of those in a circle, one at least charges for itself
    if (open.has(index) || known.has(index)) return known.get(index);
    open.add(index);
    const cost = straightCost(functions[index - imported]?.segments ?? []);
    open.delete(index);
    known.set(index, recursive.has(index) ? undefined : cost);
    return known.get(index);
  };
  const straightCost = (segments: readonly Segment[]): number | undefined => {
    let total = 0;
    for (const { inLoop, instructions, calls } of segments) {
      if (inLoop) continue;
      total += instructions;
      for (const callee of calls) {
        if (callee === INDIRECT || total > MAX_PAID_BY_CALLER) return undefined;
        total += costOf(callee) ?? 0;
      }
    }
    return total > MAX_PAID_BY_CALLER ? undefined : total;
  };
  return (index) => {
    if (index === INDIRECT) return MAX_CALL;
    const cost = costOf(index);
    return cost === undefined ? undefined : Math.min(cost, MAX_CALL);
  };
}
