import assert from "node:assert/strict";
import { it } from "node:test";
import { type BegunCase, toCases } from "../../../../src/policy/test-runner/cases.ts";
import type { SourcePlace, TestCase } from "../../../../src/policy/test-runner/result.ts";

const place = ({ row, col }: { readonly row: number; readonly col: number }): SourcePlace => ({
  file: "p_test.rego",
  row,
  col,
  line: "",
});

const shape = (cases: readonly TestCase[]): unknown =>
  cases.map(({ name, passed, failedAt, cases: nested }) => [
    name,
    passed,
    ...(failedAt === undefined ? [] : [failedAt.row]),
    ...(nested.length > 0 ? [shape(nested)] : []),
  ]);

const step = { row: 7, col: 2 };
const begun = (...names: (readonly string[])[]): BegunCase[] => names.map((name) => ({ name, step }));

it("a case that is begun and not in the rule's object failed, where it stopped", () => {
  assert.deepEqual(shape(toCases({ one: true }, begun(["one"], ["two"]), place)), [
    ["one", true],
    ["two", false, 7],
  ]);
});

const values: readonly (readonly [string, unknown, unknown])[] = [
  ["no value at all", undefined, []],
  ["an empty object", {}, []],
  ["true", { a: true }, [["a", true]]],
  ["false", { a: false }, [["a", false]]],
  ["another value than true", { a: 1 }, [["a", false]]],
  ["null", { a: null }, [["a", false]]],
  ["a list", { a: [true] }, [["a", false]]],
  ["an object without members", { a: {} }, [["a", false]]],
  [
    "nested",
    { g: { a: true, b: true } },
    [
      [
        "g",
        true,
        [
          ["a", true],
          ["b", true],
        ],
      ],
    ],
  ],
  [
    "nested, one of them false",
    { g: { a: true, b: false } },
    [
      [
        "g",
        false,
        [
          ["a", true],
          ["b", false],
        ],
      ],
    ],
  ],
  [
    "in the order of names",
    { b: true, a: true },
    [
      ["a", true],
      ["b", true],
    ],
  ],
];
for (const [name, value, expected] of values) {
  it(`cases of a value: ${name}`, () => assert.deepEqual(shape(toCases(value, [], place)), expected));
}

it("a nested case that is begun and not there fails its group", () => {
  assert.deepEqual(shape(toCases({ g: { a: true } }, begun(["g", "a"], ["g", "b"], ["h", "c"]), place)), [
    [
      "g",
      false,
      [
        ["a", true],
        ["b", false, 7],
      ],
    ],
    ["h", false, [["c", false, 7]]],
  ]);
});

it("names that JavaScript's objects have as well are names like any other", () => {
  const value = JSON.parse('{"__proto__": true, "constructor": true}');
  assert.deepEqual(shape(toCases(value, begun(["toString"]), place)), [
    ["__proto__", true],
    ["constructor", true],
    ["toString", false, 7],
  ]);
});
