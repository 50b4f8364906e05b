// Builtins whose answer belongs to one evaluation: the same within it, new in the next.

import assert from "node:assert/strict";
import { it } from "node:test";
import { type BuiltinContext, BuiltinError, findBuiltin } from "../../../../src/policy/builtins/index.ts";
import { RegoNumber, toJson, type Value } from "../../../../src/policy/value.ts";
import { builtinContextAt } from "../../../support/builtin-context.ts";

const evaluation = (): BuiltinContext => builtinContextAt(1_700_000_000_123_456_789n);

const call = (context: BuiltinContext, name: string, ...args: Value[]): string =>
  toJson(findBuiltin(name)?.(args, context) ?? null);

const limit = RegoNumber.of(2n ** 62n);

it("time.now_ns is the evaluation's instant, to the nanosecond", () => {
  assert.equal(call(evaluation(), "time.now_ns"), "1700000000123456789");
});

it("uuid.rfc4122 is random per evaluation and key", () => {
  const [one, other] = [evaluation(), evaluation()];
  const uuid = call(one, "uuid.rfc4122", "a");
  assert.match(uuid, /^"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"$/);
  assert.equal(call(one, "uuid.rfc4122", "a"), uuid);
  assert.notEqual(call(one, "uuid.rfc4122", "b"), uuid);
  assert.notEqual(call(other, "uuid.rfc4122", "a"), uuid);
});

it("rand.intn is random per evaluation, name and limit", () => {
  const [one, other] = [evaluation(), evaluation()];
  const number = call(one, "rand.intn", "a", limit);
  assert.equal(call(one, "rand.intn", "a", limit), number);
  assert.notEqual(call(one, "rand.intn", "b", limit), number);
  assert.notEqual(call(other, "rand.intn", "a", limit), number);
});

it("rand.intn stays below its limit, whatever the sign, and 0 gives 0", () => {
  for (let at = 0; at < 200; at++) {
    const context = evaluation();
    assert.ok(Number(call(context, "rand.intn", `${at}`, RegoNumber.of(3))) < 3);
    assert.ok(Number(call(context, "rand.intn", `${at}`, RegoNumber.of(-5))) < 5);
  }
  assert.equal(call(evaluation(), "rand.intn", "a", RegoNumber.of(0)), "0");
  assert.throws(() => call(evaluation(), "rand.intn", "a", RegoNumber.parse("1.5")), BuiltinError);
  assert.throws(() => call(evaluation(), "rand.intn", null, RegoNumber.of(5)), BuiltinError);
});

it("opa.runtime tells nothing about the process", () => {
  assert.equal(call(evaluation(), "opa.runtime"), '{"commit":"","config":{},"env":{},"version":"1.22.2"}');
});
