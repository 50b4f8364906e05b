// From the code of a failed evaluation to the decision's reason. Codes that only loading can produce are a fault here.

import type { PolicyErrorCode } from "../policy/policy-error.ts";
import type { Refusal } from "./decision.ts";

const REASONS = {
  policy_conflict: "policy_conflict",
  policy_builtin_error: "policy_builtin_error",
  policy_input_too_large: "policy_input_too_large",
  policy_memory: "policy_memory",
  policy_budget: "policy_budget",
  policy_trap: "policy_trap",
  policy_timeout: "deadline_exceeded",
  policy_question_limit: "policy_question_limit",
  policy_overloaded: "policy_overloaded",
  policy_result: "policy_result_type",
  policy_input_invalid: "internal",
  policy_abi: "internal",
  policy_missing_builtin: "internal",
  policy_data_invalid: "internal",
  policy_entrypoint_missing: "internal",
} as const satisfies Record<PolicyErrorCode, Refusal["reason"]>;

/** The reason code that a failed evaluation is counted, told and recorded under. */
export const policyReason = (code: PolicyErrorCode): Refusal["reason"] => REASONS[code];
