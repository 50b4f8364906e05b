import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { runInProcess } from "../../support/run-cli.ts";

const svidgate = runInProcess;

const POLICY = `package p

default allow := false

allow if {
	input.user == "alice"
	input.method in {"GET", "HEAD"}
}

allow if {
	input.user == "root"
	input.tty == true
}

level(n) := "high" if {
	n > 10
} else := "low"

small if {
	every x in input.list {
		x < 10
		x != 7
	}
}

squares contains y if {
	some x in input.list
	y := x * x
	y > 4
}
`;

const TESTS = `package p_test

import data.p

test_alice if p.allow with input as {"user": "alice", "method": "GET"}

test_bob if not p.allow with input as {"user": "bob"}

test_low if p.level(1) == "low"

test_small if not p.small with input as {"list": [11]}
`;

interface Report {
  readonly files: Readonly<Record<string, FileReport>>;
  readonly coverage: number;
}
interface FileReport {
  readonly covered?: readonly Range[];
  readonly not_covered?: readonly Range[];
  readonly coverage?: number;
}
interface Range {
  readonly start: { readonly row: number; readonly col: number };
}

describe("svidgate test --coverage", () => {
  let folder = "";
  const file = (name: string): string => join(folder, name);
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "svidgate-cli-coverage-"));
    await writeFile(file("p.rego"), POLICY);
    await writeFile(file("p_test.rego"), TESTS);
    await writeFile(file("empty.rego"), "package empty\n");
  });
  after(() => rm(folder, { recursive: true }));

  const json = async (...words: readonly string[]): Promise<Report> => {
    const run = await svidgate("test", "--coverage", "--format", "json", ...words, folder);
    assert.equal(run.err, "");
    assert.equal(run.code, 0);
    return JSON.parse(run.out) as Report;
  };
  const rows = (ranges: readonly Range[] = []): string => [...new Set(ranges.map(({ start }) => start.row))].join(" ");

  it("shows each file's percentage and the lines that no test comes to", async () => {
    const run = await svidgate("test", "-c", folder);
    assert.equal(run.code, 0);
    const missing = "not covered: 10, 12, 15, 19, 26, 28-29";
    assert.equal(
      run.out,
      `PASS: 4/4\ncoverage:\n  61.1%  ${file("p.rego")}: ${missing}\n 100.0%  ${file("p_test.rego")}\n  68.1%  of 22 lines\n`,
    );
  });

  it("counts expressions that began and rules that had a value, as JSON of OPA's shape", async () => {
    const { files, coverage } = await json();
    assert.deepEqual(Object.keys(files), [file("empty.rego"), file("p.rego"), file("p_test.rego")]);
    const policy = files[file("p.rego")];
    assert.equal(rows(policy?.covered), "3 5 6 7 11 16 17 20 21");
    assert.equal(rows(policy?.not_covered), "10 12 15 19 26 28 29");
    assert.deepEqual(files[file("empty.rego")], {});
    assert.ok(coverage > 50 && coverage < 100);
  });

  it("of the tests that --run names alone", async () => {
    const { files } = await json("--run", "test_low");
    assert.equal(rows(files[file("p.rego")]?.covered), "16 17");
    assert.equal(rows(files[file("p_test.rego")]?.covered), "9");
  });

  it("says with --threshold by how much it was missed, exit 1, and nothing when it was met", async () => {
    const missed = await svidgate("test", "--threshold", "99.5", folder);
    assert.equal(missed.code, 1);
    assert.match(missed.out, /^PASS: 4\/4\ncoverage:\n/);
    assert.match(missed.err, /^svidgate: the tests cover \d\d\.\d\d% of the lines, and --threshold asks for 99\.5%$/m);
    const met = await svidgate("test", "--threshold", "50", folder);
    assert.equal(met.code, 0);
    assert.doesNotMatch(met.err, /threshold/);
    const exact = await svidgate("test", "--threshold", "100", "--run", "none", file("empty.rego"));
    assert.equal(exact.code, 1, "no lines are not all lines");
  });

  it("keeps JUnit's and JSON's standard output what they are", async () => {
    const junit = await svidgate("test", "--coverage", "--format", "junit", folder);
    assert.match(junit.out, /^<\?xml [\s\S]*<\/testsuites>\n$/);
    assert.match(junit.err, /^coverage:\n/);
    await writeFile(file("bad_test.rego"), "package bad_test\n\ntest_bad if 1 == 2\n");
    try {
      const failed = await svidgate("test", "--coverage", "--format", "json", folder);
      assert.equal(failed.code, 1);
      assert.match(failed.err, /data\.bad_test\.test_bad: FAIL/);
      assert.ok(Object.keys((JSON.parse(failed.out) as Report).files).length === 4);
    } finally {
      await rm(file("bad_test.rego"));
    }
  });

  it("counts nothing of a test that ran out of time, and all of the next one", async () => {
    const slow =
      "package slow_test\n\ntest_slow if {\n\tmany := numbers.range(1, 1000)\n\tsome a in many\n\tsome b in many\n\tsome c in many\n\ta + b + c == -1\n}\n\ntest_quick if 1 == 1\n";
    await writeFile(file("slow_test.rego"), slow);
    try {
      const run = await svidgate("test", "--coverage", "--timeout", "200ms", file("slow_test.rego"));
      assert.equal(run.code, 1);
      assert.match(run.out, /test_slow: ERROR[\s\S]*timeout: not done after 200 ms/);
      assert.match(run.out, /slow_test\.rego: not covered: 3-4, 8\n/);
    } finally {
      await rm(file("slow_test.rego"));
    }
  });

  const usage: readonly (readonly [string, string])[] = [
    ["101", "more than everything"],
    ["-1", "less than nothing"],
    ["many", "a word"],
    ["1e2", "an exponent"],
  ];
  for (const [value, name] of usage) {
    it(`exit 2: a threshold of ${name}`, async () => {
      const run = await svidgate("test", `--threshold=${value}`, folder);
      assert.equal(run.code, 2);
      assert.match(run.err, /--threshold: `.*` is not valid: expected a percentage from 0 to 100/);
    });
  }
});
