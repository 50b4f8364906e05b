import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SpanFacts } from "../../../src/telemetry/otlp-span.ts";
import type { TraceContext } from "../../../src/telemetry/trace-context.ts";
import { createTracing, type TraceSampling } from "../../../src/telemetry/tracing.ts";
import { createManualClock } from "../../support/manual-clock.ts";
import { type ReceivedSpan, startOtlpReceiver, toAttributes } from "../../support/otlp-receiver.ts";

const trace: TraceContext = {
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  spanId: "b7ad6b7169203331",
  sampled: true,
};
const facts = (outcome: SpanFacts["outcome"], of: TraceContext | undefined): SpanFacts => ({
  decisionId: "d1",
  outcome,
  reason: outcome,
  enforced: true,
  trace: of,
  evaluationUs: 5,
  totalUs: 100,
});

async function spansOf(sampling: TraceSampling, decisions: readonly SpanFacts[]): Promise<readonly ReceivedSpan[]> {
  const receiver = await startOtlpReceiver();
  const tracing = createTracing({
    endpoint: new URL("/v1/traces", receiver.url),
    sampling,
    clock: createManualClock(),
    serviceName: "svidgate",
    serviceVersion: "0.0.0",
    instanceId: "i",
    onFailure: (_, detail) => {
      throw new Error(detail);
    },
  });
  for (const decision of decisions) tracing.decided(decision);
  await tracing.close(10_000);
  await receiver.close();
  assert.equal(tracing.counts().exported, receiver.spans().length);
  return receiver.spans();
}

describe("sampling", () => {
  const decisions = (["allow", "deny", "error"] as const).flatMap((outcome) => [
    facts(outcome, trace),
    facts(outcome, { ...trace, sampled: false }),
    facts(outcome, undefined),
  ]);
  const want: Readonly<Record<TraceSampling, readonly string[]>> = {
    parent: ["allow", "deny", "error"],
    parent_or_denied: ["allow", "deny", "deny", "deny", "error", "error", "error"],
    all: ["allow", "allow", "allow", "deny", "deny", "deny", "error", "error", "error"],
  };
  for (const [sampling, outcomes] of Object.entries(want)) {
    it(`by ${sampling} makes spans of ${outcomes.length} of 9 decisions`, async () => {
      const spans = await spansOf(sampling as TraceSampling, decisions);
      assert.deepEqual(
        spans.map(({ attributes }) => toAttributes(attributes)["svidgate.outcome"]),
        outcomes,
      );
    });
  }
});

describe("a span", () => {
  it("is the caller's child", async () => {
    const [span] = await spansOf("parent", [facts("allow", trace)]);
    assert.deepEqual([span?.traceId, span?.parentSpanId], [trace.traceId, trace.spanId]);
    assert.equal(span?.endTimeUnixNano, `${Date.UTC(2026, 0, 1)}000000`);
  });
  it("begins a trace of its own when the request has none", async () => {
    const [first, second] = await spansOf("all", [facts("allow", undefined), facts("allow", undefined)]);
    assert.match(first?.traceId ?? "", /^[0-9a-f]{32}$/);
    assert.match(first?.spanId ?? "", /^[0-9a-f]{16}$/);
    assert.equal(first?.parentSpanId, undefined);
    assert.notEqual(first?.traceId, second?.traceId);
    assert.notEqual(first?.spanId, second?.spanId);
  });
});
