import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { patternCosts } from "../../../../src/policy/bench/pattern-costs.ts";

const planWith = (...names: readonly string[]): string =>
  JSON.stringify({ static: { builtin_funcs: names.map((name) => ({ name, decl: {} })) } });

describe("the costs that a plan tells", () => {
  it("are those of patterns, all in one sentence", () => {
    assert.equal(
      patternCosts(planWith("plus", "glob.match", "startswith", "regex.match")),
      "compiled again on each evaluation that comes to them: the patterns of `glob.match` (up to 18 µs), `regex.match` (up to 20 µs); `startswith`, `split` and comparisons take about 2 µs",
    );
  });

  const nothing: readonly (readonly [string, string])[] = [
    ["a plan without patterns", planWith("startswith", "regex.replace")],
    ["patterns that the host keeps", planWith("glob.match", "host.glob.match")],
    ["a plan without builtins", '{"static": {"strings": []}}'],
    ["what is no plan", "[]"],
    ["null", "null"],
    ["odd members", '{"static": {"builtin_funcs": [null, {}, {"name": 1}, "glob.match"]}}'],
    ["what is no JSON", "{"],
  ];
  for (const [name, plan] of nothing) it(`of ${name} are none`, () => assert.equal(patternCosts(plan), undefined));
});
