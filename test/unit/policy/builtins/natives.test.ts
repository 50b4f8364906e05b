// The builtins that the host answers in place of OPA's module, beside their recorded calls (native-vectors.test.ts): bytes
// that are no UTF-8, bounds, and what they take of an evaluation's budget.

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { BuiltinError, findBuiltin, nativeRequest } from "../../../../src/policy/builtins/index.ts";
import { compileRego } from "../../../../src/policy/compiler/index.ts";
import { loadPolicy, PolicyError } from "../../../../src/policy/index.ts";
import { toJson, type Value } from "../../../../src/policy/value.ts";
import { builtinContextAt } from "../../../support/builtin-context.ts";

const call = (name: string, ...args: Value[]): Value | undefined =>
  findBuiltin(`host.${name}`)?.(args, builtinContextAt(1_700_000_000_000_000_000n));

describe("bytes that are no UTF-8", () => {
  it("json.unmarshal takes each for U+FFFD, as Go does", () => {
    assert.equal(call("json.unmarshal", '"a\udcffb"'), "a\ufffdb");
    assert.equal(toJson(call("json.unmarshal", '{"\udcff\udcfe":1}') ?? null), '{"��":1}');
    assert.equal(call("json.is_valid", '"\udcff"'), true);
    assert.throws(() => call("json.unmarshal", "\udcff"), BuiltinError);
  });
  it("base64.decode keeps them, and what it made can be taken apart", () => {
    assert.equal(call("base64.decode", "/w=="), "\udcff");
    assert.equal(call("replace", "\udcffa", "a", "b"), "\udcffb");
    assert.equal(call("indexof", "\udcffa", "a") === undefined, false);
  });
  it("base64.decode refuses one where it stands", () => {
    assert.throws(() => call("base64.decode", "YW\udcffJ"), { message: "illegal base64 data at input byte 2" });
  });
  it("glob.match: as U+FFFD in the text, and no pattern at all", () => {
    assert.equal(call("glob.match", "a?b", null, "a\udcffb"), true);
    assert.throws(() => call("glob.match", "a\udcff", null, "a"), {
      message: /^glob: syntax error at 1: invalid UTF-8/,
    });
  });
});

describe("bounds", () => {
  const refused: readonly (readonly [what: string, name: string, ...args: Value[]])[] = [
    ["JSON nested 2,001 deep", "json.unmarshal", `${"[".repeat(2_001)}${"]".repeat(2_001)}`],
    ["a million brackets", "json.unmarshal", "[".repeat(1_000_000)],
    ["text between the bytes of a text", "replace", "a".repeat(3_000), "", "b".repeat(3_000)],
    ["text in place of each letter", "replace", "a".repeat(3_000), "a", "b".repeat(3_000)],
    ["a glob of 5,000 characters", "glob.match", "a".repeat(5_000), [], "a"],
    ["a glob of 101 braces inside each other", "glob.match", `${"{".repeat(101)}${"}".repeat(101)}`, [], "a"],
  ];
  for (const [what, name, ...args] of refused) {
    it(`${what}: ${name} has an error`, () => {
      assert.throws(() => call(name, ...args), BuiltinError);
    });
  }
});

describe("budget", () => {
  let evaluate: (rule: string, input: unknown) => string;
  before(async () => {
    const text = [
      "package p",
      "read := count(json.unmarshal(input.text))",
      'globbed if glob.match(input.glob, ["/"], input.text)',
      "decoded := count(base64.decode(input.text))",
      "",
    ].join("\n");
    const compiled = await compileRego({
      files: [{ path: "p.rego", text }],
      entrypoints: ["p/read", "p/globbed", "p/decoded"],
      regoVersion: "v1",
      builtins: [],
      ...nativeRequest(true),
    });
    assert.ok(compiled.ok, JSON.stringify(compiled));
    const policy = loadPolicy(compiled.value.wasm, { findBuiltin, strictBuiltinErrors: true, budgetSteps: 20_000_000 });
    evaluate = (rule, input) => {
      try {
        return policy.evaluate(JSON.stringify(input), { entrypoint: `p/${rule}` });
      } catch (error) {
        if (error instanceof PolicyError) return error.code;
        throw error;
      }
    };
  });

  const list = (items: number): string => `[${new Array(items).fill("1234567").join(",")}]`;
  const rows: readonly (readonly [what: string, rule: string, input: unknown, wanted: string])[] = [
    ["8 KB of JSON", "read", { text: list(1_000) }, '[{"result":1000}]'],
    ["1 MB of JSON", "read", { text: list(131_072) }, "policy_budget"],
    ["1 MB of base64", "decoded", { text: "YWFh".repeat(262_144) }, "policy_budget"],
    ["a path", "globbed", { glob: "/api/*/{a,b}?", text: "/api/users/ax" }, '[{"result":true}]'],
    [
      "a glob of 2,000 wildcards",
      "globbed",
      { glob: `**a${"?".repeat(2_000)}c`, text: "ab".repeat(5_000) },
      "policy_budget",
    ],
    ["10,000 letters", "globbed", { glob: "**a?????c", text: "ab".repeat(5_000) }, "[]"],
  ];
  for (const [what, rule, input, wanted] of rows) {
    it(`${what}: ${wanted}`, () => assert.equal(evaluate(rule, input), wanted));
  }

  it("the same glob costs the same when it is known already", () => {
    const cost = (): number => {
      let steps = 0;
      const context = {
        ...builtinContextAt(0n),
        spend: (count: number) => {
          steps += count;
        },
      };
      findBuiltin("host.glob.match")?.(["new-*-glob", [], "new-1-glob"], context);
      return steps;
    };
    const first = cost();
    assert.ok(first > 0);
    assert.equal(cost(), first);
  });
});
