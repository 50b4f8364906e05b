import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PhaseClock } from "../../../../src/policy/bench/phase-clock.ts";
import type { EvaluationPhase } from "../../../../src/policy/engine.ts";
import { builtinContextAt } from "../../../support/builtin-context.ts";

/** A clock that costs nothing to look at, moved by hand in microseconds. */
function createWorld() {
  let us = 0;
  const clock = new PhaseClock(() => us / 1000);
  const named = (name: string) => clock.named(name, () => true);
  const call = (name: string): void => {
    named(name)([], builtinContextAt(0n));
  };
  return {
    clock,
    call,
    after: (elapsedUs: number, phase: EvaluationPhase): void => {
      us += elapsedUs;
      clock.onPhase(phase);
    },
  };
}

const rounded = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, one) => (typeof one === "number" ? Number(one.toFixed(6)) : one)));

describe("the phase clock", () => {
  it("gives each phase its own time, builtins apart from the rules around them", () => {
    const { clock, call, after } = createWorld();
    for (const scale of [1, 2, 3]) {
      clock.begin();
      after(1 * scale, "write");
      after(5 * scale, "parse");
      after(2 * scale, "call");
      call("time.now_ns");
      after(3 * scale, "return");
      after(2 * scale, "call");
      call("io.jwt.decode");
      after(40 * scale, "return");
      after(1 * scale, "call");
      call("time.now_ns");
      after(3 * scale, "return");
      after(4 * scale, "evaluate");
      after(0.5 * scale, "read");
    }
    assert.equal(clock.evaluations, 3);
    assert.deepEqual(rounded(clock.times()), {
      writeUs: 2,
      parseUs: 10,
      evaluateUs: 18,
      builtinsUs: 92,
      readUs: 1,
      builtins: [
        { name: "io.jwt.decode", calls: 1, us: 80 },
        { name: "time.now_ns", calls: 2, us: 12 },
      ],
    });
  });

  it("takes the cost of looking at the clock off each part", () => {
    let us = 0;
    const clock = new PhaseClock(() => {
      us += 2;
      return us / 1000;
    });
    assert.equal(clock.lookUs.toFixed(6), "2.000000");
    clock.begin();
    us += 10;
    clock.onPhase("evaluate");
    clock.onPhase("read");
    const { evaluateUs, readUs } = clock.times();
    assert.equal(evaluateUs.toFixed(6), "10.000000");
    assert.equal(readUs.toFixed(6), "0.000000");
  });

  it("does not count an evaluation that failed", () => {
    const { clock, after } = createWorld();
    clock.begin();
    after(100, "write");
    after(100, "parse");
    clock.begin();
    after(1, "write");
    after(1, "parse");
    after(1, "evaluate");
    after(1, "read");
    assert.equal(clock.evaluations, 1);
    assert.deepEqual(rounded(clock.times()), {
      writeUs: 1,
      parseUs: 1,
      evaluateUs: 1,
      builtinsUs: 0,
      readUs: 1,
      builtins: [],
    });
  });

  it("forgets the warm-up", () => {
    const { clock, call, after } = createWorld();
    clock.begin();
    after(1, "call");
    call("uuid.rfc4122");
    after(9, "return");
    after(1, "evaluate");
    after(1, "read");
    clock.clear();
    clock.begin();
    after(1, "evaluate");
    after(1, "read");
    assert.equal(clock.evaluations, 1);
    assert.deepEqual(clock.times().builtins, []);
  });
});
