import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMediaType } from "../../../../src/policy/body/media-type.ts";

test("reads parameters with Go's tolerance", () => {
  const rows: readonly [string, string, Record<string, string>][] = [
    ["a/b", "a/b", {}],
    [" A/B ;", "a/b", {}],
    ["form-data", "form-data", {}],
    ['a/b; X=y; z="q"', "a/b", { x: "y", z: "q" }],
    ["a/b ; x = y", "a/b", { x: "y" }],
    ["a/b; x=y; x=y", "a/b", { x: "y" }],
    ['a/b; x=""', "a/b", { x: "" }],
    ['a/b; x="a\\"b"', "a/b", { x: 'a"b' }],
    ['a/b; x="C:\\dir\\f"', "a/b", { x: "C:\\dir\\f" }],
    ["a/b; x*=utf-8''%e2%82%ac", "a/b", { x: "\xe2\x82\xac" }],
    ["a/b; x*=iso-8859-1''a", "a/b", {}],
    ["a/b; x=p; x*=utf-8''%zz", "a/b", { x: "p" }],
    ["a/b; x*0=a; x*1=b; x*3=d", "a/b", { x: "ab" }],
    ["a/b; x*0*=UTF-8'en'a%20; x*1=b; x*2*=%c3%a9", "a/b", { x: "a b\xc3\xa9" }],
    ["a/b;\xc2\xa0x=y", "a/b", { x: "y" }],
    ["\xe2\x84\xaa/b", "k/b", {}],
    ["a/b; x={y}", "a/b", { x: "{y}" }],
  ];
  for (const [value, type, parameters] of rows) {
    const parsed = parseMediaType(value);
    assert.ok(parsed.ok, value);
    assert.equal(parsed.value.type, type);
    assert.deepEqual(Object.fromEntries(parsed.value.parameters), parameters, value);
  }
});

test("refuses what is no media type", () => {
  const rows: readonly [string, string][] = [
    ["", "mime: no media type"],
    [";x=y", "mime: no media type"],
    ["a b", "mime: expected slash after first token"],
    ["a/", "mime: expected token after slash"],
    ["a/b c", "mime: unexpected content after media subtype"],
    ["a/b/c", "mime: unexpected content after media subtype"],
    ["a/b; x", "mime: invalid media parameter"],
    ["a/b; x=", "mime: invalid media parameter"],
    ["a/b; x=é", "mime: invalid media parameter"],
    ["a/b;; x=y", "mime: invalid media parameter"],
    ['a/b; x="y', "mime: invalid media parameter"],
    ['a/b; x="y\nz"', "mime: invalid media parameter"],
    ["a/b; x=y z", "mime: invalid media parameter"],
    ["a/b; x=y; x=z", "mime: duplicate parameter name"],
  ];
  for (const [value, detail] of rows)
    assert.deepEqual(parseMediaType(value), { ok: false, code: "request_malformed", detail }, value);
});
