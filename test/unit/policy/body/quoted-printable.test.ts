import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeQuotedPrintable } from "../../../../src/policy/body/quoted-printable.ts";

test("decodes escapes, soft line breaks and tolerated faults", () => {
  const rows: readonly [string, string][] = [
    ["", ""],
    ["a=3Db", "a=b"],
    ["=c3=A9", "\xc3\xa9"],
    ["a=\r\nb=\nc= \t\r\nd", "abcd"],
    ["tail  \r\nx \n", "tail\r\nx\n"],
    ["a=", "a"],
    ["=zz", "=zz"],
    ["=4", "=4"],
    ["\xe9\t", "\xe9"],
    [`${"x".repeat(4095)}\ny`, `${"x".repeat(4095)}\ny`],
  ];
  for (const [text, want] of rows)
    assert.deepEqual(decodeQuotedPrintable(text), { ok: true, value: want }, text.slice(0, 20));
});

test("refuses what Go's reader refuses", () => {
  const rows: readonly [string, string][] = [
    ["a\u0001", "quotedprintable: invalid unescaped byte 0x01 in body"],
    ["\u007f", "quotedprintable: invalid unescaped byte 0x7f in body"],
    ["=", 'quotedprintable: invalid bytes after =: ""'],
    ["a== ", "unexpected EOF"],
    ["a=\rb", "quotedprintable: invalid hex byte 0x0d"],
    ["x".repeat(4096), "bufio: buffer full"],
  ];
  for (const [text, detail] of rows) {
    assert.deepEqual(decodeQuotedPrintable(text), { ok: false, code: "request_malformed", detail }, text.slice(0, 20));
  }
  assert.deepEqual(decodeQuotedPrintable("ok", false), {
    ok: false,
    code: "request_malformed",
    detail: "unexpected EOF",
  });
});
