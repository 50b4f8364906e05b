// Evaluates on one instance of OPA's WASM, with data set in. SPEC: OPA's WASM ABI 1.2. Nothing is freed: each
// evaluation resets the heap to where the data ends, so none leaves anything behind for the next.
// The parts of `opa_eval` are called one by one instead of `opa_eval` itself. SECURITY: that function takes an input
// which it cannot parse for no input at all, and `not input.blocked` would hold; so the parsed input is looked at here.

import { type BoundBuiltin, type BridgeOptions, BuiltinBridge } from "./builtin-bridge.ts";
import { type DecisionMemory, Unanswered } from "./builtins/builtin.ts";
import type { EvaluationPhase } from "./engine.ts";
import { PolicyError, toPolicyError } from "./policy-error.ts";
import { parseDump, parseValue, RegoSet, toJson, type Value, ValueSyntaxError } from "./value.ts";
import type { WasmModule } from "./wasm-api.ts";
import { exhausted, MAX_STEPS, type StepCounter, toParseSteps } from "./wasm-counter.ts";
import { PAGE_BYTES, type PolicyExports, WasmInstance } from "./wasm-instance.ts";

/** What all instances of a policy share. */
export interface PolicyProgram {
  readonly module: WasmModule;
  /** Host builtins by the id that the module calls them by. */
  readonly builtins: ReadonlyMap<number, BoundBuiltin>;
}

/** Limits and ports of a host. */
export interface HostOptions extends BridgeOptions {
  readonly maxMemoryBytes: number;
  readonly onPrint: (line: string) => void;
  /** As in EngineOptions. */
  readonly onPhase?: (phase: EvaluationPhase) => void;
}

/** Memory that is kept for evaluations: below it, replacing the instance costs more than the memory is worth. */
const SPARE_BYTES = 16 * 1024 * 1024;

/** PERF: result sets of plain answers as `opa_value_dump` writes them, compared as bytes and never decoded. */
const PLAIN_RESULTS = [
  { dump: Buffer.from('{{"result": true}}\0'), json: '[{"result":true}]' },
  { dump: Buffer.from('{{"result": false}}\0'), json: '[{"result":false}]' },
  { dump: Buffer.from("set()\0"), json: "[]" },
];

/** One instance with its data. Never re-entered: a builtin must not evaluate on the host that called it. */
export class WasmHost {
  readonly #instance: WasmInstance;
  readonly #exports: PolicyExports;
  readonly #steps: StepCounter;
  readonly #bridge: BuiltinBridge;
  readonly #heapStart: number;
  /** Stack and variables of the runtime as they are before the first evaluation: all memory below the heap. */
  readonly #atRest: Buffer;
  readonly #onPhase: HostOptions["onPhase"];
  #heapEnd: number;
  #highest: number;
  #data = 0;
  #running = false;
  #broken = false;
  #trapped = false;
  #lastSteps = 0;
  /** Of the evaluation that runs; 0 before its input is parsed. */
  #budgetSteps = 0;

