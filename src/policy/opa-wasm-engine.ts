// The second engine, @open-policy-agent/opa-wasm behind the same interface: a way back, and an oracle in tests.
// Its limits stay: results and builtins go through JavaScript values (numbers are doubles, sets are arrays in hash
// order), its own `sprintf`, `regex.split` and `yaml.*` cannot be replaced, and what a policy prints goes to stdout.
// What would be unsafe is repaired here: its instance is thrown away after every throw, and inputs come checked.

import { createRequire } from "node:module";
import { BudgetUse } from "./budget-use.ts";
import { createBuiltinContext, createDecisionMemory } from "./builtin-bridge.ts";
import {
  type Builtin,
  type BuiltinContext,
  BuiltinError,
  type DecisionMemory,
  Unanswered,
} from "./builtins/builtin.ts";
import { publicName } from "./builtins/natives.ts";
import type { Engine, EngineOptions } from "./engine.ts";
import { type ModuleTables, missingBuiltins, readTables } from "./native-engine.ts";
import { PolicyError, toAbortError, toPolicyError } from "./policy-error.ts";
import { parseValue, toJson } from "./value.ts";
import type { WasmGlobal, WasmModule } from "./wasm-api.ts";
import { exhausted, MAX_STEPS, StepCounter, toParseSteps } from "./wasm-counter.ts";
import { WasmHost } from "./wasm-host.ts";
import { PAGE_BYTES } from "./wasm-instance.ts";
import { STEPS_LEFT_EXPORT } from "./wasm-meter.ts";
import { compileModule } from "./wasm-module.ts";

/** A builtin as the package calls it: plain JavaScript values. */
type JsonBuiltin = (...args: readonly unknown[]) => unknown;

/** The parts of the package that are used; its own types need the DOM's. */
interface OpaWasm {
  loadPolicySync(
    module: WasmModule,
    memory: { readonly initial: number; readonly maximum: number },
    builtins: Readonly<Record<string, JsonBuiltin>>,
  ): PackagePolicy;
}

interface PackagePolicy {
  readonly wasmInstance: {
    readonly exports: { opa_heap_ptr_get(): number; readonly [STEPS_LEFT_EXPORT]?: WasmGlobal };
  };
  evaluate(input: ArrayBuffer | undefined, entrypoint: number): unknown;
  setData(data: ArrayBuffer): void;
}

/** Builtins that the package brings itself, and prefers to ours. */
const OWN_BUILTINS = new Set([
  "json.is_valid",
  "regex.split",
  "sprintf",
  "yaml.is_valid",
  "yaml.marshal",
  "yaml.unmarshal",
]);

/** What an evaluation may take before its instance is replaced, as WASM gives no memory back. */
const SPARE_BYTES = 16 * 1024 * 1024;

/** Loads a policy on the package, which itself is loaded on first need. Throws PolicyError. */
export function loadOpaWasmEngine(wasm: Uint8Array | object, options: EngineOptions): Engine {
  const module = compileModule(wasm, { metered: options.budgetSteps !== "off" });
  const probe = new WasmHost({ module, builtins: new Map() }, options);
  return new OpaWasmEngine(module, readTables(probe), options);
}

/**
 * SECURITY: a key of raw bytes does not survive the package's JSON: each bad byte turns into U+FFFD, and keys that differ
 * would become one. So a text with U+FFFD is refused here rather than used.
 */
const TAKES_KEYS = /^(?:crypto\.hmac\.|io\.jwt\.(?:verify_hs|decode_verify|encode_sign)|providers\.aws\.)/;

class OpaWasmEngine implements Engine {
  readonly entrypoints: readonly string[];
  readonly #create: () => PackagePolicy;
  readonly #options: EngineOptions;
  #data: string;
  #memory: DecisionMemory | undefined;
  #context: BuiltinContext | undefined;
  #policy: PackagePolicy | undefined;
  #dataEnd = 0;
  #highest = 0;
  #lastSteps = 0;
  #steps = new StepCounter(undefined);

  constructor(module: WasmModule, tables: ModuleTables, options: EngineOptions) {
    this.entrypoints = tables.entrypoints;
    this.#options = options;
    this.#data = options.data;
    const builtins = this.#bindBuiltins([...tables.builtins.keys()]);
    const pages = Math.floor(options.maxMemoryBytes / PAGE_BYTES);
    const opaWasm = createRequire(import.meta.url)("@open-policy-agent/opa-wasm") as OpaWasm;
    this.#create = () => opaWasm.loadPolicySync(module, { initial: pages, maximum: pages }, builtins);
    this.#load(options.data);
  }

  get lastSteps(): number {
    return this.#lastSteps;
  }

  get memoryBytes(): number {
    return this.#highest;
  }

