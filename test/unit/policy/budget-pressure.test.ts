import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BudgetPressure } from "../../../src/policy/budget-pressure.ts";
import { createManualClock } from "../../support/manual-clock.ts";

const BUDGET = 20_000_000;

/** One second of evaluations that all use up what they get, 2,000 steps a microsecond: the milliseconds that they took. */
function burn(perSecond: number, seconds: number): { readonly perSecondMs: readonly number[]; readonly last: number } {
  const clock = createManualClock();
  const pressure = new BudgetPressure(clock);
  const perSecondMs: number[] = [];
  let last = 0;
  for (let second = 0; second < seconds; second++) {
    let spentMs = 0;
    for (let request = 0; request < perSecond; request++) {
      last = pressure.limit(BUDGET);
      const tookMs = last / 2_000_000;
      clock.advanceMs(Math.max(tookMs, 1_000 / perSecond));
      pressure.noteExhausted(tookMs);
      spentMs += tookMs;
    }
    perSecondMs.push(spentMs);
  }
  return { perSecondMs, last };
}

describe("the budget of an evaluation", () => {
  it("is whole while none is used up, however many there are", () => {
    const pressure = new BudgetPressure(createManualClock());
    for (let round = 0; round < 1_000; round++) assert.equal(pressure.limit(BUDGET), BUDGET);
  });

  it("is whole for the first ones that use it up, and falls with each more to a tenth", () => {
    const pressure = new BudgetPressure(createManualClock());
    const limits = Array.from({ length: 6 }, () => {
      const limit = pressure.limit(BUDGET);
      pressure.noteExhausted(10);
      return limit;
    });
    assert.deepEqual(limits, [BUDGET, BUDGET, BUDGET, BUDGET / 2, BUDGET / 10, BUDGET / 10]);
  });

  it("is whole again after a tenth of a second without them", () => {
    const clock = createManualClock();
    const pressure = new BudgetPressure(clock);
    for (let round = 0; round < 100; round++) pressure.noteExhausted(10);
    assert.equal(pressure.limit(BUDGET), BUDGET / 10);
    clock.advanceMs(50);
    assert.equal(pressure.limit(BUDGET), BUDGET / 2);
    clock.advanceMs(50);
    assert.equal(pressure.limit(BUDGET), BUDGET);
  });

  it("is a whole number of steps, at least one", () => {
    const pressure = new BudgetPressure(createManualClock());
    pressure.noteExhausted(1_000);
    assert.equal(pressure.limit(10_001), 1_001);
    assert.equal(pressure.limit(1), 1);
  });

  for (const perSecond of [20, 50, 100, 200])
    it(`leaves ${perSecond} hostile evaluations a second no more than a fifth of the time`, () => {
      const { perSecondMs } = burn(perSecond, 10);
      for (const [second, spentMs] of perSecondMs.entries())
        assert.ok(spentMs <= (second === 0 ? 241 : 201), `second ${second}: ${spentMs} ms`);
    });

  it("is a tenth for as long as more come than a fifth of the time holds", () => {
    assert.equal(burn(1_000, 5).last, BUDGET / 10);
  });
});
