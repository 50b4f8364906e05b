// Tests of Rego that are compiled and run for real, in threads of their own.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parseFilter } from "../../../../src/policy/test-runner/filter.ts";
import type { TestResult } from "../../../../src/policy/test-runner/result.ts";
import { runTests, type TestRun } from "../../../../src/policy/test-runner/run-tests.ts";

const POLICY = `package p

import data.roles

default allow := false

allow if input.user in roles.admin

clash := 1 if input.a

clash := 2 if input.b

slow if {
	many := {x | some x in numbers.range(1, 2000)}
	some a in many
	some b in many
	some c in many
	a == b
	c == -1
}

now := time.now_ns()
`;

const TESTS = `package p_test

import data.p

test_data_of_the_folder if p.allow with input.user as "alice"

test_input_is_mocked if p.allow with input as {"user": "bob"} with data.roles as {"admin": ["bob"]}

test_rule_is_mocked if p.allow with p.allow as true

test_builtin_is_mocked if p.now == 7 with time.now_ns as 7

test_builtin_is_mocked_by_function if p.now == 8 with time.now_ns as eight

eight := 8

test_false := p.allow

test_undefined if {
	x := 1
	print("x is", x)
	x == 2
	print("never")
}

test_twice if 1 == 1

test_twice if 1 == 2

test_set contains 1

test_number := 1

test_conflict if p.clash with input as {"a": true, "b": true}

todo_test_later if false

test_cases[case.name] if {
	some case in [{"name": "one", "is": 1}, {"name": "two", "is": 2}]
	found := case.is
	found == 1
}

test_nested[group][name] if {
	some group, members in {"g": {"a": 1, "b": 2}}
	some name, value in members
	value == 1
}

deep.test_inner if true

test_else if {
	1 == 2
} else if {
	2 == 3
}

not_a_test if false
`;

describe("a folder of a policy and its tests", () => {
  let folder = "";
  let run: TestRun;
  const heard: string[] = [];
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "svidgate-test-"));
    await writeFile(join(folder, "p.rego"), POLICY);
    await writeFile(join(folder, "p_test.rego"), TESTS);
    await writeFile(join(folder, "data.json"), '{"roles": {"admin": ["alice"]}}');
    run = await runTests({ paths: [folder], dataFiles: [], regoVersion: "v1", timeoutMs: 30_000 }, ({ name }) =>
      heard.push(name),
    );
  });
  after(() => rm(folder, { recursive: true }));

  const results = (): readonly TestResult[] => {
    assert.ok(run.ok, run.ok ? "" : run.problems.join("\n"));
    return run.results;
  };
  const find = (name: string): TestResult => {
    const found = results().find((result) => result.name === name);
    assert.ok(found, name);
    return found;
  };

  it("each test has its outcome, in the order of the file", () => {
    assert.deepEqual(
      results().map(({ name, outcome }) => `${name} ${outcome}`),
      [
        "test_data_of_the_folder pass",
        "test_input_is_mocked pass",
        "test_rule_is_mocked pass",
        "test_builtin_is_mocked pass",
        "test_builtin_is_mocked_by_function pass",
        "test_false fail",
        "test_undefined fail",
        "test_twice pass",
        "test_twice#01 fail",
        "test_set fail",
        "test_number fail",
        "test_conflict error",
        "todo_test_later todo",
        "test_cases fail",
        "test_nested fail",
        "deep.test_inner pass",
        "test_else fail",
      ],
    );
  });

  it("every test was heard of once", () =>
    assert.deepEqual(
      [...heard].sort(),
      results()
        .map(({ name }) => name)
        .sort(),
    ));

  it("a failure says which expression did not hold", () => {
    const { at, failedAt, output } = find("test_undefined");
    assert.deepEqual({ ...at, file: "" }, { file: "", row: 19, col: 1, line: "test_undefined if {" });
    assert.deepEqual([failedAt?.row, failedAt?.col, failedAt?.line], [22, 2, "\tx == 2"]);
    assert.deepEqual(output, ["x is 1"]);
    assert.equal(find("test_twice#01").failedAt?.line, "test_twice if 1 == 2");
    assert.equal(find("test_else").failedAt?.line, "\t2 == 3");
  });

  it("a rule that gives another value than true blames no expression of its body", () => {
    for (const name of ["test_false", "test_number", "test_set"]) assert.equal(find(name).failedAt, undefined, name);
  });

  it("an error has its code and the expression that it came from", () => {
    const { error, failedAt } = find("test_conflict");
    assert.equal(error?.code, "policy_conflict");
    assert.match(
      error?.message ?? "",
      /p\.rego:11: eval_conflict_error: complete rules must not produce multiple outputs/,
    );
    assert.match(failedAt?.line ?? "", /^test_conflict if p\.clash/);
  });

  it("cases are told one by one, and where the failed ones stopped", () => {
    assert.deepEqual(
      find("test_cases").cases.map(({ name, passed, failedAt }) => [name, passed, failedAt?.line]),
      [
        ["one", true, undefined],
        ["two", false, "\tfound == 1"],
      ],
    );
    const [group] = find("test_nested").cases;
    assert.equal(group?.passed, false);
    assert.deepEqual(
      group?.cases.map(({ name, passed }) => [name, passed]),
      [
        ["a", true],
        ["b", false],
      ],
    );
  });

  it("--run chooses by the full path", async () => {
    const paths = [folder];
    const chosen = await runTests({
      paths,
      dataFiles: [],
      regoVersion: "v1",
      timeoutMs: 30_000,
      filter: "_test\\.test_twice$",
    });
    assert.deepEqual(chosen.ok && chosen.results.map(({ name }) => name), ["test_twice"]);
  });

  it("data documents add to the folder's and conflict as in OPA", async () => {
    const file = join(folder, ".more.json");
    await writeFile(file, '{"roles": {"admin": []}}');
    const again = await runTests({ paths: [folder], dataFiles: [file], regoVersion: "v1", timeoutMs: 30_000 });
    assert.ok(!again.ok);
    assert.match(again.problems.join("\n"), /`roles\.admin` has a value already/);
  });
});

