import assert from "node:assert/strict";
import { it } from "node:test";
import { createOpaDecisionLog, type OpaDecisionFacts } from "../../../src/audit/opa-decision-log.ts";
import { toOpaDecisionFacts } from "../../../src/authz/opa-decision-record.ts";
import { packageVersion } from "../../../src/base/package-root.ts";
import type { ActivePolicy } from "../../../src/policy/active-policy.ts";
import { encodeCheckRequest } from "../../support/check-messages.ts";
import { inProcess } from "../../support/in-process.ts";
import { createManualClock } from "../../support/manual-clock.ts";

const lines: string[] = [];
const log = createOpaDecisionLog({
  labels: new Map([
    ["region", "eu"],
    ["id", "taken"],
  ]),
  pdpId: "p1",
  clock: createManualClock(),
  write: (line) => void lines.push(line),
});

function lineOf(facts: Partial<OpaDecisionFacts>): Record<string, unknown> {
  lines.length = 0;
  const least = {
    decisionId: "d1",
    input: "{}",
    result: "true",
    error: undefined,
    evaluationMs: 0.0125,
    totalMs: 0.04,
  };
  log({ ...least, ...facts }, "/envoy/authz/allow");
  const [line = "", ...more] = lines;
  assert.equal(more.length, 0);
  assert.equal(line.indexOf("\n"), line.length - 1, "one line");
  return JSON.parse(line) as Record<string, unknown>;
}

it("writes what the plugin writes, under its keys", () => {
  const { time, timestamp, ...rest } = lineOf({});
  assert.deepEqual(rest, {
    decision_id: "d1",
    input: {},
    labels: { region: "eu", id: "p1", version: packageVersion() },
    level: "info",
    metrics: { timer_rego_query_eval_ns: 12_500, timer_server_handler_ns: 40_000 },
    msg: "Decision Log",
    path: "/envoy/authz/allow",
    result: true,
    type: "openpolicyagent.org/decision_logs",
  });
  assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.match(String(timestamp), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

it("has an error in the place of a result, and no input when there is none", () => {
  const line = lineOf({ input: undefined, result: undefined, error: 'bad "x"\n', evaluationMs: undefined });
  assert.deepEqual([line["input"], line["error"], "result" in line], [null, 'bad "x"\n', false]);
  assert.deepEqual(line["metrics"], { timer_server_handler_ns: 40_000 });
});

it("cannot be split by line ends that a caller's JSON holds", () => {
  const line = lineOf({ input: '{"parsed_body":\r\n{"a":\n1}}', result: '{"allowed":\ntrue}' });
  assert.deepEqual(line["input"], { parsed_body: { a: 1 } });
  assert.deepEqual(line["result"], { allowed: true });
});

function factsFor(bytes: Uint8Array, resultSet: string): OpaDecisionFacts | undefined {
  const policy = { revision: "r", entrypoint: "e", evaluate: () => resultSet } as unknown as ActivePolicy;
  const world = inProcess(policy);
  world.check(bytes);
  const [record] = world.records;
  assert.ok(record !== undefined);
  return toOpaDecisionFacts(record);
}
const request = (path: string): Uint8Array => encodeCheckRequest({ attributes: { request: { http: { path } } } });

it("takes input and result of a decision as they were", () => {
  const facts = factsFor(request("/a"), '[{"result":{"allowed":true,"body":"]}"}}]');
  assert.equal(facts?.result, '{"allowed":true,"body":"]}"}');
  assert.deepEqual((JSON.parse(facts?.input ?? "") as { parsed_path: unknown }).parsed_path, ["a"]);
  assert.equal(facts?.error, undefined);
});

it("tells errors as the plugin words them, with the input that led to them", () => {
  const undefinedDecision = factsFor(request("/a"), "[]");
  assert.deepEqual([undefinedDecision?.error, undefinedDecision?.result], ["undefined decision", undefined]);
  assert.ok(undefinedDecision?.input !== undefined);
  const wrongType = factsFor(request("/a"), '[{"result":7}]');
  assert.match(wrongType?.error ?? "", /illegal value for policy evaluation result/);
  assert.equal(wrongType?.result, undefined);
  const malformed = factsFor(request("/%zz"), "[]");
  assert.deepEqual([malformed?.input, malformed?.error], [undefined, 'invalid URL escape "%zz"']);
});

it("leaves out what is no CheckRequest, as the plugin does", () => {
  assert.equal(factsFor(Buffer.from([0xff, 0xff]), "[]"), undefined);
});
