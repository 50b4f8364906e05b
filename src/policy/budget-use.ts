// The budget of one evaluation, for both engines: how much it gets, and what is told of it.

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

  constructor(options: BudgetOptions) {
    const { budgetSteps, pressure, clock } = options;
    this.#options = options;
    this.steps = budgetSteps === "off" ? MAX_STEPS : (pressure?.limit(budgetSteps) ?? budgetSteps);
    this.#startMs = pressure === undefined ? 0 : clock.monotonicMs();
  }

  /** The evaluation took these steps, whether it failed or not. */
  noteSteps(steps: number): void {
    if (this.#options.budgetSteps !== "off") this.#options.onSteps?.(steps);
  }

  /** The evaluation failed. */
  noteError(error: unknown): void {
    const { pressure, clock } = this.#options;
    if (pressure === undefined || !(error instanceof PolicyError) || error.code !== "policy_budget") return;
    pressure.noteExhausted(clock.monotonicMs() - this.#startMs);
  }
}
