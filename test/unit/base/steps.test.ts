import assert from "node:assert/strict";
import { it } from "node:test";
import { inOneGo, inSlices, type Steps } from "../../../src/base/steps.ts";
import { createManualClock } from "../../support/manual-clock.ts";

/** Five steps, each telling that it was taken. */
function* five(onStep: (step: number) => void): Steps<string> {
  for (let step = 1; step <= 5; step++) {
    onStep(step);
    yield;
  }
  return "done";
}

it("runs all steps in one go", () => {
  const taken: number[] = [];
  assert.equal(inOneGo(five((step) => taken.push(step))), "done");
  assert.deepEqual(taken, [1, 2, 3, 4, 5]);
});

it("lets others have their turn after each slice, and not before", async () => {
  const clock = createManualClock();
  const taken: (number | string)[] = [];
  const others = (): void => {
    taken.push("others");
    if (!taken.includes(5)) setImmediate(others);
  };
  setImmediate(others);
  const outcome = await inSlices(
    five((step) => {
      taken.push(step);
      clock.advanceMs(2);
    }),
    clock,
  );
  assert.equal(outcome, "done");
  assert.deepEqual(taken.slice(0, 6), [1, 2, "others", 3, 4, "others"]);
});

it("takes one turn for steps that cost nothing", async () => {
  const taken: (number | string)[] = [];
  setImmediate(() => taken.push("others"));
  await inSlices(
    five((step) => taken.push(step)),
    createManualClock(),
  );
  assert.deepEqual(taken, [1, 2, 3, 4, 5]);
});

it("passes on what a step throws", async () => {
  function* failing(): Steps<string> {
    yield;
    throw new Error("in a step");
  }
  assert.throws(() => inOneGo(failing()), /in a step/);
  await assert.rejects(inSlices(failing(), createManualClock()), /in a step/);
});
