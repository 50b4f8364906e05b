// Lowers the budget of evaluations while too much time goes into those that use it up, so that many hostile requests
// cannot take the core by being refused: at 10 ms each, 100 of them a second would.
// Used-up budgets may take a fifth of the time. That share flows into a reserve, each exhausted evaluation takes its time
// out of it, and the budget falls with it: whole above half of the reserve, a tenth at its end. An evaluation within its
// budget changes nothing, and no evaluation that fits a tenth of the budget ever sees a difference.

import type { Clock } from "../base/clock.ts";

/** The part of time that exhausted evaluations may take. */
const SHARE = 0.2;
/** Milliseconds of exhausted evaluations in a full reserve: about four at the default budget. */
const RESERVE_MS = 40;
/** The least that is left of a budget. */
const LEAST_PART = 0.1;

/** The pressure on one process; one for all policies that it loads one after the other, or one for each. */
export class BudgetPressure {
  readonly #clock: Clock;
  #reserveMs = RESERVE_MS;
  #atMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#atMs = clock.monotonicMs();
  }

  /** Of a budget in steps, what an evaluation that begins now gets. */
  limit(budgetSteps: number): number {
    this.#refill();
    const part = this.#reserveMs / (RESERVE_MS / 2);
    return part >= 1 ? budgetSteps : Math.ceil(budgetSteps * Math.max(LEAST_PART, part));
  }

  /** An evaluation has used up its budget, in so many milliseconds. */
  noteExhausted(tookMs: number): void {
    this.#refill();
    this.#reserveMs = Math.max(0, this.#reserveMs - tookMs);
  }

  #refill(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#reserveMs = Math.min(RESERVE_MS, this.#reserveMs + (nowMs - this.#atMs) * SHARE);
    this.#atMs = nowMs;
  }
}
