import assert from "node:assert/strict";
import { it } from "node:test";
import { type CompileError, formatCompileErrors } from "../../../../src/policy/compiler/index.ts";

const files = [
  { path: "p.rego", text: 'package p\n\nallow if {\r\n\t\t"äöü𝄞"; nope(1)\n}\n' },
  { path: "esc.rego", text: "a\u001b!" },
];
const at = (row: number, col: number, over: Partial<CompileError> = {}): CompileError => ({
  code: "rego_type_error",
  message: "undefined function nope",
  file: "p.rego",
  row,
  col,
  ...over,
});

const cases: readonly (readonly [name: string, error: CompileError, want: string])[] = [
  [
    "place, code, message, source line and caret; tabs stay tabs and columns are code points",
    at(4, 11),
    'p.rego:4:11: rego_type_error: undefined function nope\n  4 | \t\t"äöü𝄞"; nope(1)\n    | \t\t        ^',
  ],
  [
    "a carriage return at the line's end is not shown",
    at(3, 1),
    "p.rego:3:1: rego_type_error: undefined function nope\n  3 | allow if {\n    | ^",
  ],
  ["no column, no caret", { code: "c", message: "m", file: "p.rego", row: 1 }, "p.rego:1: c: m\n  1 | package p"],
  ["no place at all", { code: "entrypoint_undefined", message: "m" }, "entrypoint_undefined: m"],
  ["a file that was not given", at(1, 1, { file: "q.rego" }), "q.rego:1:1: rego_type_error: undefined function nope"],
  ["a row behind the end", at(99, 1), "p.rego:99:1: rego_type_error: undefined function nope"],
  [
    "details and further lines are indented",
    { code: "c", message: "m\nmore", details: ["have: x", "want: y"] },
    "c: m\n  more\n  have: x\n  want: y",
  ],
  [
    "control and direction characters cannot reach the terminal",
    { code: "c", message: "a\u001b[31mb\u202ec" },
    "c: a\\u001b[31mb\\u202ec",
  ],
  [
    "the caret stands behind what was escaped before it",
    at(1, 3, { file: "esc.rego" }),
    "esc.rego:1:3: rego_type_error: undefined function nope\n  1 | a\\u001b!\n    |        ^",
  ],
];
for (const [name, error, want] of cases) {
  it(`formats: ${name}`, () => assert.equal(formatCompileErrors([error], files), want));
}

it("shows a long line only around the error", () => {
  const text = `${"x".repeat(10_000)}!${"y".repeat(10_000)}`;
  const shown = formatCompileErrors([at(1, 10_001)], [{ path: "p.rego", text }]).split("\n");
  assert.equal(shown.length, 3);
  assert.ok((shown[1] ?? "").length < 200);
  assert.equal((shown[1] ?? "")[(shown[2] ?? "").indexOf("^")], "!");
});

it("a column behind the line's end puts the caret behind the line", () => {
  assert.match(formatCompileErrors([at(1, 500)], files), /\| package p\n {4}\| {10}\^$/);
});

it("stops at a hundred errors and says how many follow", () => {
  const text = formatCompileErrors(
    Array.from({ length: 130 }, () => ({ code: "c", message: "m" })),
    [],
  );
  assert.equal(text.split("\n").length, 101);
  assert.match(text, /… and 30 more errors$/);
});
