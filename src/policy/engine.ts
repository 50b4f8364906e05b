// What an engine is: the part that runs a policy's module. There are two, chosen by `PolicyOptions.engine`; everything
// that does not depend on the engine (checks of texts, names of entrypoints) is in evaluator.ts.

import type { Clock } from "../base/clock.ts";
import type { BudgetPressure } from "./budget-pressure.ts";
import type { Builtin, DecisionMemory } from "./builtins/builtin.ts";

/** Runs one policy's module. */
export interface Engine {
  /** Names by id; the first one is the default. */
  readonly entrypoints: readonly string[];
  /** Bytes of memory that the module, its data and its largest evaluation have taken. */
  readonly memoryBytes: number;
  /**
   * `input` is valid JSON text or undefined; answers with the result set as JSON text. Throws PolicyError, and Unanswered
   * when a builtin has to wait: the same evaluation runs again with its memory, which then holds the answer.
   */
  evaluate(input: string | undefined, entrypoint: string, memory?: DecisionMemory): string;
  /** Steps that the last evaluation took, parsing its input not among them; all of its budget when it used that up. */
  readonly lastSteps: number;
  /** Replaces the data document, valid JSON text. Throws PolicyError, and then the old document stays in force. */
  setData(dataJson: string): void;
}

/** What an evaluation comes to the end of, in this order: `call` and `return` are those of each host builtin. */
export type EvaluationPhase = "write" | "parse" | "call" | "return" | "evaluate" | "read";

/** What an engine is given. */
export interface EngineOptions {
  readonly data: string;
  readonly clock: Clock;
  readonly maxMemoryBytes: number;
  /** Most steps of one evaluation, or `off`: none are counted. */
  readonly budgetSteps: number | "off";
  /** Lowers the budget at times. */
  readonly pressure?: BudgetPressure;
  /** Hears of the steps of each evaluation as it ends, also of one that failed. */
  readonly onSteps?: (steps: number) => void;
  readonly strictBuiltinErrors: boolean;
  readonly onPrint: (line: string) => void;
  readonly findBuiltin: (name: string) => Builtin | undefined;
  /** Hears of each phase as it ends; for measurements, on our own engine only. */
  readonly onPhase?: (phase: EvaluationPhase) => void;
}
