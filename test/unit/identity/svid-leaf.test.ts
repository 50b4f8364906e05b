import assert from "node:assert/strict";
import { it } from "node:test";
import { validityCode } from "../../../src/identity/svid-leaf.ts";

const NOW = Date.UTC(2026, 0, 1);
const DATES = { notBeforeUnixMs: NOW - 1_000, notAfterUnixMs: NOW + 1_000 };

it("takes nothing for valid whose dates, clock or skew is no number", () => {
  assert.equal(validityCode(DATES, NOW, 0), undefined);
  assert.equal(validityCode({ ...DATES, notBeforeUnixMs: Number.NaN }, NOW, 0), "not_yet_valid");
  assert.equal(validityCode({ ...DATES, notAfterUnixMs: Number.NaN }, NOW, 0), "expired");
  assert.equal(validityCode(DATES, Number.NaN, 0), "not_yet_valid");
  assert.equal(validityCode(DATES, NOW, Number.NaN), "not_yet_valid");
});

it("gives a clock skew of 30 seconds unless told otherwise, and of 120 at most", () => {
  const from = (aheadMs: number) => ({ notBeforeUnixMs: NOW + aheadMs, notAfterUnixMs: NOW + 3_600_000 });
  assert.equal(validityCode(from(30_000), NOW), undefined);
  assert.equal(validityCode(from(30_001), NOW), "not_yet_valid");
  for (const skewMs of [120_000, 3_600_000, Number.POSITIVE_INFINITY]) {
    assert.equal(validityCode(from(120_000), NOW, skewMs), undefined);
    assert.equal(validityCode(from(120_001), NOW, skewMs), "not_yet_valid");
  }
});
