import assert from "node:assert/strict";
import { test } from "node:test";
import { END_OF_TEXT, readPartHeader } from "../../../../src/policy/body/part-header.ts";

test("reads a header block up to its blank line", () => {
  const rows: readonly [string, Record<string, string>][] = [
    ["\r\nbody", {}],
    ["\nbody", {}],
    ["content-type: a\r\nX-y:b\n\r\nbody", { "Content-Type": "a", "X-Y": "b" }],
    ["A: 1\r\nA: 2\r\n\r\nbody", { A: "1" }],
    ["A: b\r\n  c\r\n\td\r\n\r\nbody", { A: "b c d" }],
    ["A :b\r\n\r\nbody", { "A ": "b" }],
    ["A:\xe9\r\n\r\nbody", { A: "\xe9" }],
  ];
  for (const [text, values] of rows) {
    const header = readPartHeader(text, 0);
    assert.ok(header.ok, text);
    assert.deepEqual(Object.fromEntries(header.value.values), values);
    assert.equal(text.slice(header.value.bodyStart), "body");
  }
});

test("refuses what textproto refuses", () => {
  const rows: readonly [string, string][] = [
    [" a: b\r\n\r\n", 'malformed MIME header initial line: " a: b"'],
    [` ${"a".repeat(90)}\r\n`, "multipart: message too large"],
    ["novalue\r\n\r\n", 'malformed MIME header: missing colon: "novalue"'],
    [":v\r\n\r\n", 'malformed MIME header line: ":v"'],
    ["B\u0001: x\r\n\r\n", 'malformed MIME header line: "B\\x01: x"'],
    ["a-b: \u0000\r\n\r\n", 'malformed MIME header line: "A-B: \\x00"'],
    ["a: b", END_OF_TEXT],
    ["", END_OF_TEXT],
    [`${"a:b\r\n".repeat(10_001)}\r\n`, "multipart: message too large"],
  ];
  for (const [text, detail] of rows) {
    assert.deepEqual(readPartHeader(text, 0), { ok: false, code: "request_malformed", detail }, text.slice(0, 30));
  }
  assert.equal(readPartHeader(`${"a:b\r\n".repeat(10_000)}\r\n`, 0).ok, true);
  assert.deepEqual(readPartHeader(`a:${"x".repeat(11 << 20)}\r\n\r\n`, 0), {
    ...{ ok: false, code: "request_malformed", detail: "multipart: message too large" },
  });
});
