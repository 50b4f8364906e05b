import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Series } from "../../../../src/policy/bench/distribution.ts";

const seriesOf = (values: Iterable<number>): Series => {
  const series = new Series();
  for (const value of values) series.add(value);
  return series;
};

describe("a series", () => {
  const cases: readonly (readonly [string, readonly number[], number, number, number, number])[] = [
    ["one value", [7], 7, 7, 7, 7],
    ["an even number: the lower of the middle ones", [4, 1, 3, 2], 2, 4, 4, 4],
    ["an odd number", [9, 1, 5], 5, 9, 9, 9],
    ["a hundred", Array.from({ length: 100 }, (_, index) => 100 - index), 50, 90, 99, 100],
    ["a thousand and one", Array.from({ length: 1001 }, (_, index) => index), 500, 900, 990, 1000],
  ];
  for (const [name, values, p50, p90, p99, max] of cases) {
    it(`of ${name} has percentiles that were measured`, () => {
      const series = seriesOf(values);
      assert.equal(series.median(), p50);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      assert.deepEqual(series.distribution(), { p50, p90, p99, max, mean });
    });
  }

  it("grows past its first room and keeps everything", () => {
    const series = seriesOf(Array.from({ length: 5000 }, (_, index) => index + 1));
    assert.equal(series.length, 5000);
    assert.deepEqual(series.distribution(), { p50: 2500, p90: 4500, p99: 4950, max: 5000, mean: 2500.5 });
  });

  it("forgets all when it is cleared", () => {
    const series = seriesOf([100, 200]);
    series.clear();
    series.add(3);
    assert.equal(series.length, 1);
    assert.equal(series.distribution().max, 3);
  });

  it("that is empty has nothing to say", () => {
    const { p50, p99, max, mean } = new Series().distribution();
    for (const value of [p50, p99, max, mean]) assert.ok(Number.isNaN(value));
  });
});
