import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, it } from "node:test";
import fc from "fast-check";
import type { CheckReply } from "../../../src/authz/check-handler.ts";
import { packageRoot } from "../../../src/base/package-root.ts";
import type { ActivePolicy } from "../../../src/policy/active-policy.ts";
import { PolicyError, type PolicyErrorCode } from "../../../src/policy/policy-error.ts";
import { decodeCheckResponse, encodeCheckRequest } from "../../support/check-messages.ts";
import { activePolicy, inProcess } from "../../support/in-process.ts";
import { createManualClock } from "../../support/manual-clock.ts";

const VECTORS = join(packageRoot(), "test", "vectors");
const request = (path: string): Uint8Array =>
  encodeCheckRequest({ attributes: { request: { http: { method: "GET", path } } } });
const ALLOWED = request("/x/true");

let real: ActivePolicy;
before(async () => {
  real = await activePolicy([join(VECTORS, "decisions.rego")]);
});

const isAllow = (reply: CheckReply): boolean =>
  reply.kind === "message" && (decodeCheckResponse(reply.bytes).status?.code ?? 0) === 0;

/** The real policy with another evaluation. */
const evaluating = (evaluate: ActivePolicy["evaluate"]): ActivePolicy => ({ ...real, evaluate });

it("allows when the policy says so in time", () => {
  const world = inProcess(real);
  assert.ok(isAllow(world.check(ALLOWED)));
  assert.equal(world.records[0]?.decision.reason, "policy_allowed");
});

it("never allows before the deadline is looked at: passed on arrival", () => {
  const world = inProcess(evaluating(() => assert.fail("evaluated although nobody waits any more")));
  const reply = world.check(ALLOWED, { deadlineMs: 0 });
  assert.deepEqual(reply, {
    kind: "status",
    code: 4,
    message: "check request timed out before query execution: context deadline exceeded",
  });
  assert.equal(world.records[0]?.decision.reason, "deadline_exceeded");
});

it("never allows late: the deadline passes during evaluation", () => {
  const clock = createManualClock();
  const slow = evaluating((input, signal) => {
    clock.advanceMs(201);
    return real.evaluate(input, signal);
  });
  const world = inProcess(slow, { onError: "deny" }, {}, clock);
  assert.ok(!isAllow(world.check(ALLOWED, { deadlineMs: 200 })));
  const [record] = world.records;
  assert.deepEqual([record?.decision.reason, record?.evaluationMs, record?.totalMs], ["deadline_exceeded", 201, 201]);
});

it("answers in time up to the last instant, and not at it", () => {
  for (const [spentMs, allowed] of [
    [199, true],
    [200, false],
  ] as const) {
    const clock = createManualClock();
    const world = inProcess(
      evaluating((input, signal) => {
        clock.advanceMs(spentMs);
        return real.evaluate(input, signal);
      }),
      { onError: "deny" },
      {},
      clock,
    );
    assert.equal(isAllow(world.check(ALLOWED, { deadlineMs: 200 })), allowed);
  }
});

it("does not evaluate for a caller that has gone", () => {
  const world = inProcess(evaluating(() => assert.fail("evaluated for nobody")));
  const reply = world.check(ALLOWED, { cancelled: () => true });
  assert.deepEqual(reply.kind === "status" && reply.code, 1);
  assert.equal(world.records[0]?.decision.reason, "cancelled");
});

it("reports a malformed request before a deadline or a cancelled call, as the plugin does", () => {
  const world = inProcess(real);
  world.check(request("/%zz"), { deadlineMs: 0, cancelled: () => true });
  assert.equal(world.records[0]?.decision.reason, "request_malformed");
});

