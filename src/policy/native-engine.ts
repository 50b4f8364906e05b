// The engine of our own: a host on an instance, and another instance when the first cannot go on (a trap, or a throw that
// leaves its stack unrestored) or should not (an oversized evaluation has taken memory, which WASM never gives back).

import { BudgetUse } from "./budget-use.ts";
import type { BoundBuiltin } from "./builtin-bridge.ts";
import type { DecisionMemory } from "./builtins/builtin.ts";
import type { Engine, EngineOptions } from "./engine.ts";
import { PolicyError } from "./policy-error.ts";
import { RegoNumber, RegoObject, type Value } from "./value.ts";
import { type PolicyProgram, WasmHost } from "./wasm-host.ts";
import { compileModule } from "./wasm-module.ts";

/** The tables of a module. */
export interface ModuleTables {
  /** Names by id. */
  readonly entrypoints: readonly string[];
  /** Builtins that the module wants from its host: id by name. */
  readonly builtins: ReadonlyMap<string, number>;
}

/** Loads a policy on our own host. Throws PolicyError. */
export function loadNativeEngine(wasm: Uint8Array | object, options: EngineOptions): Engine {
  const module = compileModule(wasm, { metered: options.budgetSteps !== "off" });
  const builtins = new Map<number, BoundBuiltin>();
  const program = { module, builtins };
  const host = new WasmHost(program, options);
  const tables = readTables(host);
  bindBuiltins(builtins, tables.builtins, options.findBuiltin);
  host.loadData(options.data);
  return new NativeEngine(program, options, tables.entrypoints, host);
}

/** Reads the tables of a fresh instance, and checks its ABI. Throws PolicyError `policy_abi`. */
export function readTables(host: WasmHost): ModuleTables {
  let description: ReturnType<WasmHost["describe"]>;
  try {
    description = host.describe();
  } catch (error) {
    throw new PolicyError("policy_abi", "the module's tables are unreadable", { cause: error });
  }
  if (!/^1\.(?:[2-9]|\d{2,})$/.test(description.abi))
    throw new PolicyError("policy_abi", `ABI ${description.abi}: 1.2 or later is needed, build with OPA 0.35 or later`);
  const entrypoints: string[] = [];
  for (const [name, id] of readIds(description.entrypoints)) entrypoints[id] = name;
  return { entrypoints: [...entrypoints], builtins: new Map(readIds(description.builtins)) };
}

function readIds(table: Value): [name: string, id: number][] {
  if (!(table instanceof RegoObject)) throw new PolicyError("policy_abi", "the module's tables are no objects");
  return table.entries.map(([name, id]) => {
    if (typeof name === "string" && id instanceof RegoNumber && /^\d{1,6}$/.test(id.text)) return [name, id.toNumber()];
    throw new PolicyError("policy_abi", "the module's tables do not map names to ids");
  });
}

function bindBuiltins(
  bound: Map<number, BoundBuiltin>,
  wanted: ReadonlyMap<string, number>,
  findBuiltin: EngineOptions["findBuiltin"],
): void {
  const missing: string[] = [];
  for (const [name, id] of wanted) {
    const run = findBuiltin(name);
    if (run === undefined) missing.push(name);
    else bound.set(id, { name, run });
  }
  if (missing.length > 0) throw missingBuiltins(missing);
}

/** The refusal of a module that calls builtins which are not there. */
export function missingBuiltins(names: readonly string[]): PolicyError {
  const list = names.map((name) => `\`${name}\``).join(", ");
  return new PolicyError("policy_missing_builtin", `builtins that are not implemented: ${list}`);
}

class NativeEngine implements Engine {
  readonly entrypoints: readonly string[];
  readonly #program: PolicyProgram;
  readonly #options: EngineOptions;
  readonly #ids: ReadonlyMap<string, number>;
  #host: WasmHost;
  #dataJson: string;
  #lastSteps = 0;

  constructor(program: PolicyProgram, options: EngineOptions, entrypoints: readonly string[], host: WasmHost) {
    this.entrypoints = entrypoints;
    this.#program = program;
    this.#options = options;
    this.#ids = new Map(entrypoints.map((name, id) => [name, id]));
    this.#host = host;
    this.#dataJson = options.data;
  }

  get lastSteps(): number {
    return this.#lastSteps;
  }

  get memoryBytes(): number {
    return this.#host.memoryBytes;
  }

  evaluate(input: string | undefined, entrypoint: string, memory?: DecisionMemory): string {
    const id = this.#ids.get(entrypoint);
    if (id === undefined) throw new PolicyError("policy_entrypoint_missing", `no entrypoint \`${entrypoint}\``);
    if (!this.#host.isUsable) this.#replaceHost();
    const host = this.#host;
    const budget = new BudgetUse(this.#options, memory);
    try {
      return host.evaluate(input, id, budget.steps, memory);
    } catch (error) {
      budget.noteError(error, host.lastSteps);
      throw error;
    } finally {
      this.#lastSteps = host.lastSteps;
      budget.noteSteps(host.lastSteps);
      if (host.shouldBeReplaced) this.#tryToReplaceHost();
    }
  }

  setData(dataJson: string): void {
    const next = new WasmHost(this.#program, this.#options);
    next.loadData(dataJson);
    this.#host = next;
    this.#dataJson = dataJson;
  }

  #replaceHost(): void {
    const next = new WasmHost(this.#program, this.#options);
    // PERF: parsing takes twice as long as copying; a pristine copy to take from would be 13 times the size of the text.
    if (this.#host.hasTrustedData) next.copyDataFrom(this.#host);
    else next.loadData(this.#dataJson);
    this.#host = next;
  }

  /** Keeps the host when there is no memory for another one: an unusable host is replaced before its next evaluation. */
  #tryToReplaceHost(): void {
    try {
      this.#replaceHost();
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
    }
  }
}
