import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findBuiltin } from "../../../src/policy/builtins/index.ts";
import { PRINT_BUILTIN, withPrint } from "../../../src/policy/print-builtin.ts";
import { RegoNumber, RegoSet, type Value } from "../../../src/policy/value.ts";
import { builtinContextAt } from "../../support/builtin-context.ts";

/** The lines of one `print` whose operands have these values each. */
function printed(...operands: readonly (readonly Value[])[]): readonly string[] {
  const lines: string[] = [];
  const print = withPrint(findBuiltin, (line) => lines.push(line), undefined)(PRINT_BUILTIN);
  assert.equal(print?.([operands.map((values) => RegoSet.of(values))], builtinContextAt(0n)), undefined);
  return lines;
}

const texts = (count: number, text = ""): string[] =>
  Array.from({ length: count }, (_, at) => `${text}${String(at).padStart(6, "0")}`);

describe("print", () => {
  for (const [what, operands, lines] of [
    ["values side by side", [["a"], [RegoNumber.of(1)], [["b"]]], ['a 1 ["b"]']],
    ["what is undefined", [["a"], []], ["a <undefined>"]],
    ["nothing as an empty line", [], [""]],
    [
      "each combination, the last operand first",
      [
        ["a", "b"],
        ["c", "d"],
      ],
      ["a c", "a d", "b c", "b d"],
    ],
  ] as const)
    it(`writes ${what}`, () => assert.deepEqual(printed(...operands), lines));

  it("writes the first thousand combinations of sets however large", () => {
    const many = texts(60_000);
    const lines = printed(many, many, many);
    assert.equal(lines.length, 1_000);
    assert.equal(lines[0], "000000 000000 000000");
    assert.equal(lines[999], "000000 000000 000999");
    assert.deepEqual(printed(texts(40), texts(30)).slice(-1), ["000033 000009"]);
  });

  it("ends before its lines have more than a million characters", () => {
    const long = "x".repeat(300_000);
    assert.equal(printed(texts(10, long)).length, 3);
    assert.deepEqual(printed(["y".repeat(1_048_576)]), []);
  });

  it("leaves other builtins as they are, and `trace` too where nobody listens", () => {
    const find = withPrint(findBuiltin, () => undefined, undefined);
    assert.equal(find("crypto.md5"), findBuiltin("crypto.md5"));
    assert.equal(find("no.such"), undefined);
  });
});
