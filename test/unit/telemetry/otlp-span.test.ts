import assert from "node:assert/strict";
import { it } from "node:test";
import {
  createExportText,
  SPAN_NAME,
  type SpanFacts,
  type SpanPlace,
  toSpanText,
} from "../../../src/telemetry/otlp-span.ts";
import { type ReceivedSpan, toAttributes } from "../../support/otlp-receiver.ts";

const facts: SpanFacts = {
  decisionId: "019b7c3e-0000-7000-8000-000000000001",
  outcome: "deny",
  reason: "policy_denied",
  enforced: true,
  policy: { revision: "r1", entrypoint: "envoy/authz/allow" },
  evaluationUs: 12.4,
  totalUs: 150,
};
const place: SpanPlace = {
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  spanId: "00f067aa0ba902b7",
  parentSpanId: "b7ad6b7169203331",
  endUnixUs: 1_767_225_600_000_250,
};
const span = (changes: Partial<SpanFacts> = {}, at: Partial<SpanPlace> = {}): ReceivedSpan =>
  JSON.parse(toSpanText({ ...facts, ...changes }, { ...place, ...at })) as ReceivedSpan;

it("is a server span with hex ids, times in nanoseconds as text, and the decision's attributes", () => {
  const { attributes, ...rest } = span();
  assert.deepEqual(rest, {
    traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
    spanId: "00f067aa0ba902b7",
    parentSpanId: "b7ad6b7169203331",
    flags: 0x301,
    name: SPAN_NAME,
    kind: 2,
    startTimeUnixNano: "1767225600000100000",
    endTimeUnixNano: "1767225600000250000",
  });
  assert.deepEqual(toAttributes(attributes), {
    "rpc.system.name": "grpc",
    "rpc.method": "envoy.service.auth.v3.Authorization/Check",
    "svidgate.decision_id": "019b7c3e-0000-7000-8000-000000000001",
    "svidgate.outcome": "deny",
    "svidgate.reason": "policy_denied",
    "svidgate.enforced": true,
    "svidgate.evaluation_us": "12",
    "svidgate.policy.revision": "r1",
    "svidgate.policy.entrypoint": "envoy/authz/allow",
  });
});

it("begins a trace when it has no parent", () => {
  const { parentSpanId, flags } = span({}, { parentSpanId: undefined });
  assert.deepEqual({ parentSpanId, flags }, { parentSpanId: undefined, flags: 0x101 });
});

for (const [outcome, status] of [
  ["allow", undefined],
  ["deny", undefined],
  ["error", { code: 2, message: "policy_trap" }],
] as const) {
  it(`has ${status === undefined ? "no error status" : "an error status"} when the outcome is ${outcome}`, () => {
    assert.deepEqual(span({ outcome, reason: outcome === "error" ? "policy_trap" : "x" }).status, status);
  });
}

it("bounds the policy's texts and never goes before its own start", () => {
  const { attributes, startTimeUnixNano, endTimeUnixNano } = span({
    policy: { revision: `"\n${"r".repeat(10_000)}`, entrypoint: "e" },
    totalUs: -5,
    evaluationUs: -1,
  });
  const read = toAttributes(attributes);
  assert.equal((read["svidgate.policy.revision"] as string).length, 256);
  assert.equal(read["svidgate.evaluation_us"], "0");
  assert.equal(startTimeUnixNano, endTimeUnixNano);
  assert.equal(toAttributes(span({ policy: undefined }).attributes)["svidgate.policy.revision"], undefined);
});

it("travels in a request that says who sends it", () => {
  const toExport = createExportText({ serviceName: 'my "pdp"', serviceVersion: "1.2.3", instanceId: "i1" });
  const request = JSON.parse(toExport([toSpanText(facts, place), toSpanText(facts, place)])) as {
    resourceSpans: [{ resource: { attributes: ReceivedSpan["attributes"] }; scopeSpans: [{ spans: unknown[] }] }];
  };
  const [{ resource, scopeSpans }] = request.resourceSpans;
  assert.deepEqual(toAttributes(resource.attributes), {
    "service.name": 'my "pdp"',
    "service.version": "1.2.3",
    "service.instance.id": "i1",
  });
  assert.equal(scopeSpans[0].spans.length, 2);
  assert.equal(JSON.parse(toExport([])).resourceSpans[0].scopeSpans[0].spans.length, 0);
});
