import assert from "node:assert/strict";
import { it } from "node:test";
import { toDecisionFacts } from "../../../src/authz/audit-record.ts";
import type { CheckCall } from "../../../src/authz/check-handler.ts";
import type { DecisionRecord } from "../../../src/authz/decide.ts";

const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/** A call as a listener may keep it: its methods need their object. */
class Call implements CheckCall {
  readonly deadlineMs = Number.POSITIVE_INFINITY;
  readonly receivedMs = 0;
  readonly pep = { address: "127.0.0.1", verified: false };
  readonly #metadata = new Map([["traceparent", TRACEPARENT]]);

  cancelled(): boolean {
    return false;
  }

  metadata(name: string): string | undefined {
    return this.#metadata.get(name);
  }
}

it("the event names the trace of a call whose methods need their object", () => {
  const record: DecisionRecord = {
    decisionId: "018f3c7e-7a5b-7c33-8000-000000000000",
    decision: { reason: "request_unreadable", detail: "" },
    call: new Call(),
    request: undefined,
    identity: undefined,
    policy: { revision: "r", entrypoint: "e" } as DecisionRecord["policy"],
    input: undefined,
    resultSet: undefined,
    identityMs: undefined,
    evaluationMs: undefined,
    totalMs: 1,
  };
  const { trace } = toDecisionFacts(record, { dryRun: false, errorsAreGrpcStatus: false });
  assert.deepEqual(trace, {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    sampled: true,
  });
});
