import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toValueText } from "../../../src/identity/attribute-value.ts";

const nested = (depth: number): unknown => {
  let value: unknown = 1;
  for (let i = 1; i < depth; i++) value = [value];
  return value;
};

describe("toValueText", () => {
  const rows: readonly (readonly [value: unknown, text: string | undefined])[] = [
    ["prod", '"prod"'],
    ["", '""'],
    ['a "quoted"\n\u0000', '"a \\"quoted\\"\\n\\u0000"'],
    ["half \ud800 a pair", '"half \ufffd a pair"'],
    ["\u{1f600}", '"\u{1f600}"'],
    [0, "0"],
    [-0, "0"],
    [1.5, "1.5"],
    [2n ** 70n, "1180591620717411303424"],
    [true, "true"],
    [false, "false"],
    [["a", null, [1]], '["a",null,[1]]'],
    [{ a: { b: null }, c: [] }, '{"a":{"b":null},"c":[]}'],
    [{ "\ud800": 1 }, '{"\ufffd":1}'],
    [JSON.parse('{"__proto__":{"x":1}}'), '{"__proto__":{"x":1}}'],
    [[], "[]"],
    [{}, "{}"],
    [null, undefined],
    [undefined, undefined],
    [Number.NaN, undefined],
    [Number.POSITIVE_INFINITY, undefined],
    [Symbol("x"), undefined],
    [() => 1, undefined],
    [[undefined], undefined],
    [{ a: 1, b: () => 1 }, undefined],
    [nested(8), "[[[[[[[1]]]]]]]"],
    [nested(9), undefined],
    [nested(100_000), undefined],
    ["x".repeat(4094), `"${"x".repeat(4094)}"`],
    ["x".repeat(4095), undefined],
    ["\u0000".repeat(1000), undefined],
    [Array.from({ length: 10_000 }, () => 1), undefined],
    [{ toJSON: () => "other" }, undefined],
  ];
  for (const [value, text] of rows)
    it(`${typeof value} → ${String(text).slice(0, 40)}`, () => assert.equal(toValueText(value), text));
});
