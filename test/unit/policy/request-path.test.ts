import assert from "node:assert/strict";
import { test } from "node:test";
import { parseQuery, parseTarget } from "../../../src/policy/request-path.ts";

test("splits, decodes and strips paths without normalising them", () => {
  const rows: readonly [string, string[]][] = [
    ["", [""]],
    ["/", [""]],
    ["/a/", ["a", ""]],
    ["//a//b", ["a", "", "b"]],
    ["/a%2Fb%20c+d", ["a", "b c+d"]],
    ["%2fx", ["x"]],
    ["/a/../b/./c", ["a", "..", "b", ".", "c"]],
    ["/a#f", ["a#f"]],
    ["http://h/x?y", ["http:", "", "h", "x"]],
    ["/%ff%C3%A9", ["\ufffdé"]],
    ["/é/%E2%82%AC", ["é", "€"]],
    ["/a%00b", ["a\u0000b"]],
    ["/%25zz", ["%zz"]],
    ['/"\\', ['"\\']],
  ];
  for (const [path, want] of rows) {
    const parsed = parseTarget(path);
    assert.ok(parsed.ok, path);
    assert.deepEqual(JSON.parse(parsed.value.pathJson), want);
  }
});

test("reads queries as lists of values", () => {
  const rows: readonly [string, object][] = [
    ["/a", {}],
    ["/a?", {}],
    ["/a?x=a+b&x=%2B&k&=v&&e=", { x: ["a b", "+"], k: [""], "": ["v"], e: [""] }],
    ["/a?x=1?y=2", { x: ["1?y=2"] }],
    ["/a?a=b=c", { a: ["b=c"] }],
    ["/a?%C3%A9=%ff", { é: ["\ufffd"] }],
    ["/a#f?x=1#g", { x: ["1#g"] }],
    ["/a?constructor=1", { constructor: ["1"] }],
  ];
  for (const [path, want] of rows) {
    const parsed = parseTarget(path);
    assert.ok(parsed.ok, path);
    assert.deepEqual(JSON.parse(parsed.value.queryJson), want, path);
  }
  const proto = parseTarget("/?__proto__=1&__proto__=2");
  assert.ok(proto.ok);
  assert.equal(proto.value.queryJson, '{"__proto__":["1","2"]}');
});

test("refuses bad escapes and semicolons with Go's sentences", () => {
  const rows: readonly [string, string][] = [
    ["/a%zz", 'invalid URL escape "%zz"'],
    ["/a%", 'invalid URL escape "%"'],
    ["/a%4", 'invalid URL escape "%4"'],
    ["/%é", 'invalid URL escape "%é"'],
    ["/%a€", 'invalid URL escape "%a\\xe2"'],
    ["/a?x=%zz", 'invalid URL escape "%zz"'],
    ["/a?%zz=1", 'invalid URL escape "%zz"'],
    ["/a?x=1;y=2", "invalid semicolon separator in query"],
    ["/a?x=%zz&a;b", "invalid semicolon separator in query"],
    ["/a?a;b&x=%zz", "invalid semicolon separator in query"],
    ["/%zz?a;b", 'invalid URL escape "%zz"'],
  ];
  for (const [path, detail] of rows)
    assert.deepEqual(parseTarget(path), { ok: false, code: "request_malformed", detail });
});

test("takes 10,000 query parameters and no more", () => {
  const limit = { ok: false, code: "request_malformed", detail: "number of URL query parameters exceeded limit" };
  assert.equal(parseQuery("a&".repeat(9_999)).ok, true);
  assert.deepEqual(parseQuery("a&".repeat(10_000)), limit);
  assert.deepEqual(parseQuery("&".repeat(4_000_000)), limit);
});

test("no byte of a path makes the parser throw", () => {
  for (let code = 0; code < 256; code++) {
    for (const shape of [
      `/${String.fromCharCode(code)}`,
      `/?${String.fromCharCode(code)}`,
      `/%${String.fromCharCode(code)}0`,
    ]) {
      const parsed = parseTarget(shape);
      if (parsed.ok) JSON.parse(`[${parsed.value.pathJson},${parsed.value.queryJson}]`);
      else assert.equal(parsed.code, "request_malformed");
    }
  }
});
