import assert from "node:assert/strict";
import { it } from "node:test";
import { toTestJson } from "../../../../src/policy/test-runner/report-json.ts";
import { toJunitXml } from "../../../../src/policy/test-runner/report-junit.ts";
import { toPrettyLines, toPrettySummary } from "../../../../src/policy/test-runner/report-pretty.ts";
import { countResults, type TestResult } from "../../../../src/policy/test-runner/result.ts";

const at = { file: "p_test.rego", row: 3, col: 1, line: "test_a if {" };
const failedAt = { file: "p_test.rego", row: 5, col: 2, line: "\tx == 2" };
const base = { package: "data.p_test", name: "test_a", at, durationMs: 1.5, output: [], cases: [] } as const;
const pass: TestResult = { ...base, outcome: "pass" };
const fail: TestResult = { ...base, name: "test_b", outcome: "fail", failedAt, output: ["x is 1"] };
const error: TestResult = {
  ...base,
  name: "test_c",
  outcome: "error",
  error: { code: "policy_conflict", message: "two values" },
};
const todo: TestResult = { ...base, name: "todo_test_d", outcome: "todo", durationMs: 0 };
const cases: TestResult = {
  ...base,
  package: "data.q_test",
  name: "test_e",
  outcome: "fail",
  cases: [
    { name: "one", passed: true, cases: [] },
    {
      name: "group",
      passed: false,
      cases: [
        { name: "two", passed: false, failedAt, cases: [] },
        { name: "three", passed: true, cases: [] },
      ],
    },
  ],
};
const all = [pass, fail, error, todo, cases];

it("cases count one by one, groups of cases do not", () => {
  assert.deepEqual(countResults(all), { passed: 3, failed: 2, errors: 1, todo: 1 });
  assert.deepEqual(countResults([]), { passed: 0, failed: 0, errors: 0, todo: 0 });
});

it("a test that passes is shown with -v only", () => {
  assert.equal(toPrettyLines(pass, false), "");
  assert.equal(toPrettyLines(pass, true), "p_test.rego:3:\ndata.p_test.test_a: PASS (1.50ms)\n");
});

it("a failure shows the expression with its line and a caret, and what was printed", () => {
  assert.equal(
    toPrettyLines(fail, false),
    [
      "p_test.rego:3:",
      "data.p_test.test_b: FAIL (1.50ms)",
      "  p_test.rego:5:2: did not hold",
      "  5 | \tx == 2",
      "    | \t^",
      "",
      "  x is 1",
      "",
      "",
    ].join("\n"),
  );
});

it("an error shows code and sentence; a todo is named", () => {
  assert.match(toPrettyLines(error, false), /test_c: ERROR \(1\.50ms\)\n {2}policy_conflict: two values\n$/);
  assert.equal(toPrettyLines(todo, false), "p_test.rego:3:\ndata.p_test.todo_test_d: TODO\n");
});

it("cases are indented by their groups, those that pass only with -v", () => {
  assert.match(toPrettyLines(cases, false), /FAIL \(1\.50ms\)\n {2}group: FAIL\n {4}two: FAIL\n {6}p_test\.rego:5:2/);
  assert.match(toPrettyLines(cases, true), /\n {2}one: PASS\n {2}group: FAIL\n(?:.*\n)* {4}three: PASS\n/);
});

it("what a policy prints cannot steer the terminal", () => {
  const lines = toPrettyLines({ ...fail, output: ["\u001b[2J\u202eabc\u0007"] }, false);
  for (const character of ["\u001b", "\u202e", "\u0007"]) assert.ok(!lines.includes(character));
  assert.match(lines, /\\u001b\[2J\\u202eabc\\u0007/);
});

it("the summary counts what there is, below a line when tests were shown", () => {
  assert.equal(toPrettySummary(all, true), `${"-".repeat(80)}\nPASS: 3/7\nFAIL: 2/7\nTODO: 1/7\nERROR: 1/7\n`);
  assert.equal(toPrettySummary([pass], false), "PASS: 1/1\n");
  assert.equal(toPrettySummary([], false), "");
});

it("JSON has OPA's members: nanoseconds, base64, sub_results", () => {
  assert.deepEqual(JSON.parse(toTestJson(all)), [
    { location: { file: "p_test.rego", row: 3, col: 1 }, package: "data.p_test", name: "test_a", duration: 1_500_000 },
    {
      location: { file: "p_test.rego", row: 3, col: 1 },
      package: "data.p_test",
      name: "test_b",
      fail: true,
      duration: 1_500_000,
      output: Buffer.from("x is 1\n").toString("base64"),
      failed_at: { file: "p_test.rego", row: 5, col: 2, text: "x == 2" },
    },
    {
      location: { file: "p_test.rego", row: 3, col: 1 },
      package: "data.p_test",
      name: "test_c",
      error: { code: "policy_conflict", message: "two values" },
      duration: 1_500_000,
    },
    {
      location: { file: "p_test.rego", row: 3, col: 1 },
      package: "data.p_test",
      name: "todo_test_d",
      skip: true,
      duration: 0,
    },
    {
      location: { file: "p_test.rego", row: 3, col: 1 },
      package: "data.q_test",
      name: "test_e",
      fail: true,
      duration: 1_500_000,
      sub_results: {
        one: { name: "one" },
        group: {
          name: "group",
          fail: true,
          sub_results: {
            two: { name: "two", fail: true, failed_at: { file: "p_test.rego", row: 5, col: 2, text: "x == 2" } },
            three: { name: "three" },
          },
        },
      },
    },
  ]);
});

it("JUnit has a suite for each package and a case for each leaf", () => {
  const xml = toJunitXml(all);
  assert.match(
    xml,
    /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<testsuites tests="7" failures="2" errors="1" skipped="1"/,
  );
  assert.equal(xml.match(/<testsuite /g)?.length, 2);
  assert.equal(xml.match(/<testcase /g)?.length, 7);
  assert.match(xml, /<testcase name="test_e\[&quot;group&quot;\]\[&quot;two&quot;\]" classname="data\.q_test"/);
  assert.match(xml, /<failure message="p_test\.rego:5:2: did not hold: x == 2"\/>/);
  assert.match(xml, /<error type="policy_conflict" message="two values"\/>/);
  assert.match(xml, /<system-out>x is 1<\/system-out>/);
});

it("JUnit stays XML whatever is printed", () => {
  const xml = toJunitXml([{ ...fail, output: ['</system-out>&"\u0000\u001b\ud800\ufffe\tü\u{1f600}'] }]);
  assert.match(xml, /<system-out>&lt;\/system-out&gt;&amp;&quot;\ufffd\ufffd\ufffd\ufffd\tü\u{1f600}<\/system-out>/u);
});

it("no results are documents all the same", () => {
  assert.deepEqual(JSON.parse(toTestJson([])), []);
  assert.match(toJunitXml([]), /<testsuites tests="0"[^>]*\/>\n$/);
});
