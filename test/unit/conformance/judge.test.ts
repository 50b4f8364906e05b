// The judge must be able to fail: each outcome that a case does not want is told from the one that it wants.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PolicyError, toAbortError } from "../../../src/policy/policy-error.ts";
import { parseCaseYaml } from "../../conformance/case-yaml.ts";
import { judge, type Outcome } from "../../conformance/judge.ts";
import { type Suite, toTestCase } from "../../conformance/test-case.ts";

const verdict = (wanted: string, outcome: Outcome, suite: Suite = "v1"): boolean =>
  judge(toTestCase(parseCaseYaml(`query: x = 1\n${wanted}`), { id: "a", suite, folder: "f" }), outcome).passed;

const result = (json: string): Outcome => ({ kind: "result", json });
const error = (error: PolicyError): Outcome => ({ kind: "error", error });
const CONFLICT = error(toAbortError("module0.rego:3:1: var assignment conflict"));
const TRAP = error(new PolicyError("policy_trap", "trap: unreachable"));

describe("the judge compares results as OPA's own WASM tests do", () => {
  const rows: readonly (readonly [wanted: string, json: string, passes: boolean])[] = [
    ["want_result: [{x: 1}]", '[{"x":1}]', true],
    ["want_result: [{x: 1}]", '[{"x":2}]', false],
    ["want_result: [{x: 1}]", '[{"x":"1"}]', false],
    ["want_result: [{x: 1}]", '[{"y":1}]', false],
    ["want_result: [{x: 1}]", '[{"x":1,"y":1}]', false],
    ["want_result: [{x: 1}]", "[]", false],
    ["want_result: []", "[]", true],
    ["want_result: []", '[{"x":1}]', false],
    ["want_result: [{x: 1}, {x: 2}]", '[{"x":2},{"x":1}]', true],
    ["want_result: [{x: 1}, {x: 2}]", '[{"x":1}]', false],
    ["want_result: [{x: 1}]", '[{"x":1.0}]', true],
    ["want_result: [{x: 100}]", '[{"x":1e2}]', true],
    ["want_result: [{x: 9007199254740993}]", '[{"x":9007199254740993}]', true],
    ["want_result: [{x: 9007199254740993}]", '[{"x":9007199254740992}]', false],
    ["want_result: [{x: 1.1}]", '[{"x":1.1000000000000001}]', false],
    ["want_result: [{x: [1, 2]}]", '[{"x":[1,2]}]', true],
    ["want_result: [{x: [1, 2]}]", '[{"x":[2,1]}]', false],
    ["sort_bindings: true\nwant_result: [{x: [1, 2]}]", '[{"x":[2,1]}]', true],
    ["sort_bindings: true\nwant_result: [{x: [1, 2]}]", '[{"x":[2,1,1]}]', false],
    ["sort_bindings: true\nwant_result: [{x: [[1, 2]]}]", '[{"x":[[2,1]]}]', false],
    ["sort_bindings: true\nwant_result: [{x: [2, 1]}]", '[{"x":[1,2]}]', false],
    ["want_defined: true", '[{"x":false}]', true],
    ["want_defined: true", "[]", false],
    ["want_defined: false", "[]", true],
    ["want_defined: false", "[{}]", false],
    ["want_defined: false\nwant_result: [{x: 1}]", "[]", true],
    ["want_result: [{x: 1}]\nwant_error: conflict\nstrict_error: true", '[{"x":1}]', true],
    ["want_result: [{x: 1}]\nwant_error: conflict\nstrict_error: true", "[]", false],
    ["want_error_code: eval_builtin_error\nstrict_error: true", "[]", true],
    ["want_error_code: eval_builtin_error\nstrict_error: true", '[{"x":1}]', false],
    ["want_error_code: eval_conflict_error", "[]", false],
  ];
  for (const [wanted, json, passes] of rows)
    it(`${JSON.stringify(wanted)} ${passes ? "accepts" : "refuses"} ${json}`, () =>
      assert.equal(verdict(wanted, result(json)), passes));
});

describe("the judge compares errors", () => {
  it("takes a conflict where OPA has one, and no other error", () => {
    assert.equal(verdict("want_error_code: eval_conflict_error\nwant_error: any", CONFLICT), true);
    const keys = error(toAbortError("module-0.rego:1:1: object insert conflict"));
    assert.equal(verdict("want_error_code: eval_conflict_error", keys), true);
    assert.equal(verdict("want_error_code: eval_conflict_error", TRAP), false);
  });

  it("knows no other code, as OPA's test knows none", () => {
    assert.equal(verdict("want_error_code: eval_type_error", CONFLICT), false);
    assert.equal(verdict("want_error_code: eval_type_error", TRAP), false);
  });

  it("takes an asset's error at its place only", () => {
    const wanted = (row: number) => `want_error: "module0.rego:${row}:1: var assignment conflict"`;
    assert.equal(verdict(wanted(3), CONFLICT, "assets"), true);
    assert.equal(verdict(wanted(4), CONFLICT, "assets"), false);
  });

  const others = ["want_result: []", "want_defined: false", "want_error_code: eval_builtin_error\nstrict_error: true"];
  for (const wanted of others)
    it(`an error is no empty result: ${JSON.stringify(wanted)}`, () => {
      assert.equal(verdict(wanted, TRAP), false);
      assert.equal(verdict(wanted, { kind: "unusable", why: "does not compile" }), false);
    });

  it("what does not compile never passes, whatever is wanted", () => {
    const unusable: Outcome = { kind: "unusable", why: "does not compile: rego_type_error" };
    assert.equal(verdict("want_error_code: eval_conflict_error", unusable), false);
  });

  it("says what was wanted and what was got", () => {
    const testCase = toTestCase(parseCaseYaml("query: x\nwant_result: [{x: [1]}]"), {
      id: "a",
      suite: "v1",
      folder: "f",
    });
    assert.deepEqual(judge(testCase, result('[{"x":[2]}]')), {
      passed: false,
      why: 'wanted [{"x": [1]}], got [{"x":[2]}]',
    });
    assert.deepEqual(judge(testCase, TRAP), { passed: false, why: "policy_trap: trap: unreachable" });
  });
});

describe("the judge compares assets as their own runner does", () => {
  const rows: readonly (readonly [wanted: string, json: string, passes: boolean])[] = [
    ["want_result: [{x: 0.1}]", '[{"x":0.1000000000000000055}]', true], // its numbers are JavaScript's
    ["want_result: [{x: 1}]", '[{"x":2}]', false],
    ["want_result: [{x: 1}]", '[{"x":1},{"x":1}]', false],
    ["want_result: [{x: 1}, {x: 2}]", '[{"x":2},{"x":1}]', true],
    ["want_result: [{x: [1, 0]}]", '[{"x":[0,1]}]', false],
    ["want_result: []", "[]", true],
    ["want_result: []", "[{}]", false],
  ];
  for (const [wanted, json, passes] of rows)
    it(`${wanted} ${passes ? "accepts" : "refuses"} ${json}`, () =>
      assert.equal(verdict(wanted, result(json), "assets"), passes));
});
