import assert from "node:assert/strict";
import { it } from "node:test";
import { type Decision, decided, refuse } from "../../../src/authz/decision.ts";
import { OUTCOMES, REASON_CODES } from "../../../src/authz/outcome.ts";
import { createResponseWriter, type ResponseOptions } from "../../../src/authz/response.ts";
import { toVerdict } from "../../../src/policy/verdict.ts";
import { type DecodedCheckResponse, decodeCheckResponse, toPlainMetadata } from "../../support/check-messages.ts";

const ID = "019a0000-0000-7000-8000-000000000001";
const DENY: ResponseOptions = { onError: "deny", dryRun: false };

const decisionOf = (document: string): Decision => {
  const verdict = toVerdict(`[{"result":${document}}]`);
  assert.ok(verdict.ok);
  return decided(verdict.value);
};

const answer = (decision: Decision, options: ResponseOptions = DENY): DecodedCheckResponse => {
  const reply = createResponseWriter(options).write(decision, ID);
  assert.equal(reply.kind, "message");
  return decodeCheckResponse(reply.kind === "message" ? reply.bytes : new Uint8Array());
};

it("tells a plain allow and a plain deny without an http response", () => {
  assert.deepEqual(answer(decisionOf("true")).status, {});
  assert.equal(answer(decisionOf("true")).http_response, undefined);
  assert.deepEqual(answer(decisionOf("false")).status, { code: 7 });
  assert.equal(answer(decisionOf("false")).http_response, undefined);
});

it("puts the decision id and the reason into the dynamic metadata of every answer", () => {
  const policyAnswers = [decisionOf("true"), decisionOf("false"), decisionOf('{"allowed":true}')];
  const refusals = REASON_CODES.filter((code) => code !== "policy_allowed" && code !== "policy_denied").map((code) =>
    refuse(code, "why"),
  );
  for (const decision of [...policyAnswers, ...refusals]) {
    const metadata = toPlainMetadata(answer(decision));
    assert.deepEqual(metadata, { decision_id: ID, svidgate: { reason: decision.reason } });
  }
});

it("gives each answer its own decision id although plain answers are made once", () => {
  const writer = createResponseWriter(DENY);
  const other = "019a0000-0000-7000-8000-000000000002";
  const replies = [ID, other, ID].map((id) => writer.write(decisionOf("true"), id));
  const ids = replies.map((reply) => {
    assert.ok(reply.kind === "message");
    return toPlainMetadata(decodeCheckResponse(reply.bytes))["decision_id"];
  });
  assert.deepEqual(ids, [ID, other, ID]);
});

it("overwrites decision_id and svidgate of the policy, whose consumers trust them", () => {
  const decision = decisionOf(
    '{"allowed":true,"dynamic_metadata":{"decision_id":"mine","svidgate":{"reason":"x"},"k":[1,"a",null,true,{"o":1.5}]}}',
  );
  assert.deepEqual(toPlainMetadata(answer(decision)), {
    decision_id: ID,
    svidgate: { reason: "policy_allowed" },
    k: [1, "a", null, true, { o: 1.5 }],
  });
});

it("sets ok_response for a decision object even when it is empty", () => {
  assert.equal(answer(decisionOf('{"allowed":true}')).http_response, "ok_response");
});

it("maps every key of an allow to its place", () => {
  const response = answer(
    decisionOf(
      '{"allowed":true,"headers":{"x-a":["1","2"]},"request_headers_to_remove":["r"],"response_headers_to_add":{"x-r":""},"query_parameters_to_remove":["q"],"query_parameters_to_set":{"a":"1"}}',
    ),
  );
  assert.deepEqual(response.ok_response?.headers, [
    { header: { key: "x-a", value: "1" } },
    { header: { key: "x-a", value: "2" } },
  ]);
  assert.deepEqual(response.ok_response?.headers_to_remove, ["r"]);
  assert.deepEqual(response.ok_response?.response_headers_to_add, [{ header: { key: "x-r" } }]);
  assert.deepEqual(response.ok_response?.query_parameters_to_remove, ["q"]);
  assert.deepEqual(response.ok_response?.query_parameters_to_set, [{ key: "a", value: "1" }]);
});

it("maps every key of a denial to its place", () => {
  const response = answer(
    decisionOf('{"allowed":false,"headers":{"location":"/login"},"body":"go","http_status":301}'),
  );
  assert.deepEqual(response.status, { code: 7 });
  assert.deepEqual(response.denied_response, {
    status: { code: 301 },
    headers: [{ header: { key: "location", value: "/login" } }],
    body: "go",
  });
});

it("tells a malformed request 400 with the plugin's sentence, whatever on_error says", () => {
  for (const onError of ["deny", "error_response", "grpc_error"] as const) {
    const response = answer(refuse("request_malformed", "EOF"), { onError, dryRun: false });
    assert.deepEqual(response.status, { code: 7, message: "request_parse_error: EOF" });
    assert.deepEqual(response.denied_response, { status: { code: 400 }, body: "request_parse_error: EOF" });
  }
});

const ERRORS = REASON_CODES.filter((code) => OUTCOMES[code].outcome === "error");
for (const code of ERRORS) {
  const decision = refuse(code as Parameters<typeof refuse>[0], "a sentence");
  it(`denies ${code} with ${OUTCOMES[code].http} and no words for the client by default`, () => {
    const response = answer(decision);
    assert.deepEqual(response.denied_response, { status: { code: OUTCOMES[code].http } });
    assert.deepEqual(response.status, { code: OUTCOMES[code].grpc, message: code });
  });
  it(`tells ${code} as error_response when asked to`, () => {
    const response = answer(decision, { onError: "error_response", dryRun: false });
    assert.deepEqual(
      [response.http_response, response.error_response?.status?.code],
      ["error_response", OUTCOMES[code].http],
    );
    assert.notEqual(response.status?.code ?? 0, 0);
  });
  it(`ends the call with the plugin's status for ${code} under grpc_error`, () => {
    const reply = createResponseWriter({ onError: "grpc_error", dryRun: false }).write(decision, ID);
    assert.deepEqual(reply, { kind: "status", code: OUTCOMES[code].grpc, message: "a sentence" });
  });
}

it("never blocks under dry_run: every denial and every error is an allow that keeps its reason and metadata", () => {
  const decisions = [
    decisionOf("false"),
    decisionOf('{"allowed":false,"http_status":401,"dynamic_metadata":{"why":"nope"}}'),
    refuse("request_malformed", "EOF"),
    ...ERRORS.map((code) => refuse(code as Parameters<typeof refuse>[0], "why")),
  ];
  for (const onError of ["deny", "error_response", "grpc_error"] as const) {
    for (const decision of decisions) {
      const response = answer(decision, { onError, dryRun: true });
      assert.deepEqual(response.status, {});
      assert.deepEqual(response.ok_response, {});
      assert.deepEqual(toPlainMetadata(response)["svidgate"], { reason: decision.reason });
    }
  }
  const kept = answer(decisions[1] ?? decisionOf("true"), { onError: "deny", dryRun: true });
  assert.equal(toPlainMetadata(kept)["why"], "nope");
});

it("leaves an allow alone under dry_run", () => {
  const options = { onError: "deny", dryRun: true } as const;
  assert.equal(answer(decisionOf("true"), options).http_response, undefined);
  assert.equal(answer(decisionOf('{"allowed":true,"headers":{"x":"1"}}'), options).ok_response?.headers?.length, 1);
});
