// The closed set of reason codes, and the only table from a code to its outcome and statuses.
// The same string is the metric label, the audit field, the dynamic metadata and the test's assertion.

import { IDENTITY_OUTCOMES } from "./identity-outcomes.ts";

/** What a decision comes to: the caller may pass, the caller may not, or we could not tell (and so it may not). */
export type Outcome = "allow" | "deny" | "error";

/** One row: `grpc` is the status code in CheckResponse or of the call, `http` what Envoy tells its client. */
interface OutcomeRow {
  readonly outcome: Outcome;
  readonly grpc: number;
  readonly http: number;
  readonly meaning: string;
}

/**
 * Every reason code. Statuses: policy 403, credential 401, unreadable request 400, our fault or overload 503.
 * gRPC codes are those that opa-envoy-plugin 1.19.1 answers in the same situation, where it has one.
 */
export const OUTCOMES = {
  policy_allowed: { outcome: "allow", grpc: 0, http: 200, meaning: "the policy said allow" },
  policy_denied: { outcome: "deny", grpc: 7, http: 403, meaning: "the policy said deny" },
  request_malformed: {
    outcome: "deny",
    grpc: 7,
    http: 400,
    meaning: "path, query, body or content-length of the request cannot be parsed",
  },
  request_unreadable: {
    outcome: "error",
    grpc: 13,
    http: 400,
    meaning: "the CheckRequest is not a valid protobuf message, or a string in it is not UTF-8",
  },
  ...IDENTITY_OUTCOMES,
  policy_undefined: { outcome: "error", grpc: 2, http: 503, meaning: "the entrypoint has no value for this input" },
  policy_result_type: {
    outcome: "error",
    grpc: 2,
    http: 503,
    meaning: "the policy's result has a wrong type or value",
  },
  policy_conflict: {
    outcome: "error",
    grpc: 2,
    http: 503,
    meaning: "rules of the policy gave more than one value for one name",
  },
  policy_builtin_error: { outcome: "error", grpc: 2, http: 503, meaning: "a builtin function failed in strict mode" },
  policy_input_too_large: {
    outcome: "error",
    grpc: 2,
    http: 503,
    meaning: "the input document is larger or deeper than the configured limit",
  },
  policy_memory: { outcome: "error", grpc: 2, http: 503, meaning: "the evaluation needed more memory than allowed" },
  // SECURITY: callers can bring it about, so it must not become an allow where errors do (failure_mode_allow).
  policy_budget: {
    outcome: "deny",
    grpc: 7,
    http: 403,
    meaning: "the evaluation took more steps than its budget allows",
  },
  policy_trap: { outcome: "error", grpc: 2, http: 503, meaning: "the policy's WASM module stopped abnormally" },
  policy_question_limit: {
    outcome: "error",
    grpc: 2,
    http: 503,
    meaning: "the evaluation asked outside (`http.send`, `net.lookup_ip_addr`) more than 64 times",
  },
  policy_overloaded: {
    outcome: "error",
    grpc: 8,
    http: 503,
    meaning: "too many evaluations wait for answers from outside already",
  },
  deadline_exceeded: {
    outcome: "error",
    grpc: 4,
    http: 503,
    meaning: "the caller's deadline passed before the answer",
  },
  cancelled: { outcome: "error", grpc: 1, http: 503, meaning: "the caller cancelled the check" },
  internal: { outcome: "error", grpc: 13, http: 503, meaning: "a fault of svidgate itself; its log has the cause" },
} as const satisfies Record<string, OutcomeRow>;

/** A reason code. */
export type ReasonCode = keyof typeof OUTCOMES;

/** A reason that is not an allow. */
export type DenyCode = Exclude<ReasonCode, "policy_allowed">;

/** The codes of each outcome. */
export const REASONS_BY_OUTCOME: Readonly<Record<Outcome, readonly ReasonCode[]>> = {
  allow: codesOf("allow"),
  deny: codesOf("deny"),
  error: codesOf("error"),
};

function codesOf(outcome: Outcome): readonly ReasonCode[] {
  return (Object.keys(OUTCOMES) as readonly ReasonCode[]).filter((code) => OUTCOMES[code].outcome === outcome);
}

/** All reason codes, in the table's order: the closed label set of `svidgate_decisions_total`. */
export const REASON_CODES = Object.keys(OUTCOMES) as readonly ReasonCode[];
