// Calls host builtins for the module, over Rego value text, so sets stay sets and numbers keep every digit.
// SPEC: OPA's WASM ABI: address 0 is Rego's undefined; a builtin error is undefined unless strict mode is on.

import type { Clock } from "../base/clock.ts";
import {
  type Builtin,
  type BuiltinContext,
  BuiltinError,
  type DecisionMemory,
  type Question,
  Unanswered,
} from "./builtins/builtin.ts";
import { publicName } from "./builtins/natives.ts";
import { PolicyError } from "./policy-error.ts";
import type { Value } from "./value.ts";
import { MAX_STEPS } from "./wasm-counter.ts";
import type { WasmInstance } from "./wasm-instance.ts";

/** A builtin that the module calls, by the id of its table. */
export interface BoundBuiltin {
  readonly name: string;
  readonly run: Builtin;
}

/** What builtin calls of all evaluations of a policy share. */
export interface BridgeOptions {
  readonly clock: Clock;
  readonly strictBuiltinErrors: boolean;
}

/** Takes steps from the budget of the evaluation that runs. Throws PolicyError `policy_budget`. */
export type Spend = (steps: number) => void;

/** The bridge of one instance. */
export class BuiltinBridge {
  readonly #builtins: ReadonlyMap<number, BoundBuiltin>;
  readonly #options: BridgeOptions;
  readonly #spend: Spend;
  readonly #stepsLeft: () => number;
  #memory: DecisionMemory | undefined;
  #context: BuiltinContext | undefined;

  constructor(
    builtins: ReadonlyMap<number, BoundBuiltin>,
    options: BridgeOptions,
    spend: Spend,
    stepsLeft: () => number,
  ) {
    this.#builtins = builtins;
    this.#options = options;
    this.#spend = spend;
    this.#stepsLeft = stepsLeft;
  }

  /** Starts an evaluation: its builtins see one instant, the one of the decision's first call. Without a memory it is a decision's first. */
  begin(memory: DecisionMemory | undefined): void {
    this.#memory = memory;
    this.#context = undefined;
  }

  /** Runs builtin `id`; the address of its result in `instance`, 0 for undefined. Whatever it throws ends the evaluation. */
  call(instance: WasmInstance, id: number, addresses: readonly number[]): number {
    const builtin = this.#builtins.get(id);
    if (builtin === undefined) throw new PolicyError("policy_trap", `trap: no builtin has the id ${id}`);
    const args = addresses.map((address) => instance.values.read(address, this.#spend));
    const result = this.#run(builtin, args);
    if (result === undefined) return 0;
    const value = instance.values.write(result);
    if (value === 0) throw new PolicyError("policy_trap", `trap: \`${builtin.name}\` returned no Rego value`);
    return value;
  }

  #run({ name, run }: BoundBuiltin, args: readonly Value[]): Value | undefined {
    this.#context ??= createBuiltinContext(
      this.#memory ?? createDecisionMemory(this.#options.clock),
      this.#spend,
      this.#stepsLeft,
    );
    try {
      return run(args, this.#context);
    } catch (error) {
      if (error instanceof PolicyError || error instanceof Unanswered) throw error;
      if (error instanceof BuiltinError) {
        if (!this.#options.strictBuiltinErrors) return undefined;
        throw new PolicyError("policy_builtin_error", `${error.builtin ?? publicName(name)}: ${error.message}`, {
          cause: error,
        });
      }
      const what = error instanceof Error ? error.message : String(error);
      throw new PolicyError("policy_trap", `fault in the builtin \`${publicName(name)}\`: ${what}`, { cause: error });
    }
  }
}

/** A fresh memory; its time stands still. */
export function createDecisionMemory(clock: Clock): DecisionMemory {
  const nowUnixNs = BigInt(Math.trunc(clock.unixMs())) * 1_000_000n;
  return { nowUnixNs, memo: new Map(), answers: new Map(), effects: 0, steps: 0 };
}

/** The context of one evaluation; without `stepsLeft`, of one that nothing bounds. */
export function createBuiltinContext(
  memory: DecisionMemory,
  spend: Spend,
  stepsLeft: () => number = () => MAX_STEPS,
): BuiltinContext {
  const { nowUnixNs, memo, answers } = memory;
  let effects = 0;
  return {
    nowUnixNs,
    memo,
    spend,
    stepsLeft,
    ask: (question) => {
      let answer = answers.get(question.key);
      if (answer === undefined) {
        answer = question.known?.();
        if (answer === undefined) throw createUnanswered(question, memory);
        answers.set(question.key, answer);
      }
      if (!answer.ok) throw answer.error;
      return answer.value;
    },
    once: (effect) => {
      effects++;
      if (effects <= memory.effects) return;
      memory.effects = effects;
      effect();
    },
  };
}

/** PERF: nobody reads its stack, and taking one through the module's frames costs more than the throw. */
function createUnanswered(question: Question, memory: DecisionMemory): Unanswered {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  const unanswered = new Unanswered(question, memory);
  Error.stackTraceLimit = limit;
  return unanswered;
}