  evaluate(input: string | undefined, entrypoint: string, memory?: DecisionMemory): string {
    const id = this.entrypoints.indexOf(entrypoint);
    if (id < 0) throw new PolicyError("policy_entrypoint_missing", `no entrypoint \`${entrypoint}\``);
    const policy = this.#policy ?? this.#load(this.#data);
    // Out of sight while it runs: a throw leaves its stack unrestored, and the next evaluation makes another one.
    this.#policy = undefined;
    this.#memory = memory;
    this.#context = undefined;
    const result = this.#evaluateWithin(policy, input, id);
    this.#highest = Math.max(this.#highest, heapEndOf(policy));
    if (this.#highest <= this.#dataEnd + SPARE_BYTES) this.#policy = policy;
    return JSON.stringify(result);
  }

  #evaluateWithin(policy: PackagePolicy, input: string | undefined, id: number): unknown {
    const steps = counterOf(policy);
    this.#steps = steps;
    const budget = new BudgetUse(this.#options, this.#memory);
    // The package parses and evaluates in one call, so what parsing does not take is left for the evaluation.
    const total = Math.min(MAX_STEPS, budget.steps + toParseSteps(input?.length ?? 0));
    steps.left = total;
    try {
      return policy.evaluate(input === undefined ? undefined : toBytes(input), id);
    } catch (thrown) {
      const error = steps.isExhausted(thrown) ? exhausted() : thrown;
      budget.noteError(error, total - steps.left);
      throw error instanceof Unanswered ? error : toFailure(error); // and the next evaluation loads another instance
    } finally {
      this.#lastSteps = Math.min(total, total - steps.left);
      budget.noteSteps(this.#lastSteps);
      steps.left = MAX_STEPS;
    }
  }

  setData(dataJson: string): void {
    this.#load(dataJson);
  }

  #load(data: string): PackagePolicy {
    try {
      const policy = this.#create();
      counterOf(policy).left = MAX_STEPS;
      policy.setData(toBytes(data));
      this.#dataEnd = heapEndOf(policy);
      this.#highest = this.#dataEnd;
      this.#policy = policy;
      this.#data = data;
      return policy;
    } catch (thrown) {
      throw new PolicyError("policy_data_invalid", `data: ${toFailure(thrown).message}`, { cause: thrown });
    }
  }

  #bindBuiltins(names: readonly string[]): Readonly<Record<string, JsonBuiltin>> {
    const bound: Record<string, JsonBuiltin> = {};
    const missing: string[] = [];
    for (const name of names) {
      const run = this.#options.findBuiltin(name);
      if (run !== undefined) bound[name] = (...args) => this.#run(name, run, args);
      else if (!OWN_BUILTINS.has(name)) missing.push(name);
    }
    if (missing.length > 0) throw missingBuiltins(missing);
    return bound;
  }

  #run(name: string, run: Builtin, args: readonly unknown[]): unknown {
    this.#context ??= createBuiltinContext(
      this.#memory ?? createDecisionMemory(this.#options.clock),
      (steps) => this.#steps.spend(steps),
      () => this.#steps.left,
    );
    try {
      if (TAKES_KEYS.test(name) && JSON.stringify(args).includes("\ufffd")) {
        throw new BuiltinError("U+FFFD in an operand: this engine cannot tell it from bytes that are no UTF-8");
      }
      const result = run(
        args.map((arg) => parseValue(JSON.stringify(arg))),
        this.#context,
      );
      return result === undefined ? undefined : JSON.parse(toJson(result));
    } catch (error) {
      if (!(error instanceof BuiltinError)) throw error;
      if (!this.#options.strictBuiltinErrors) return undefined;
      throw new PolicyError("policy_builtin_error", `${error.builtin ?? publicName(name)}: ${error.message}`, {
        cause: error,
      });
    }
  }
}

/** The package throws the runtime's abort messages as bare strings. */
function toFailure(thrown: unknown): PolicyError {
  if (typeof thrown === "string") return toAbortError(thrown);
  const memoryLimit = thrown instanceof RangeError && thrown.message.includes("Memory.grow");
  if (memoryLimit) return new PolicyError("policy_input_too_large", "input: more than the evaluation has room for");
  return toPolicyError(thrown);
}

const counterOf = (policy: PackagePolicy): StepCounter =>
  new StepCounter(policy.wasmInstance.exports[STEPS_LEFT_EXPORT]);

const heapEndOf = (policy: PackagePolicy): number => policy.wasmInstance.exports.opa_heap_ptr_get() >>> 0;

/** A buffer of exactly these bytes: the package takes all of it. */
const toBytes = (text: string): ArrayBuffer => new Uint8Array(Buffer.from(text)).buffer;