  /** Links an instance without data. Throws PolicyError. */
  constructor(program: PolicyProgram, options: HostOptions) {
    this.#bridge = new BuiltinBridge(
      program.builtins,
      options,
      (steps) => this.#steps.spend(steps),
      () => this.#steps.left,
    );
    this.#instance = new WasmInstance(
      program.module,
      { builtin: this.#callBuiltin(options.onPhase), print: options.onPrint },
      Math.floor(options.maxMemoryBytes / PAGE_BYTES),
    );
    this.#exports = this.#instance.exports;
    this.#steps = this.#instance.steps;
    this.#heapStart = findHeapStart(this.#exports);
    this.#atRest = Buffer.from(this.#instance.bytes.subarray(0, this.#heapStart));
    this.#onPhase = options.onPhase;
    this.#heapEnd = this.#heapStart;
    this.#highest = this.#heapStart;
  }

  /** Bytes of memory that were ever touched: those of the module, its data and its largest evaluation. */
  get memoryBytes(): number {
    return Math.min(this.#highest, this.#instance.bytes.length); // a refused allocation has moved the mark as well
  }

  /** Whether another instance should take over: this one cannot be trusted, or holds much more memory than its data. */
  get shouldBeReplaced(): boolean {
    // In proportion to the data, so that copying it is paid for by an evaluation that used as much.
    const spareBytes = Math.max(SPARE_BYTES, this.#heapEnd - this.#heapStart);
    return this.#broken || this.#highest > this.#heapEnd + spareBytes;
  }

  /** Whether an evaluation may run. */
  get isUsable(): boolean {
    return !this.#broken;
  }

  /**
   * Whether the data may be copied to another host. SECURITY: not after a trap. An abort or a failed builtin leaves the
   * module at a call that it made, memory in order but for the stack; a trap leaves it anywhere, perhaps after it has
   * written past the end of a value or of its stack, as OPA's runtime does when numbers of 5,000 digits are multiplied.
   */
  get hasTrustedData(): boolean {
    return !this.#trapped;
  }

  /** Steps that the last evaluation took, parsing its input not among them. */
  get lastSteps(): number {
    return this.#lastSteps;
  }

  /** ABI version, and the tables of entrypoints and builtins (name → id). Only before data is loaded. */
  describe(): { readonly abi: string; readonly entrypoints: Value; readonly builtins: Value } {
    const { opa_wasm_abi_version: major, opa_wasm_abi_minor_version: minor } = this.#exports;
    return {
      abi: `${major?.value}.${minor?.value}`,
      entrypoints: parseValue(this.#instance.dump(this.#exports.entrypoints())),
      builtins: parseValue(this.#instance.dump(this.#exports.builtins())),
    };
  }

  /** Loads the data document, valid JSON text; at most once. Throws PolicyError `policy_data_invalid`. */
  loadData(json: string): void {
    try {
      this.#steps.left = MAX_STEPS; // whoever gives the data is trusted with the time that its loading takes
      this.#exports.opa_heap_ptr_set(this.#heapStart);
      const { address, length } = this.#instance.write(json);
      this.#data = this.#exports.opa_json_parse(address, length);
    } catch (error) {
      throw new PolicyError("policy_data_invalid", `data: ${toPolicyError(error).message}`, { cause: error });
    }
    if (this.#data === 0) throw new PolicyError("policy_data_invalid", "data: not a JSON document");
    this.#heapEnd = this.#exports.opa_heap_ptr_get() >>> 0;
    this.#highest = this.#heapEnd;
  }

  /** Takes over the data of a host of the same program, as bytes: values sit at the same addresses in both. */
  copyDataFrom(other: WasmHost): void {
    other.#instance.bytes.copy(this.#instance.bytes, this.#heapStart, other.#heapStart, other.#heapEnd);
    this.#data = other.#data;
    this.#heapEnd = other.#heapEnd;
    this.#highest = this.#heapEnd;
  }

  /**
   * The result set of an entrypoint as JSON text; `input` is JSON text without escaped lone surrogates, or undefined.
   * After `budgetSteps` the evaluation ends with `policy_budget`; parsing the input is bounded by its length.
   * Throws PolicyError, or Unanswered, and nothing else; the next evaluation is not affected.
   */
  evaluate(input: string | undefined, entrypoint: number, budgetSteps: number, memory?: DecisionMemory): string {
    if (this.#running) throw new PolicyError("policy_trap", "evaluation within an evaluation of the same policy");
    this.#running = true;
    try {
      this.#bridge.begin(memory);
      const wasm = this.#exports;
      this.#lastSteps = 0;
      this.#steps.left = toParseSteps(input?.length ?? 0);
      wasm.opa_heap_ptr_set(this.#heapEnd);
      const value = input === undefined ? 0 : this.#parseInput(input);
      this.#steps.left = budgetSteps;
      this.#budgetSteps = budgetSteps;
      const context = wasm.opa_eval_ctx_new();
      wasm.opa_eval_ctx_set_input(context, value);
      wasm.opa_eval_ctx_set_data(context, this.#data);
      wasm.opa_eval_ctx_set_entrypoint(context, entrypoint);
      if (wasm.eval(context) !== 0) throw new PolicyError("policy_trap", "the evaluation failed");
      this.#onPhase?.("evaluate");
      const result = this.#readResult(wasm.opa_value_dump(wasm.opa_eval_ctx_get_result(context)) >>> 0);
      this.#onPhase?.("read");
      this.#noteEnd();
      return result;
    } catch (error) {
      throw this.#recover(error);
    } finally {
      this.#running = false;
    }
  }

  #callBuiltin(onPhase: HostOptions["onPhase"]): (id: number, args: readonly number[]) => number {
    if (onPhase === undefined) return (id, args) => this.#bridge.call(this.#instance, id, args);
    return (id, args) => {
      onPhase("call");
      try {
        return this.#bridge.call(this.#instance, id, args);
      } finally {
        onPhase("return");
      }
    };
  }

  #parseInput(json: string): number {
    let value: number;
    try {
      const { address, length } = this.#instance.write(json);
      this.#onPhase?.("write");
      value = this.#exports.opa_value_parse(address, length);
      this.#onPhase?.("parse");
    } catch (error) {
      if (this.#steps.isExhausted(error)) throw exhausted();
      this.#recover(error);
      // An abort is the module's own refusal of the text; memory, and the depth of its recursion, are limits.
      const refused = error instanceof PolicyError && error.code !== "policy_memory";
      if (refused) throw new PolicyError("policy_input_invalid", `input: ${error.message}`);
      throw new PolicyError("policy_input_too_large", "input: more than the evaluation has room for", { cause: error });
    }
    if (value === 0) throw new PolicyError("policy_input_invalid", "input: not a JSON value");
    return value;
  }

  /** Makes the instance fit for the next evaluation, or marks it as broken; what to throw. */
  #recover(thrown: unknown): Error {
    const error = this.#steps.isExhausted(thrown) ? exhausted() : thrown;
    this.#noteEnd();
    // Whatever we did not throw ourselves counts as a trap: WebAssembly.RuntimeError, and RangeError for the stack's end.
    const isOurs = error instanceof PolicyError || error instanceof ValueSyntaxError || error instanceof Unanswered;
    if (!isOurs) this.#trapped = true;
    if (!this.#instance.restoreStack() || this.#trapped) this.#broken = true;
    // INVARIANT: nothing writes on values of the data, and what is above them is left behind; so the module is as good as
    // a new one with this. PERF: 10 µs. A question is asked by the policy itself, with nothing of the runtime half done.
    else if (!(error instanceof Unanswered)) this.#atRest.copy(this.#instance.bytes);
    return error instanceof Unanswered ? error : toPolicyError(error);
  }

  /** Takes down what the evaluation took, and lets the host's own calls of the module pass. */
  #noteEnd(): void {
    if (this.#budgetSteps > 0) this.#lastSteps = Math.min(this.#budgetSteps, this.#budgetSteps - this.#steps.left);
    this.#budgetSteps = 0;
    this.#steps.left = MAX_STEPS;
    this.#highest = Math.max(this.#highest, this.#exports.opa_heap_ptr_get() >>> 0);
  }

  #readResult(address: number): string {
    const bytes = this.#instance.bytes;
    for (const { dump, json } of PLAIN_RESULTS) if (hasAt(bytes, address, dump)) return json;
    return toResultSet(this.#instance.read(address));
  }
}

/** Throws PolicyError `policy_abi` for exports that have OPA's names and not its types, or that trap. */
function findHeapStart(exports: PolicyExports): number {
  try {
    exports.opa_malloc(0); // as OPA's own host does: the heap has its start after the first allocation
    return exports.opa_heap_ptr_get() >>> 0;
  } catch (error) {
    throw new PolicyError(
      "policy_abi",
      "not a policy of OPA's compiler: its allocator does not work; build it with `svidgate build`",
      {
        cause: error,
      },
    );
  }
}

function toResultSet(dump: string): string {
  try {
    // A query that binds several values has several results, and they form a set.
    const results = parseDump(dump);
    if (results instanceof RegoSet) return `[${results.values.map(toJson).join(",")}]`;
  } catch (error) {
    throw new PolicyError("policy_result", `result: ${error instanceof Error ? error.message : ""}`, { cause: error });
  }
  throw new PolicyError("policy_result", "result: not a set of results");
}

function hasAt(bytes: Buffer, address: number, expected: Buffer): boolean {
  for (let index = 0; index < expected.length; index++) if (bytes[address + index] !== expected[index]) return false;
  return true;
}
