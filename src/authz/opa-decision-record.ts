// DecisionRecord → the facts of an OPA decision log line, as opa-envoy-plugin fills them.

import type { OpaDecisionFacts } from "../audit/opa-decision-log.ts";
import type { DecisionRecord } from "./decide.ts";

const RESULT_SET = '[{"result":';

/** The line's facts; undefined for what the plugin does not log: a message that is no CheckRequest. */
export function toOpaDecisionFacts(record: DecisionRecord): OpaDecisionFacts | undefined {
  const { decision, resultSet } = record;
  if (decision.reason === "request_unreadable") return undefined;
  const { verdict } = decision;
  return {
    decisionId: record.decisionId,
    input: record.input,
    result:
      verdict !== undefined && resultSet?.startsWith(RESULT_SET) ? resultSet.slice(RESULT_SET.length, -2) : undefined,
    error: verdict === undefined ? decision.detail : undefined,
    evaluationMs: record.evaluationMs,
    totalMs: record.totalMs,
  };
}
