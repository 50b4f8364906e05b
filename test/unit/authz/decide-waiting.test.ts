// Checks whose policy asks outside: the decision is made later, and never late.

import assert from "node:assert/strict";
import { join } from "node:path";
import { before, it } from "node:test";
import type { CheckCall, CheckReply } from "../../../src/authz/check-handler.ts";
import { packageRoot } from "../../../src/base/package-root.ts";
import type { ActivePolicy } from "../../../src/policy/active-policy.ts";
import { PolicyError } from "../../../src/policy/policy-error.ts";
import { decodeCheckResponse, encodeCheckRequest } from "../../support/check-messages.ts";
import { activePolicy, type InProcess, inProcess } from "../../support/in-process.ts";
import { createManualClock, type ManualClock } from "../../support/manual-clock.ts";

const ALLOWED = encodeCheckRequest({ attributes: { request: { http: { method: "GET", path: "/x/true" } } } });

let real: ActivePolicy;
before(async () => {
  real = await activePolicy([join(packageRoot(), "test", "vectors", "decisions.rego")]);
});

const isAllow = (reply: CheckReply): boolean =>
  reply.kind === "message" && (decodeCheckResponse(reply.bytes).status?.code ?? 0) === 0;

/** A policy that waits until the test answers for the world outside, or until its signal. */
interface Waiting {
  readonly world: InProcess;
  readonly clock: ManualClock;
  readonly reply: Promise<CheckReply>;
  answer(): void;
  readonly signal: AbortSignal;
}

function startWaiting(call: Partial<CheckCall>): Waiting {
  const clock = createManualClock();
  let answer = (): void => undefined;
  let given: AbortSignal | undefined;
  const policy: ActivePolicy = {
    ...real,
    evaluate: (input, signal) => {
      given = signal();
      const ended = given;
      return new Promise((resolve, reject) => {
        answer = () => resolve(real.evaluate(input, signal));
        ended.addEventListener("abort", () => reject(new PolicyError("policy_timeout", "http.send to h: no answer")));
      });
    },
  };
  const world = inProcess(policy, { onError: "deny" }, { timers: clock.timers }, clock);
  const reply = world.checkAsync(ALLOWED, call);
  assert.ok(given !== undefined);
  return { world, clock, reply, answer: () => answer(), signal: given };
}

it("allows when the answer comes in time, and tells how long that took, once", async () => {
  const { world, clock, reply, answer, signal } = startWaiting({ deadlineMs: 200 });
  clock.advanceMs(150);
  answer();
  assert.ok(isAllow(await reply));
  const [record, ...more] = world.records;
  assert.deepEqual(
    [record?.decision.reason, record?.evaluationMs, record?.totalMs, more],
    ["policy_allowed", 150, 150, []],
  );
  assert.deepEqual([signal.aborted, clock.timers.pending], [false, 0], "nothing waits any more");
});

it("ends the wait at the deadline", async () => {
  const { world, clock, reply, signal } = startWaiting({ deadlineMs: 200 });
  clock.advanceMs(199);
  assert.equal(signal.aborted, false);
  clock.advanceMs(1);
  assert.equal(signal.aborted, true);
  assert.ok(!isAllow(await reply));
  assert.deepEqual(
    world.records.map(({ decision, evaluationMs }) => [decision.reason, evaluationMs]),
    [["deadline_exceeded", 200]],
  );
});

it("never allows late, although the answer was there first", async () => {
  const { world, clock, reply, answer } = startWaiting({ deadlineMs: 200 });
  answer();
  clock.advanceMs(200);
  assert.ok(!isAllow(await reply));
  assert.equal(world.records[0]?.decision.reason, "deadline_exceeded");
});

it("ends the wait when the caller goes away", async () => {
  let cancel = (): void => undefined;
  let isCancelled = false;
  let isForgotten = false;
  const { world, reply, clock } = startWaiting({
    deadlineMs: 200,
    cancelled: () => isCancelled,
    onCancelled: (run) => {
      cancel = run;
      return () => {
        isForgotten = true;
      };
    },
  });
  clock.advanceMs(50);
  isCancelled = true;
  cancel();
  assert.ok(!isAllow(await reply));
  assert.deepEqual([world.records[0]?.decision.reason, isForgotten, clock.timers.pending], ["cancelled", true, 0]);
});

it("waits a minute and no longer for a caller without a deadline", async () => {
  const { world, clock, reply } = startWaiting({});
  clock.advanceMs(60_000);
  assert.ok(!isAllow(await reply));
  assert.equal(world.records[0]?.decision.reason, "deadline_exceeded");
});

for (const [code, reason] of [
  ["policy_question_limit", "policy_question_limit"],
  ["policy_overloaded", "policy_overloaded"],
  ["policy_timeout", "deadline_exceeded"],
] as const) {
  it(`turns the wait's ${code} into the reason ${reason}`, async () => {
    const policy: ActivePolicy = { ...real, evaluate: () => Promise.reject(new PolicyError(code, "why")) };
    const world = inProcess(policy);
    assert.ok(!isAllow(await world.checkAsync(ALLOWED)));
    assert.deepEqual([world.records[0]?.decision.reason, world.faults], [reason, []]);
  });
}

it("turns a fault of the wait into a deny that tells the caller nothing", async () => {
  const fault = new Error("secret innards");
  const world = inProcess({ ...real, evaluate: () => Promise.reject(fault) });
  const reply = await world.checkAsync(ALLOWED);
  assert.ok(!isAllow(reply) && !JSON.stringify(reply).includes("secret"));
  assert.deepEqual([world.records[0]?.decision.reason, world.faults], ["internal", [fault]]);
});
