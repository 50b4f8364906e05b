import assert from "node:assert/strict";
import { test } from "node:test";
import { isTruncated } from "../../../../src/policy/body/content-length.ts";

test("a body is truncated when more bytes are announced than came", () => {
  const rows: readonly [string, boolean][] = [
    ["3", true],
    ["2", false],
    ["0", false],
    ["+3", true],
    ["003", true],
    ["-1", false],
    ["-5", false],
    ["9223372036854775807", true],
    ["-9223372036854775808", false],
    [`${"0".repeat(100_000)}3`, true],
  ];
  for (const [header, want] of rows)
    assert.deepEqual(isTruncated(header, 2), { ok: true, value: want }, header.slice(0, 30));
});

test("refuses what strconv.ParseInt refuses", () => {
  const syntax = ["abc", "", "+", "-", " 5", "5 ", "1e3", "0x10", "1_0", "5\n", "\u0665", "9999999999999999999x"];
  for (const header of syntax) {
    const result = isTruncated(header, 2);
    assert.ok(!result.ok && result.detail?.endsWith(": invalid syntax"), header);
  }
  for (const header of ["9223372036854775808", "-9223372036854775809", "99999999999999999999x", "9".repeat(100_000)]) {
    const result = isTruncated(header, 2);
    assert.ok(!result.ok && result.detail?.endsWith(": value out of range"), header.slice(0, 30));
  }
  const result = isTruncated('a"b', 0);
  assert.ok(!result.ok);
  assert.equal(result.detail, 'strconv.ParseInt: parsing "a\\"b": invalid syntax');
});
