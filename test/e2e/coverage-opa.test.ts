// `svidgate test --coverage` beside `opa test --coverage` of the same version, range by range, on the shipped policies and on files
// that have every kind of rule and expression. One deviation: OPA's interpreter passes over rules that its index excludes and
// says so (`kinds`); the module has no index and evaluates them, so they are covered here.
// Needs `opa` 1.22.2, named by OPA or found on the PATH; skipped with the reason printed otherwise.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { packageRoot } from "../../src/base/package-root.ts";
import { OPA, whyNoOpa } from "../support/opa-cli.ts";
import { runInProcess } from "../support/run-cli.ts";

interface Place {
  readonly row: number;
  readonly col: number;
}
interface Range {
  readonly start: Place;
  readonly end: Place;
  readonly kinds?: readonly string[];
}
interface FileReport {
  readonly covered?: readonly Range[];
  readonly not_covered?: readonly Range[];
  readonly covered_lines?: number;
  readonly not_covered_lines?: number;
  readonly coverage?: number;
}
interface Report extends FileReport {
  readonly files: Readonly<Record<string, FileReport>>;
}

const EXPRESSIONS = `package p

import data.roles

default allow := false

default level(_) := 0

allow if {
	input.user == "alice"
	input.method == "GET"
}

allow if input.user == "root"

allow if {
	input.user == "eve"
	print("never")
	input.a.b.c == 1
}

deny contains msg if {
	some i, x in input.list
	x > 3
	msg := sprintf("%d: %d", [i, x])
}

deny contains "never" if {
	input.never
	count(input.list) > 100
}

kind := "a" if {
	input.kind == 1
} else := "b" if {
	input.kind == 2
	true
} else := "c" if {
	input.kind == 3
} else := "d"

all_small if {
	every x in input.list {
		x < 10
		x != 7
	}
}

level(n) := 1 if n > 1

level(n) := 2 if {
	n == 1
	f(g(n)) == 3
}

f(x) := y if {
	y := x + 1
}

g(x) := x + 1

squares := [y |
	some x in input.list
	y := x * x
	y > 4
]

table := {k: v |
	some k, v in input.table
	v == "x"
}

set := {x | x := input.list[_]; x > 100}

obj := {
	"a": 1,
	"b": [x | some x in [1, 2]],
}

multi if count([
	1,
	2,
	input.nope,
]) == 3

has_not if {
	not input.blocked
	not all_small
}

by_name[name] := role if some name, role in roles

x.y.z := 1

unused := 7

with_in if {
	allow with input.user as "root"
	level(1) == 2 with input as {}
}

nested := [[y | some y in row; y > 1] | some row in input.rows]

umlaut := "\u00fc" if input["\u00fc"] == "\u00fc"

text := $"{input.a} and {count(input.list)}"
`;

const EXPRESSION_TESTS = `package p_test

import data.p

test_allow if p.allow with input as {"user": "alice", "method": "GET"}

test_not_allowed if not p.allow with input as {"user": "alice", "method": "PUT"}

test_deny if count(p.deny) == 1 with input as {"list": [1, 2, 5]}

test_kind if {
	p.kind == "a" with input as {"kind": 1}
	p.kind == "c" with input as {"kind": 3}
}

test_every if not p.all_small with input as {"list": [1, 11]}

test_level if {
	p.level(1) == 2
	p.level(0) == 0
}

test_squares if p.squares == [9] with input as {"list": [1, 3]}

test_table if p.table == {"a": "x"} with input as {"table": {"a": "x", "b": "y"}}

test_set if p.set == set() with input as {"list": []}

test_obj if p.obj.a == 1

test_multi if not p.multi with input as {}

test_has_not if p.has_not with input as {"list": [1, 20]}

test_by_name if p.by_name == {"a": 1} with data.roles as {"a": 1}

test_xyz if p.x.y.z == 1

test_with if p.with_in with input as {}

test_nested if p.nested == [[2], []] with input as {"rows": [[1, 2], [0]]}

test_cases[name] if {
	some name, c in {"one": [1, "a"], "three": [3, "c"]}
	p.kind == c[1] with input as {"kind": c[0]}
}

todo_test_later if false
`;

const OLD = `package q

default allow = false

allow {
	input.user == "alice"
	startswith(input.path, "/a")
}

allow {
	roles[_] == "admin"
}

roles[r] {
	r := input.roles[_]
}

deny[msg] {
	not allow
	msg := "no"
}

f(x) = y {
	y := x * 2
} else = 0 {
	true
}

names = {n | n := input.users[_].name}

chained { input.c == 1 } { input.c == 2 }
`;

const OLD_TESTS = `package q

test_allow { allow with input as {"user": "alice", "path": "/a/b"} }

test_admin { allow with input as {"roles": ["x", "admin"]} }

test_f { f(2) == 4 }

test_names { names == {"a"} with input as {"users": [{"name": "a"}]} }

test_chained { chained with input.c as 2 }
`;

