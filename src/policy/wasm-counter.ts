// The steps that an instance has left (wasm-meter.ts counts them down), and what work outside of the module costs. A
// module that is not metered has a counter that never ends.

import { PolicyError } from "./policy-error.ts";
import type { WasmGlobal } from "./wasm-api.ts";

/** More than any evaluation may take: for work of the host's own, and without a budget. */
export const MAX_STEPS = 2 ** 31 - 1;

/** Steps for parsing JSON text in the module: a base, and some for each UTF-16 unit; input of any shape takes 15 to 55 a unit. */
const PARSE = { base: 1_000_000, unit: 100 } as const;

/** The counter of one instance. */
export class StepCounter {
  readonly #global: WasmGlobal | undefined;

  constructor(global: WasmGlobal | undefined) {
    this.#global = global;
  }

  /** Below zero when more than the budget was taken. */
  get left(): number {
    return this.#global?.value ?? MAX_STEPS;
  }

  set left(steps: number) {
    if (this.#global !== undefined) this.#global.value = steps;
  }

  /** Takes steps for work that the host does. Throws PolicyError `policy_budget` when too few are left. */
  spend(steps: number): void {
    if (this.#global === undefined) return;
    const left = this.#global.value - Math.ceil(steps);
    this.#global.value = Math.max(-1, left); // INVARIANT: charges that follow do not take an i32 round
    if (!(left >= 0)) throw exhausted();
  }

  /**
   * Whether what was thrown out of the module means that its budget was used up. Any other trap leaves the module
   * anywhere, whatever the counter says.
   */
  isExhausted(thrown: unknown): boolean {
    if (thrown instanceof PolicyError) return thrown.code === "policy_budget";
    return this.left < 0 && thrown instanceof Error && thrown.message === "unreachable";
  }
}

/** The error of an evaluation that has used up its budget. */
export const exhausted = (): PolicyError =>
  new PolicyError(
    "policy_budget",
    "budget: the evaluation, or the parsing of its input, took more steps than it may (`svidgate.policy.budget`)",
  );

/**
 * What parsing a text of this many UTF-16 units may take. SECURITY: in proportion to its length, so that what fits the
 * limits of size and depth is parsed, and an object whose keys were made to collide (the runtime's hash has no key)
 * costs no more than the longest input.
 */
export const toParseSteps = (units: number): number => Math.min(MAX_STEPS, PARSE.base + units * PARSE.unit);
