import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createAuditWriter, type DecisionFacts, MAX_LINE_BYTES } from "../../../src/audit/event.ts";
import { type AuditField, DECISION_FIELDS, GAP_FIELDS } from "../../../src/audit/event-fields.ts";
import { packageRoot } from "../../../src/base/package-root.ts";

const time = "2026-01-01T00:00:00.000000Z";
const writer = createAuditWriter({
  pdpId: "p1",
  pdpVersion: "0.1.0",
  path: "full",
  labels: new Map([["region", "eu"]]),
});
const policy = { revision: "r1", entrypoint: "envoy/authz/allow", wasmSha256: "ab".repeat(32) };
const least: DecisionFacts = {
  decisionId: "019b7000-0000-7000-8000-000000000000",
  outcome: "error",
  reason: "request_unreadable",
  enforced: true,
  identitySource: "none",
  verifiedBy: "none",
  identityUs: 0,
  evaluationUs: 0,
  totalUs: 12,
};
const whole: DecisionFacts = {
  ...least,
  outcome: "deny",
  reason: "policy_denied",
  enforced: false,
  httpStatus: 403,
  grpcStatus: 7,
  method: "GET",
  host: "orders.prod:8080",
  path: "/v1/orders/7?access_token=query-secret#fragment-secret",
  sourceAddress: "10.1.2.3",
  subject: "spiffe://prod.example/checkout",
  subjectRefused: "spiffe://prod.example/refused",
  subjectClaimed: "spiffe://prod.example/claimed",
  identitySource: "certificate",
  verifiedBy: "pdp",
  identityDetail: "the laptop was stolen",
  credential: {
    type: "x509-svid",
    notAfterUnixMs: Date.UTC(2026, 10, 22, 4),
    lifetimeSeconds: 3610,
    fingerprintSha256: "2c8889f1".repeat(8),
    serial: "4065106565f10574555cf96cb4fc8b0f",
    issuer: "CN=td1 int",
    tokenId: "7f1",
    keyId: "Xb1",
    bundleGeneration: 17,
  },
  peerSpiffeId: "spiffe://prod.example/ns/edge/sa/gateway",
  destinationPrincipal: "spiffe://prod.example/orders",
  pep: { address: "unix", spiffeId: "spiffe://prod.example/envoy", verified: true },
  requestId: "0190b6f2-9a1e-7c3e-8d5e-0f1e2d3c4b5a",
  trace: { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", sampled: true },
  policy,
  identityUs: 3.4,
  evaluationUs: 5.6,
  totalUs: 41,
};
const read = (line: string): Readonly<Record<string, unknown>> => JSON.parse(line) as Record<string, unknown>;
const decision = (facts: DecisionFacts): Readonly<Record<string, unknown>> =>
  read(writer.toDecisionLine(facts, 1, time));

interface FieldSchema {
  readonly type: string;
  readonly enum?: readonly unknown[];
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly pattern?: string;
}
interface EventSchema {
  readonly properties: Readonly<Record<string, FieldSchema>>;
  readonly required: readonly string[];
}
const schema = JSON.parse(readFileSync(join(packageRoot(), "docs/audit-event.schema.json"), "utf8")) as {
  readonly $defs: Readonly<Record<"decision" | "gap", EventSchema>>;
};
/** What in an event breaks the published schema; it uses only the keywords that are read here. */
function breaches(event: Readonly<Record<string, unknown>>, { properties, required }: EventSchema): readonly string[] {
  const missing = required.filter((name) => event[name] === undefined);
  const wrong = Object.entries(event).filter(([name, value]) => {
    const field = properties[name];
    if (field === undefined) return true;
    if (field.type === "integer" ? !Number.isSafeInteger(value) : typeof value !== field.type) return true;
    if (field.enum !== undefined && !field.enum.includes(value)) return true;
    if (field.minimum !== undefined && (value as number) < field.minimum) return true;
    if (field.maxLength !== undefined && (value as string).length > field.maxLength) return true;
    return field.pattern !== undefined && !new RegExp(field.pattern).test(value as string);
  });
  return [...missing, ...wrong.map(([name]) => name)];
}

describe("a decision", () => {
  it("has every field of the table, in its order", () => {
    assert.deepEqual(Object.keys(decision(whole)), Object.keys(DECISION_FIELDS));
  });
  it("holds what was decided", () => {
    assert.deepEqual(decision(whole), {
      v: 1,
      type: "decision",
      time,
      seq: 1,
      decision_id: least.decisionId,
      outcome: "deny",
      reason: "policy_denied",
      enforced: false,
      http_status: 403,
      grpc_status: 7,
      method: "GET",
      host: "orders.prod:8080",
      path: "/v1/orders/7",
      source_address: "10.1.2.3",
      subject: "spiffe://prod.example/checkout",
      subject_refused: "spiffe://prod.example/refused",
      subject_claimed: "spiffe://prod.example/claimed",
      identity_source: "certificate",
      verified_by: "pdp",
      identity_detail: "the laptop was stolen",
      credential_type: "x509-svid",
      credential_not_after: "2026-11-22T04:00:00Z",
      credential_lifetime_seconds: 3610,
      credential_fingerprint_sha256: "2c8889f1".repeat(8),
      credential_serial: "4065106565f10574555cf96cb4fc8b0f",
      credential_issuer: "CN=td1 int",
      credential_token_id: "7f1",
      credential_key_id: "Xb1",
      bundle_generation: 17,
      peer_spiffe_id: "spiffe://prod.example/ns/edge/sa/gateway",
      destination_principal: "spiffe://prod.example/orders",
      pep_address: "unix",
      pep_spiffe_id: "spiffe://prod.example/envoy",
      pep_verified: true,
      request_id: "0190b6f2-9a1e-7c3e-8d5e-0f1e2d3c4b5a",
      trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
      span_id: "00f067aa0ba902b7",
      trace_sampled: true,
      policy_revision: "r1",
      policy_entrypoint: "envoy/authz/allow",
      policy_wasm_sha256: "ab".repeat(32),
      identity_us: 3,
      evaluation_us: 6,
      total_us: 41,
      pdp_id: "p1",
      pdp_version: "0.1.0",
      labels: { region: "eu" },
    });
  });
  it("of an unreadable request has just the fields that every decision has", () => {
    const bare = createAuditWriter({ pdpId: "p1", pdpVersion: "0.1.0", path: "full", labels: new Map() });
    const always = Object.entries<AuditField>(DECISION_FIELDS).filter(([, field]) => field.always === true);
    assert.deepEqual(
      Object.keys(read(bare.toDecisionLine(least, 1, time))),
      always.map(([name]) => name),
    );
  });
  it("is one line, with one line feed at its end", () => {
    assert.match(writer.toDecisionLine({ ...whole, path: "/a\nb\r\u2028" }, 1, time), /^[\x20-\x7e]+\n$/);
  });
  it("names the policy of each decision, also when it changes between two", () => {
    assert.equal(decision(whole)["policy_revision"], "r1");
    assert.equal(decision({ ...whole, policy: { revision: "r2", entrypoint: "a/b" } })["policy_revision"], "r2");
    assert.equal(decision(whole)["policy_wasm_sha256"], policy.wasmSha256);
    assert.equal(decision(least)["policy_revision"], undefined);
  });
  it("has no path when paths are switched off", () => {
    const without = createAuditWriter({ pdpId: "p1", pdpVersion: "0.1.0", path: "none" });
    const line = without.toDecisionLine(whole, 1, time);
    assert.equal(read(line)["path"], undefined);
    assert.doesNotMatch(line, /orders\/7/);
  });
  it("has a request id only when it looks like one", () => {
    for (const requestId of ["", "Bearer abc", "a".repeat(129), 'a"b', "a\n", "ü"]) {
      assert.equal(decision({ ...whole, requestId })["request_id"], undefined, requestId);
    }
    assert.equal(decision({ ...whole, requestId: "a".repeat(128) })["request_id"], "a".repeat(128));
  });
  it("writes a measure that is none as 0", () => {
    const event = decision({ ...whole, identityUs: Number.NaN, evaluationUs: -1, totalUs: Number.POSITIVE_INFINITY });
    assert.deepEqual(
      [event["identity_us"], event["evaluation_us"], event["total_us"]],
      [0, 0, Number.MAX_SAFE_INTEGER],
    );
  });
});

it("a gap has every field of its table, in its order", () => {
  const gap = read(writer.toGapLine({ cause: "queue_full", fromSeq: 2, toSeq: 9, count: 8 }, time));
  assert.deepEqual(Object.keys(gap), Object.keys(GAP_FIELDS));
  assert.deepEqual(breaches(gap, schema.$defs.gap), []);
});

describe("any decision", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc
      .constantFrom('"\\', "\u001b[31m", "\u202e\ud800")
      .chain((unit) => fc.nat(4_000).map((times) => unit.repeat(times))),
  );
  const maybe = fc.option(text, { nil: undefined });
  const anyFacts: fc.Arbitrary<DecisionFacts> = fc.record({
    decisionId: text,
    outcome: fc.constantFrom("allow", "deny", "error"),
    reason: text,
    enforced: fc.boolean(),
    httpStatus: fc.option(fc.double(), { nil: undefined }),
    grpcStatus: fc.option(fc.integer(), { nil: undefined }),
    method: maybe,
    host: maybe,
    path: maybe,
    sourceAddress: maybe,
    subject: maybe,
    subjectRefused: maybe,
    subjectClaimed: maybe,
    identitySource: fc.constantFrom("certificate", "principal", "xfcc", "token", "none"),
    verifiedBy: fc.constantFrom("pdp", "envoy", "none"),
    identityDetail: maybe,
    credential: fc.option(
      fc.record({
        type: fc.constantFrom("x509-svid", "jwt-svid"),
        notAfterUnixMs: fc.option(fc.integer({ min: 0, max: 4e12 }), { nil: undefined }),
        lifetimeSeconds: fc.option(fc.double(), { nil: undefined }),
        fingerprintSha256: maybe,
        serial: maybe,
        issuer: maybe,
        tokenId: maybe,
        keyId: maybe,
        bundleGeneration: fc.option(fc.nat(), { nil: undefined }),
      }),
      { nil: undefined },
    ),
    peerSpiffeId: maybe,
    destinationPrincipal: maybe,
    pep: fc.record({ address: text, spiffeId: text, verified: fc.boolean() }),
    requestId: maybe,
    trace: fc.option(fc.record({ traceId: text, spanId: text, sampled: fc.boolean() }), { nil: undefined }),
    policy: fc.option(fc.record({ revision: text, entrypoint: text, wasmSha256: text }), { nil: undefined }),
    identityUs: fc.double(),
    evaluationUs: fc.double(),
    totalUs: fc.double(),
  });
  it("is one bounded line of printable ASCII that follows the published schema", () => {
    fc.assert(
      fc.property(anyFacts, (facts) => {
        const line = writer.toDecisionLine(facts, 1, time);
        assert.ok(line.length <= MAX_LINE_BYTES, String(line.length));
        assert.match(line, /^[\x20-\x7e]+\n$/);
        assert.deepEqual(breaches(read(line), schema.$defs.decision), []);
      }),
      { seed: 1, numRuns: 300 },
    );
  });
  it("stays below the limit with every field at its longest", () => {
    const widest = Object.entries<AuditField>(DECISION_FIELDS)
      .map(([name, field]) => name.length + 6 + (field.maxChars ?? 30))
      .reduce((sum, chars) => sum + chars, 0);
    assert.ok(widest < MAX_LINE_BYTES, String(widest));
  });
});
