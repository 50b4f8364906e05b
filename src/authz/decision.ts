// One decision: what the policy said, or why there was nothing to be said. Made by `decide.ts`, written by `response.ts`,
// recorded by `audit-record.ts`.

import type { Verdict } from "../policy/verdict.ts";
import type { DenyCode } from "./outcome.ts";

/** Either the policy's verdict or a code that stands in its place; never both. */
export type Decision = PolicyDecision | Refusal;

/** The policy gave a verdict. */
export interface PolicyDecision {
  readonly reason: "policy_allowed" | "policy_denied";
  readonly verdict: Verdict;
}

/** There is no verdict, and so the caller may not pass. */
export interface Refusal {
  readonly reason: Exclude<DenyCode, "policy_denied">;
  readonly verdict?: undefined;
  /** For people: what was wrong, as opa-envoy-plugin words it. Free of secrets and internals. */
  readonly detail: string;
}

/** Wraps a verdict. */
export const decided = (verdict: Verdict): Decision => ({
  reason: verdict.allow ? "policy_allowed" : "policy_denied",
  verdict,
});

/** Refuses with a code. */
export const refuse = (reason: Refusal["reason"], detail: string): Decision => ({ reason, detail });

/** Whether the caller may pass. INVARIANT: only the policy's own allow says so. */
export const isAllow = (decision: Decision): boolean => decision.reason === "policy_allowed";
