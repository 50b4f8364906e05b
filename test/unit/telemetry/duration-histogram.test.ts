import assert from "node:assert/strict";
import { it } from "node:test";
import { createDurationHistogram } from "../../../src/telemetry/duration-histogram.ts";

it("counts a duration in every bucket whose bound it does not exceed", () => {
  const histogram = createDurationHistogram([0.001, 0.2, 1], 1);
  for (const us of [0, 1_000, 1_000.5, 200_000, 200_001, 1_000_000, 5_000_000]) histogram.observe(0, us);
  const { cumulative, count, sumSeconds } = histogram.read(0);
  assert.deepEqual({ cumulative, count }, { cumulative: [2, 4, 6], count: 7 });
  assert.ok(Math.abs(sumSeconds - 6.4020015) < 1e-9);
});

it("keeps its series apart", () => {
  const histogram = createDurationHistogram([0.001], 2);
  histogram.observe(1, 10);
  assert.deepEqual(histogram.read(0), { cumulative: [0], count: 0, sumSeconds: 0 });
  assert.deepEqual(histogram.read(1), { cumulative: [1], count: 1, sumSeconds: 1e-5 });
});

for (const us of [Number.NaN, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
  it(`counts ${us} µs as 0, so that the sum stays a number`, () => {
    const histogram = createDurationHistogram([0.001], 1);
    histogram.observe(0, us);
    assert.deepEqual(histogram.read(0), { cumulative: [1], count: 1, sumSeconds: 0 });
  });
}