const failures: readonly (readonly [PolicyErrorCode, string])[] = [
  ["policy_conflict", "policy_conflict"],
  ["policy_builtin_error", "policy_builtin_error"],
  ["policy_input_too_large", "policy_input_too_large"],
  ["policy_memory", "policy_memory"],
  ["policy_budget", "policy_budget"],
  ["policy_trap", "policy_trap"],
  ["policy_result", "policy_result_type"],
  ["policy_input_invalid", "internal"],
  ["policy_abi", "internal"],
];
for (const [code, reason] of failures) {
  it(`turns the evaluation's ${code} into the reason ${reason}`, () => {
    const world = inProcess(
      evaluating(() => {
        throw new PolicyError(code, "why");
      }),
    );
    assert.ok(!isAllow(world.check(ALLOWED)));
    assert.equal(world.records[0]?.decision.reason, reason);
    assert.deepEqual(world.faults, []);
  });
}

for (const thrown of [new Error("secret internals"), "a string", undefined, new RangeError("stack")]) {
  it(`turns a fault (${String(thrown)}) into a deny that tells the caller nothing`, () => {
    const world = inProcess(
      evaluating(() => {
        throw thrown;
      }),
    );
    assert.deepEqual(world.check(ALLOWED), { kind: "status", code: 13, message: "internal error" });
    assert.equal(world.records[0]?.decision.reason, "internal");
    assert.deepEqual(world.faults, [thrown]);
  });
}

it("answers although audit and metrics fail", () => {
  const world = inProcess(real, {}, { record: () => assert.fail("no disk") });
  assert.ok(isAllow(world.check(ALLOWED)));
  assert.equal(world.faults.length, 1);
});

it("uses one policy for the whole of a check, although a reload comes in between", () => {
  let asked = 0;
  const world = inProcess(real, {}, { activePolicy: () => (asked++ === 0 ? real : evaluating(() => "[]")) });
  assert.ok(isAllow(world.check(ALLOWED)));
  assert.deepEqual([asked, world.records[0]?.policy.revision], [1, real.revision]);
});

it("gives every decision an id of its own", () => {
  const world = inProcess(real);
  for (let i = 0; i < 1000; i++) world.check(ALLOWED);
  assert.equal(new Set(world.records.map(({ decisionId }) => decisionId)).size, 1000);
});

const NOBODY = { authenticated: false, verified_by: "none", credential: { type: "none" } };

it("shows the caller's principal as a claim, under `unverified` alone", async () => {
  const echo = await activePolicy([join(VECTORS, "echo.rego")]);
  const world = inProcess(echo);
  for (const [source, identity] of [
    [{ principal: "spiffe://a/b" }, { ...NOBODY, unverified: { principal: "spiffe://a/b" } }],
    [{}, NOBODY],
  ] as const) {
    const reply = world.check(encodeCheckRequest({ attributes: { source, request: { http: { path: "/" } } } }));
    assert.ok(reply.kind === "message");
    const input = JSON.parse(decodeCheckResponse(reply.bytes).denied_response?.body ?? "") as { identity: unknown };
    assert.deepEqual(input.identity, identity);
  }
});

it("allows nothing but the policy's true, whatever bytes arrive", () => {
  const world = inProcess(real, { onError: "deny" });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.ok(!isAllow(world.check(bytes)) || world.records.at(-1)?.decision.reason === "policy_allowed");
    }),
    { seed: 1, numRuns: 2000 },
  );
  assert.deepEqual(world.faults, []);
});

it("survives every recorded request with bytes flipped, cut and doubled", () => {
  const world = inProcess(real, { onError: "deny" });
  const rows = readFileSync(join(VECTORS, "input.jsonl"), "utf8").trim().split("\n");
  for (const row of rows) {
    const bytes = Buffer.from((JSON.parse(row) as { request: string }).request, "base64");
    for (let at = 0; at < bytes.length; at += 7) {
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
      for (const mutant of [flipped, bytes.subarray(0, at), Buffer.concat([bytes, bytes.subarray(at)])]) {
        world.check(mutant);
      }
    }
  }
  assert.deepEqual(world.faults, []);
});
