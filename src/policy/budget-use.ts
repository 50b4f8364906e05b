// The budget of one evaluation, for both engines: how much it gets, and what is told of it. Evaluations of one decision, which
// runs again after each answer from outside, share one budget.

import { type DecisionMemory, Unanswered } from "./builtins/builtin.ts";
import type { EngineOptions } from "./engine.ts";
import { PolicyError } from "./policy-error.ts";
import { MAX_STEPS } from "./wasm-counter.ts";

/** What a budget needs of an engine's options. */
export type BudgetOptions = Pick<EngineOptions, "budgetSteps" | "pressure" | "onSteps" | "clock">;

/** Made as an evaluation begins. */
export class BudgetUse {
  /** What the evaluation gets. */
  readonly steps: number;
  readonly #options: BudgetOptions;
  readonly #startMs: number;

  /** `memory` is that of a decision which goes on. */
  constructor(options: BudgetOptions, memory?: DecisionMemory) {
    const { budgetSteps, pressure, clock } = options;
    this.#options = options;
    const all = budgetSteps === "off" ? MAX_STEPS : (pressure?.limit(budgetSteps) ?? budgetSteps);
    this.steps = Math.max(1, all - (memory?.steps ?? 0));
    this.#startMs = pressure === undefined ? 0 : clock.monotonicMs();
  }

  /** The evaluation took these steps, whether it failed or not. */
  noteSteps(steps: number): void {
    if (this.#options.budgetSteps !== "off") this.#options.onSteps?.(steps);
  }

  /** The evaluation failed after these steps. */
  noteError(error: unknown, steps: number): void {
    if (error instanceof Unanswered) error.memory.steps += steps;
    const { pressure, clock } = this.#options;
    if (pressure === undefined || !(error instanceof PolicyError) || error.code !== "policy_budget") return;
    pressure.noteExhausted(clock.monotonicMs() - this.#startMs);
  }
}