const SOURCES: Readonly<Record<string, string>> = {
  "expressions/p.rego": EXPRESSIONS,
  "expressions/p_test.rego": EXPRESSION_TESTS,
  "expressions/empty.rego": "package empty\n",
  "crlf/p.rego": "package p\r\n\r\nallow if {\r\n\tinput.a == 1\r\n\tinput.b == 2\r\n}\r\n",
  "crlf/p_test.rego": "package p_test\r\n\r\ntest_a if not data.p.allow with input as {}\r\n",
  "old/q.rego": OLD,
  "old/q_test.rego": OLD_TESTS,
};

const names = (ranges: readonly Range[] = []): readonly string[] =>
  ranges.map(({ start, end }) => `${start.row}:${start.col}-${end.row}:${end.col}`);

const contains = (outer: Range, inner: Range): boolean =>
  (outer.start.row < inner.start.row || (outer.start.row === inner.start.row && outer.start.col <= inner.start.col)) &&
  (outer.end.row > inner.end.row || (outer.end.row === inner.end.row && outer.end.col >= inner.end.col));

/** Fails unless ours is OPA's, but for ranges that OPA says its index excluded, or that lie within one which it did not reach. */
function assertSame(file: string, opa: FileReport, ours: FileReport): void {
  const excluded = (opa.not_covered ?? []).filter(({ kinds }) => kinds?.includes("index_excluded"));
  const indexed = new Set(names(excluded));
  const opaCovered = new Set(names(opa.covered));
  const more = (ours.covered ?? []).filter((range) => !opaCovered.has(names([range])[0] ?? ""));
  assert.deepEqual(
    names(more.filter((range) => !(opa.not_covered ?? []).some((outer) => contains(outer, range)))),
    [],
    `${file}: covered here, and not known to OPA as uncovered`,
  );
  const ourCovered = new Set(names(ours.covered));
  assert.deepEqual(
    names(opa.covered).filter((range) => !ourCovered.has(range)),
    [],
    `${file}: covered by OPA alone`,
  );
  const ourMissing = new Set(names(ours.not_covered));
  assert.deepEqual(
    names(opa.not_covered).filter((range) => !ourMissing.has(range) && !indexed.has(range)),
    [],
    `${file}: uncovered by OPA alone`,
  );
  const opaMissing = new Set(names(opa.not_covered));
  assert.deepEqual(
    names(ours.not_covered).filter((range) => !opaMissing.has(range)),
    [],
    `${file}: uncovered here alone`,
  );
  if (more.length > 0) return;
  const figures = ({ covered_lines, not_covered_lines, coverage }: FileReport): unknown => [
    covered_lines,
    not_covered_lines,
    coverage,
  ];
  assert.deepEqual(figures(ours), figures(opa), `${file}: lines`);
}

describe("coverage as the OPA CLI reports it", { skip: whyNoOpa() }, () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "svidgate-coverage-opa-"));
    for (const [name, text] of Object.entries(SOURCES)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
  });
  after(() => rmSync(folder, { recursive: true }));

  const compare = async (paths: readonly string[], old: boolean, run?: string): Promise<void> => {
    const filter = run === undefined ? [] : ["--run", run];
    const flags = ["--coverage", "--format=json", ...filter, ...paths];
    const other = spawnSync(OPA, ["test", "-z", ...(old ? ["--v0-compatible"] : []), ...flags], { encoding: "utf8" });
    assert.equal(other.status, 0, other.stdout + other.stderr);
    const ours = await runInProcess("test", ...(old ? ["--rego-version", "v0"] : []), ...flags);
    assert.equal(ours.code, 0, ours.err);
    const [wanted, got] = [JSON.parse(other.stdout) as Report, JSON.parse(ours.out) as Report];
    assert.deepEqual(Object.keys(got.files).sort(), Object.keys(wanted.files).sort());
    for (const [file, report] of Object.entries(wanted.files)) assertSame(file, report, got.files[file] ?? {});
  };

  for (const name of ["expressions", "crlf"]) it(`of ${name}`, () => compare([join(folder, name)], false));

  it("of Rego v0", () => compare([join(folder, "old")], true));

  it("of the tests that --run names", async () => {
    for (const run of ["test_kind", "test_level$", "test_cases", "nothing"])
      await compare([join(folder, "expressions")], false, run);
  });

  const policies = readdirSync(join(packageRoot(), "policies"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  for (const name of policies) {
    it(`of policies/${name}`, async () => {
      const paths = name === "lib" ? [name] : [name, "lib"];
      await compare(
        paths.map((path) => join(packageRoot(), "policies", path)),
        false,
      );
    });
  }
});
