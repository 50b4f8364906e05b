// Properties of number printing that hold for every double; recorded calls of sprintf show the formats themselves.

import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { formatFloat } from "../../../../src/policy/builtins/go-float.ts";

const double = fc.double({ noNaN: true, noDefaultInfinity: true });
const SEED = { seed: 7, numRuns: 500 };

for (const format of ["e", "f", "g"] as const) {
  it(`the shortest %${format} reads back as the same double`, () => {
    fc.assert(
      fc.property(double, (value) => Object.is(Number(formatFloat(value, format, -1)), value)),
      SEED,
    );
  });
}

for (const [format, digits] of [
  ["e", 16],
  ["g", 17],
] as const) {
  it(`17 digits of %${format} read back as the same double`, () => {
    fc.assert(
      fc.property(double, (value) => Object.is(Number(formatFloat(value, format, digits)), value)),
      SEED,
    );
  });
}

it("ties go to the even digit, not away from zero", () => {
  const rows = [0.5, 1.5, 2.5, 3.5, -2.5].map((value) => formatFloat(value, "f", 0));
  assert.deepEqual(rows, ["0", "2", "2", "4", "-2"]);
});

it("digits beyond the double are its exact ones", () => {
  assert.equal(formatFloat(0.1, "f", 55), "0.1000000000000000055511151231257827021181583404541015625");
  assert.equal(formatFloat(1e23, "f", 1), "99999999999999991611392.0");
});
