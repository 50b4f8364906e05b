// Why a policy could not be loaded, or gave no result set for an input. The codes are closed: the decision's reason,
// the metric label and the test's assertion are the same word. Each failure of an evaluation is that evaluation's alone.

import { quoteCharacter } from "./byte-text.ts";
import { toWellFormed } from "./value.ts";

/** What each code of a {@link PolicyError} means. */
export const POLICY_ERROR_MEANINGS = {
  policy_abi: "the bytes are no WASM module that OPA's compiler made with ABI 1.2 or later",
  policy_missing_builtin: "the policy calls a builtin function that is not implemented here",
  policy_data_invalid: "the data document is not one JSON object, or does not fit the memory limit",
  policy_input_invalid: "the input is not exactly one JSON value in UTF-8",
  policy_input_too_large: "the input is larger or nested deeper than the limits",
  policy_memory: "the evaluation needed more memory than allowed",
  policy_budget: "the evaluation took more steps than its budget allows",
  policy_trap: "the module stopped abnormally: a trap, an abort of OPA's runtime, or a fault of a builtin function",
  policy_conflict: "rules gave more than one value for one name",
  policy_builtin_error: "a builtin function failed, and strict mode makes that an error",
  policy_timeout:
    "an answer from outside (`http.send`, `net.lookup_ip_addr`) did not come in time, or nobody waits for it any more",
  policy_question_limit: "the evaluation asked outside more often than allowed",
  policy_overloaded: "too many evaluations wait for answers from outside already",
  policy_entrypoint_missing: "the module has no such entrypoint",
  policy_result: "the module's result is no result set, or nests too deep",
} as const;

/** The code of a {@link PolicyError}. */
export type PolicyErrorCode = keyof typeof POLICY_ERROR_MEANINGS;

/** A policy that cannot be loaded, or an evaluation without a result; the policy itself stays usable. */
export class PolicyError extends Error {
  override readonly name = "PolicyError";
  readonly code: PolicyErrorCode;

  constructor(code: PolicyErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(code === "policy_builtin_error" ? toBoundedLine(message) : message, options);
    this.code = code;
  }
}

/** Longest sentence of a builtin's error, in UTF-16 units. */
const MAX_SENTENCE_CHARS = 1_024;

/**
 * SECURITY: OPA's sentences quote operands whole (`invalid CIDR address: …`), which may be megabytes of a request with line
 * feeds and escape sequences in them; these sentences go into logs, decision records and statuses.
 */
function toBoundedLine(message: string): string {
  const line = message.slice(0, MAX_SENTENCE_CHARS).replace(/[\p{Cc}\u2028\u2029]/gu, quoteCharacter);
  if (message.length <= MAX_SENTENCE_CHARS && line.length <= MAX_SENTENCE_CHARS) return line;
  return `${toWellFormed(line.slice(0, MAX_SENTENCE_CHARS))}…`;
}

// SPEC: OPA internal/compiler/wasm/wasm.go, errorMessages: `file:row:col: var assignment conflict`.
const CONFLICT = /^(?:(.*:\d+):\d+: )?(var assignment|object insert) conflict$/s;

/** What OPA's interpreter says of the same conflict (v1/topdown/errors.go), which is what people search for. */
const CONFLICT_SENTENCES: Readonly<Record<string, string>> = {
  "var assignment": "eval_conflict_error: complete rules must not produce multiple outputs",
  "object insert": "eval_conflict_error: object keys must be unique",
};

/** The error for the text that OPA's runtime gave `opa_abort`, for example `a.rego:3:1: var assignment conflict`. */
export function toAbortError(message: string): PolicyError {
  const [conflict, place, kind = ""] = CONFLICT.exec(message) ?? [];
  if (conflict !== undefined) {
    const sentence = CONFLICT_SENTENCES[kind] ?? message;
    return new PolicyError("policy_conflict", place === undefined ? sentence : `${place}: ${sentence}`);
  }
  // 0/0, for which OPA's runtime has no other way out; its interpreter calls it what it calls 1/0.
  if (message === "opa_arith_divide: invalid number")
    return new PolicyError("policy_builtin_error", "div: divide by zero");
  if (message === "opa_malloc: failed") return new PolicyError("policy_memory", "memory: the limit was reached");
  return new PolicyError("policy_trap", `abort: ${message}`);
}

/** Whatever was thrown out of the module, as a PolicyError: nothing else leaves an evaluation. */
export function toPolicyError(thrown: unknown): PolicyError {
  if (thrown instanceof PolicyError) return thrown;
  return new PolicyError("policy_trap", `trap: ${thrown instanceof Error ? thrown.message : String(thrown)}`, {
    cause: thrown,
  });
}
