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
}

/** Answers with a value, or with `undefined` for Rego's undefined; throws {@link BuiltinError} for OPA's builtin error. */
export type Builtin = (args: readonly Value[], context: BuiltinContext) => Value | undefined;

/** The builtins of one family, by their Rego names. */
export type BuiltinFamily = Readonly<Record<string, Builtin>>;

/** OPA's "builtin error": wrong operand, malformed text, or one of the bounds of docs/builtins.md. Becomes undefined. */
export class BuiltinError extends Error {
  override readonly name = "BuiltinError";
}

/**
 * Longest text and largest collection a builtin may make, in UTF-16 units and in elements.
 * SECURITY: a policy passes request text to builtins, so what they allocate must not depend on the caller's wishes.
 */
export const MAX_RESULT_CHARS = 4 * 1024 * 1024;
/** See {@link MAX_RESULT_CHARS}. */
export const MAX_RESULT_ELEMENTS = 65_536;
