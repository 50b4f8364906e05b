// From a case to its judgement, with the real compiler and both engines.

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { readCaseFile } from "../../conformance/case-files.ts";
import { type Compiled, compileCases } from "../../conformance/compile-cases.ts";
import { judge } from "../../conformance/judge.ts";
import { type CaseResult, formatReport, toReport } from "../../conformance/report.ts";
import { runCase } from "../../conformance/run-case.ts";
import type { TestCase } from "../../conformance/test-case.ts";

const CASES = `
cases:
  - note: set in the input
    query: data.p.q = x
    modules: ["package p\\n\\nq := input.s | {3}"]
    input_term: '{"s": {2, 1}}'
    want_result: [{x: [1, 2, 3]}]
  - note: number beyond a double
    query: data.n = x
    data: {n: 9007199254740993}
    want_result: [{x: 9007199254740993}]
  - note: no input
    query: not input
    want_defined: true
  - note: error of a builtin
    query: x = units.parse("many")
    want_error_code: eval_builtin_error
    strict_error: true
  - note: conflict
    query: data.p.q = x
    modules: ["package p\\n\\nq := 1\\n\\nq := 2"]
    want_error_code: eval_conflict_error
  - note: v1 has no rules of v0
    query: data.p.q = x
    modules: ["package p\\n\\nq { true }"]
    want_defined: true
  - note: time stands still while a case sleeps
    query: time.now_ns(a); test.sleep("10ms"); time.now_ns(b); a == b
    want_defined: true
  - note: builtin of the assets
    query: x = custom_builtin_test(100)
    want_result: [{x: 101}]
  - note: the host tells nothing of itself
    query: x = opa.runtime()
    want_result: [{x: {}}]
  - note: wrong on purpose
    query: x = 1
    want_result: [{x: 2}]
`;

describe("cases are compiled and run", () => {
  const cases = readCaseFile(CASES, "v1", "time/a.yaml");
  const compiled = new Map<TestCase, Compiled>();
  before(async () => {
    const builtins = ["opa.runtime", "time.now_ns", "units.parse"];
    await compileCases(
      cases,
      { builtins, asOpaBuild: false, jobs: 2, cacheFolder: undefined },
      async (testCase, module) => {
        compiled.set(testCase, module);
      },
    );
  });
  const run = async (engine: "native" | "opa-wasm"): Promise<CaseResult[]> =>
    Promise.all(
      cases.map(async (testCase) => {
        const module = compiled.get(testCase) ?? { ok: false, message: "was not compiled" };
        return { testCase, judgement: judge(testCase, await runCase(testCase, module, engine)) };
      }),
    );

  it("by our engine: two fail, each with its reason", async () => {
    assert.deepEqual(toReport(await run("native")).failures, [
      {
        id: "v1/time/a.yaml: v1 has no rules of v0",
        why: "does not compile: `if` keyword is required before rule body",
      },
      { id: "v1/time/a.yaml: wrong on purpose", why: 'wanted [{"x": 2}], got [{"x":1}]' },
    ]);
  });

  it("by the second engine, whose numbers are doubles", async () => {
    const failures = toReport(await run("opa-wasm")).failures.map(({ id }) => id.replace(/^.*?: /, ""));
    assert.deepEqual(failures, ["number beyond a double", "v1 has no rules of v0", "wrong on purpose"]);
  });

  it("are counted by family and suite", async () => {
    const report = toReport(await run("native"));
    assert.deepEqual(report.all, { passed: 8, total: 10 });
    assert.deepEqual(report.families, { time: { passed: 8, total: 10 } });
    assert.match(formatReport(report), /^suite v1 +8 passed, +2 failed, of 10$/m);
    assert.match(formatReport(report), /^all +8 passed, +2 failed, of 10$/m);
  });
});
