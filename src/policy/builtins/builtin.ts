// What a host builtin is: a synchronous function from Rego values to a Rego value, called by the evaluator when the
// WASM module asks for a builtin that OPA's runtime does not carry.
// OPA's rule (non-strict): a builtin error makes the expression undefined and never fails the evaluation.

import type { Value } from "../value.ts";

/** What one evaluation shares among its builtin calls; made afresh for each evaluation. */
export interface BuiltinContext {
  /** The evaluation's one instant, nanoseconds since 1970 (UTC); `time.now_ns()` and JWT checks read it. */
  readonly nowUnixNs: bigint;
  /** Values that must stay equal within an evaluation (`rand.intn`, `uuid.rfc4122`), by builtin and arguments. */
  readonly memo: Map<string, Value>;
  /**
   * Takes steps from the evaluation's budget (about 2,000 are a microsecond) for work that grows faster than operands and
   * result together, which the bridge charges for. Call it before the work. Throws PolicyError `policy_budget`.
   */
  spend(steps: number): void;
  /** Steps that the evaluation has left: for work that can be stopped while it runs. */
  stepsLeft(): number;
  /**
   * The answer to a question that only waiting can answer. When it is not known yet, throws {@link Unanswered}: the
   * evaluation stops, the question is asked, and the evaluation runs again with the answer remembered.
   */
  ask(question: Question): Value;
  /**
   * Runs an effect that is seen outside, such as a line of `print`: once for a decision, although an evaluation that waits
   * for answers comes by again. INVARIANT: the same evaluation makes the same calls in the same order.
   */
  once(effect: () => void): void;
}

/** Something outside of the evaluation, such as an HTTP request. */
export interface Question {
  /** Equal keys are one question, which one decision asks once. */
  readonly key: string;
  /** For people: the builtin and whom it asks, without credentials. */
  readonly about: string;
  /** The answer, where it is known without waiting; it is remembered like one that was waited for. */
  known?(): Answer | undefined;
  /** Never rejects: what goes wrong out there is a {@link BuiltinError} as value. Must end soon after the signal. */
  answer(signal: AbortSignal): Promise<Answer>;
}

/** What came of a question. */
export type Answer =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly error: BuiltinError };

/** What the evaluations of one decision share: each further one runs with the answers that the former ones asked for. */
export interface DecisionMemory {
  readonly nowUnixNs: bigint;
  readonly memo: Map<string, Value>;
  readonly answers: Map<string, Answer>;
  /** How many effects have been run. */
  effects: number;
  /** Steps that its evaluations have taken: they share one budget. */
  steps: number;
}

/** Thrown through the module by {@link BuiltinContext.ask}; never seen outside of `policy/`. */
export class Unanswered extends Error {
  override readonly name = "Unanswered";
  readonly question: Question;
  readonly memory: DecisionMemory;

  constructor(question: Question, memory: DecisionMemory) {
    super(question.about);
    this.question = question;
    this.memory = memory;
  }
}

/** Answers with a value, or with `undefined` for Rego's undefined; throws {@link BuiltinError} for OPA's builtin error. */
export type Builtin = (args: readonly Value[], context: BuiltinContext) => Value | undefined;

/** The builtins of one family, by their Rego names. */
export type BuiltinFamily = Readonly<Record<string, Builtin>>;

/** OPA's "builtin error": wrong operand, malformed text, or one of the bounds of docs/builtins.md. Becomes undefined. */
export class BuiltinError extends Error {
  override readonly name = "BuiltinError";
  /** The builtin that failed, where it is not the one that threw. */
  readonly builtin: string | undefined;

  constructor(message: string, builtin?: string) {
    super(message);
    this.builtin = builtin;
  }
}

/**
 * Longest text and largest collection a builtin may make, in UTF-16 units and in elements.
 * SECURITY: a policy passes request text to builtins, so what they allocate must not depend on the caller's wishes.
 */
export const MAX_RESULT_CHARS = 4 * 1024 * 1024;
/** See {@link MAX_RESULT_CHARS}. */
export const MAX_RESULT_ELEMENTS = 65_536;