describe("what ends badly", () => {
  const inFolder = async (
    files: Readonly<Record<string, string>>,
    timeoutMs = 30_000,
    filter = "",
  ): Promise<TestRun> => {
    const folder = await mkdtemp(join(tmpdir(), "svidgate-test-"));
    try {
      for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
      return await runTests({ paths: [folder], dataFiles: [], regoVersion: "v1", timeoutMs, filter });
    } finally {
      await rm(folder, { recursive: true });
    }
  };

  it("a test that takes too long is an error, and the ones behind it run", async () => {
    const slow = `package p_test\n\nimport data.p\n\ntest_fine if true\n\ntest_slow if p.slow\n\ntest_behind if true\n`;
    const run = await inFolder({ "p.rego": POLICY, "p_test.rego": slow }, 400);
    assert.ok(run.ok);
    assert.deepEqual(
      run.results.map(({ name, outcome, error }) => [name, outcome, error?.code]),
      [
        ["test_fine", "pass", undefined],
        ["test_slow", "error", "timeout"],
        ["test_behind", "pass", undefined],
      ],
    );
    assert.match(run.results[1]?.error?.message ?? "", /not done after 400 ms: `--timeout` sets the time/);
  });

  it("a policy without tests has no results", async () => {
    assert.deepEqual(await inFolder({ "p.rego": POLICY }), { ok: true, results: [] });
    const todo = await inFolder({ "p_test.rego": "package p\n\ntodo_test_x if true\n" });
    assert.deepEqual(todo.ok && todo.results.map(({ outcome }) => outcome), ["todo"]);
  });

  it("a function named like a test is an error, as in OPA, and the others run", async () => {
    const run = await inFolder({ "p_test.rego": "package p\n\ntest_f(x) := x\n\ntest_a if test_f(true)\n" });
    assert.ok(run.ok);
    assert.deepEqual(
      run.results.map(({ name, outcome, error }) => [name, outcome, error?.message]),
      [
        ["test_f", "error", "`data.p.test_f` is a function and not a rule: call it from a test, under another name"],
        ["test_a", "pass", undefined],
      ],
    );
  });

  const refusals: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
    [
      "a syntax error, with its line and a caret",
      { "p_test.rego": "package p\n\ntest_a if }\n" },
      /p_test\.rego:3:11: rego_parse_error: .*\n {2}3 \| test_a if }\n.*\^/,
    ],
    ["a type error", { "p_test.rego": 'package p\n\ntest_a if 1 + "a" == 2\n' }, /rego_type_error/],
    [
      "a builtin that is not there",
      { "p_test.rego": "package p\n\ntest_a if http.send({}).x\n" },
      /undefined function http\.send/,
    ],
    ["no Rego", { "data.json": "{}" }, /no \.rego file/],
    ["data that is none", { "p.rego": POLICY, "data.json": "{" }, /data\.json: not JSON/],
  ];
  for (const [name, files, expected] of refusals) {
    it(`refuses: ${name}`, async () => {
      const run = await inFolder(files);
      assert.ok(!run.ok);
      assert.match(run.problems.join("\n"), expected);
    });
  }

  it("refuses: an expression that RE2 does not have", async () => {
    const run = await inFolder({ "p.rego": POLICY }, 1000, "(?=a)");
    assert.ok(!run.ok);
    assert.match(run.problems.join("\n"), /^--run: `\(\?=a\)` is no RE2 expression/);
    assert.equal(parseFilter("(").ok, false);
  });

  it("refuses: a path that is not there", async () => {
    const run = await runTests({ paths: ["/nowhere/p"], dataFiles: [], regoVersion: "v1", timeoutMs: 1000 });
    assert.deepEqual(run, { ok: false, problems: ["/nowhere/p: no such file or folder"] });
  });
});
