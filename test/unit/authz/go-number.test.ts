import assert from "node:assert/strict";
import { test } from "node:test";
import { toGoNumberText } from "../../../src/authz/go-number.ts";

test("prints doubles as strconv.FormatFloat(x, 'g', -1, 64)", () => {
  const rows: readonly [number, string][] = [
    [0, "0"],
    [-0, "-0"],
    [1, "1"],
    [-1.5, "-1.5"],
    [100000, "100000"],
    [1e6, "1e+06"],
    [123456.789, "123456.789"],
    [123456789, "1.23456789e+08"],
    [-12345678.9, "-1.23456789e+07"],
    [1e20, "1e+20"],
    [1e21, "1e+21"],
    [0.0001, "0.0001"],
    [0.00012345, "0.00012345"],
    [1e-5, "1e-05"],
    [5e-324, "5e-324"],
    [1.7976931348623157e308, "1.7976931348623157e+308"],
  ];
  for (const [value, want] of rows) assert.equal(toGoNumberText(value), want);
});

test("prints what reads back as the same number", () => {
  for (let exponent = -320; exponent < 309; exponent++) {
    const value = Number(`1.2345678901234567e${exponent}`);
    assert.equal(Number(toGoNumberText(value)), value);
  }
});
