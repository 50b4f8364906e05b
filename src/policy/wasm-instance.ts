// One instance of a policy's module with its own memory, and text in and out of that memory. SPEC: OPA's WASM ABI 1.2
// (openpolicyagent.org/docs/wasm): addresses are 32-bit, texts that the module returns end with a NUL byte.

import { PolicyError, toAbortError } from "./policy-error.ts";
import { fromBytes, toWellFormed } from "./value.ts";
import { ValueMemory } from "./value-memory.ts";
import { type WasmGlobal, type WasmMemory, type WasmModule, wasm } from "./wasm-api.ts";
import { StepCounter } from "./wasm-counter.ts";
import { STEPS_LEFT_EXPORT } from "./wasm-meter.ts";
import { STACK_POINTER_EXPORT } from "./wasm-module.ts";

/** Bytes of a page of WASM memory. */
export const PAGE_BYTES = 65_536;

/** Texts up to this many UTF-16 units get room for the worst case, three bytes a unit, instead of being measured. */
const UNMEASURED_UNITS = 16_384;

/** Steps for each UTF-16 unit that the host writes, and that it reads and parses. */
const WRITE_STEPS = 8;
const DUMP_STEPS = 40;

/** What is called in the module; every number is an address, a length or an id. */
export interface PolicyExports {
  readonly opa_malloc: (bytes: number) => number;
  readonly opa_heap_ptr_get: () => number;
  readonly opa_heap_ptr_set: (address: number) => void;
  readonly opa_json_parse: (address: number, length: number) => number;
  readonly opa_value_parse: (address: number, length: number) => number;
  readonly opa_value_dump: (value: number) => number;
  readonly opa_eval_ctx_new: () => number;
  readonly opa_eval_ctx_set_input: (context: number, value: number) => void;
  readonly opa_eval_ctx_set_data: (context: number, value: number) => void;
  readonly opa_eval_ctx_set_entrypoint: (context: number, id: number) => void;
  readonly opa_eval_ctx_get_result: (context: number) => number;
  readonly eval: (context: number) => number;
  readonly builtins: () => number;
  readonly entrypoints: () => number;
  readonly opa_wasm_abi_version?: WasmGlobal;
  readonly opa_wasm_abi_minor_version?: WasmGlobal;
  readonly [STACK_POINTER_EXPORT]?: WasmGlobal;
  readonly [STEPS_LEFT_EXPORT]?: WasmGlobal;
}

/** What the module calls back; `args` are the addresses of the builtin's arguments. */
export interface InstanceCallbacks {
  builtin(id: number, args: readonly number[]): number;
  print(line: string): void;
}

/** Where a text was written. */
export interface WrittenText {
  readonly address: number;
  readonly length: number;
}

/** A running module. Not re-entrant. */
export class WasmInstance {
  readonly exports: PolicyExports;
  /** The linear memory; it never grows, so this never changes. */
  readonly bytes: Buffer;
  /** Builtins' operands and results. */
  readonly values: ValueMemory = new ValueMemory(this);
  readonly steps: StepCounter;
  readonly #stackPointer: WasmGlobal | undefined;
  readonly #stackAtRest: number;

  /** Links `module` with a memory of `maxPages`. Throws PolicyError `policy_memory` or `policy_abi`. */
  constructor(module: WasmModule, callbacks: InstanceCallbacks, maxPages: number) {
    const [exports, memory] = link(module, maxPages, (address) => toWellFormed(this.read(address)), callbacks);
    this.exports = exports;
    this.bytes = Buffer.from(memory.buffer);
    this.steps = new StepCounter(this.exports[STEPS_LEFT_EXPORT]);
    const pointer = this.exports[STACK_POINTER_EXPORT];
    this.#stackPointer = typeof pointer?.value === "number" ? pointer : undefined;
    this.#stackAtRest = this.#stackPointer?.value ?? 0;
  }

  /** Puts the stack pointer back after a throw; false when the module hides it and the instance must be replaced. */
  restoreStack(): boolean {
    if (this.#stackPointer === undefined) return false;
    this.#stackPointer.value = this.#stackAtRest;
    return true;
  }

  /** Writes text on the module's heap; lone surrogates become U+FFFD. Throws PolicyError `policy_memory`. */
  write(text: string): WrittenText {
    this.steps.spend(text.length * WRITE_STEPS);
    const room = text.length <= UNMEASURED_UNITS ? text.length * 3 : Buffer.byteLength(text);
    const address = this.exports.opa_malloc(room) >>> 0;
    return { address, length: this.bytes.write(text, address, room) };
  }

  /** The text at `address`, up to its NUL byte; bytes that are no UTF-8 are lone surrogates (value/bytes.ts). */
  read(address: number): string {
    const start = address >>> 0;
    const end = this.bytes.indexOf(0, start);
    if (end < 0) throw new PolicyError("policy_trap", "trap: the module returned an unfinished text");
    const text = this.bytes.toString("utf8", start, end);
    // PERF: only a text with U+FFFD may have been bytes that are no UTF-8, and the search for it costs nearly nothing.
    return text.includes("\ufffd") ? fromBytes(this.bytes.subarray(start, end)) : text;
  }

  /** The value at `address` as Rego value text, for `parseDump`. */
  dump(address: number): string {
    const text = this.read(this.exports.opa_value_dump(address));
    this.steps.spend(text.length * DUMP_STEPS);
    return text;
  }
}

function link(
  module: WasmModule,
  maxPages: number,
  read: (address: number) => string,
  callbacks: InstanceCallbacks,
): [PolicyExports, WasmMemory] {
  const call = (id: number, ...args: number[]): number => callbacks.builtin(id, args);
  const functions = {
    opa_abort: (address: number) => {
      throw toAbortError(read(address));
    },
    opa_println: (address: number) => callbacks.print(read(address)),
    opa_builtin0: (id: number) => call(id),
    opa_builtin1: (id: number, _context: number, a: number) => call(id, a),
    opa_builtin2: (id: number, _context: number, a: number, b: number) => call(id, a, b),
    opa_builtin3: (id: number, _context: number, a: number, b: number, c: number) => call(id, a, b, c),
    opa_builtin4: (id: number, _context: number, a: number, b: number, c: number, d: number) => call(id, a, b, c, d),
  };
  const memory = createMemory(maxPages);
  try {
    const { exports } = new wasm.Instance(module, { env: { ...functions, memory } });
    return [exports as PolicyExports, memory];
  } catch (error) {
    // A module with long string constants asks for more memory than OPA's modules usually do, and says so only here.
    if (error instanceof Error && error.name === "LinkError" && /memory/.test(error.message))
      throw new PolicyError("policy_memory", `memory: the module alone needs more than ${maxPages * PAGE_BYTES} bytes`);
    throw new PolicyError("policy_abi", "the module cannot be linked: build it with `svidgate build`", {
      cause: error,
    });
  }
}

/**
 * All of the memory at once. PERF: pages that are never touched cost address space only. OPA's allocator grows memory
 * page by page, and V8 answers every growth with a garbage collection: a 1.6 MB array took 0.45 s instead of 0.03 s.
 */
function createMemory(pages: number): WasmMemory {
  try {
    return new wasm.Memory({ initial: pages, maximum: pages });
  } catch (error) {
    throw new PolicyError("policy_memory", "memory: the machine has none left for another instance", { cause: error });
  }
}
