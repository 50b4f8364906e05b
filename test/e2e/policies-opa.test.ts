// svidgate test, eval and build beside the OPA CLI of the same version: the same tests with the same outcomes, the same
// answers to queries, capabilities and bundles that OPA takes.
// Needs `opa` 1.22.2, named by OPA or found on the PATH; skipped with the reason printed otherwise.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { packageRoot } from "../../src/base/package-root.ts";
import { readBundle } from "../../src/policy/bundle.ts";
import { runInProcess } from "../support/run-cli.ts";

const OPA = process.env["OPA"] ?? "opa";
const VERSION = "1.22.2";

function skipReason(): string | false {
  const run = spawnSync(OPA, ["version"], { encoding: "utf8" });
  if (run.error !== undefined) return `no OPA CLI: set OPA to a binary of version ${VERSION}`;
  return run.stdout.includes(`Version: ${VERSION}`) ? false : `\`${OPA}\` is not version ${VERSION}`;
}

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function opa(...words: string[]): Run {
  const run = spawnSync(OPA, words, { encoding: "utf8", cwd: packageRoot() });
  return { code: run.status, out: run.stdout, err: run.stderr };
}

const svidgate = runInProcess;

interface SubResults {
  readonly [name: string]: { readonly fail?: boolean; readonly sub_results?: SubResults };
}

interface JsonResult {
  readonly location: { readonly file: string; readonly row: number; readonly col: number };
  readonly package: string;
  readonly name: string;
  readonly fail?: boolean;
  readonly skip?: boolean;
  readonly error?: unknown;
  readonly output?: string;
  readonly sub_results?: SubResults;
}

const subResults = (results: SubResults = {}): unknown =>
  Object.entries(results)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { fail, sub_results }]) => [name, fail === true, subResults(sub_results)]);

/** What both say of a test; the words of errors and times are their own. */
const comparable = (json: string): unknown[] =>
  (JSON.parse(json) as JsonResult[])
    .map(({ location, package: of, name, fail, skip, error, output, sub_results }) => ({
      at: `${location.file}:${location.row}:${location.col}`,
      test: `${of}.${name}`,
      fail: fail === true,
      skip: skip === true,
      error: error !== undefined,
      output: Buffer.from(output ?? "", "base64").toString(),
      cases: subResults(sub_results),
    }))
    .sort((a, b) => (`${a.at}${a.test}` < `${b.at}${b.test}` ? -1 : 1));

const FIXTURE: Readonly<Record<string, string>> = {
  "p.rego": `package p

import data.roles

default allow := false

allow if input.user in roles.admin

clash := 1 if input.a

clash := 2 if input.b

f(x) := x + 1

now := time.now_ns()
`,
  "data.json": '{"roles": {"admin": ["alice"]}}',
  "nested/data.yaml": "table: {a: 1}\n",
  "p_test.rego": `package p_test

import data.p

test_pass if p.allow with input.user as "alice"

test_mocked_data if p.allow with input.user as "bob" with data.roles.admin as ["bob"]

test_mocked_rule if p.allow with p.allow as true

test_mocked_function if p.f(1) == 7 with p.f as seven

test_mocked_builtin if p.now == 7 with time.now_ns as 7

seven(_) := 7

test_nested_data if data.nested.table.a == 1

test_false := p.allow

test_undefined if p.nothing

test_twice if true

test_twice if false

test_twice if 1 == 1

test_set contains 1

test_object := {"a": true}

test_text := "true"

test_printing if {
	print("one", {1, 2}, p.nothing)
	some x in [1, 2]
	print("x", x)
	x == 3
}

test_conflict if p.clash with input as {"a": true, "b": true}

todo_test_later if true

todo_test_twice if true

todo_test_twice if false

test_cases[case.name] if {
	some case in [{"name": "one", "is": 1}, {"name": "two", "is": 2}, {"name": "three", "is": 1}]
	found := case.is
	found == 1
}

test_cases_by_key[name] if {
	some name, is in {"a": 1, "b": 2}
	is == 1
}

test_case_of_a_constant["only"] if 1 == 2

test_case_made_in_the_head[sprintf("case %d", [i])] if {
	some i in [1, 2]
	i == 1
}

test_nested[group][name] if {
	some group, members in {"g": {"a": 1, "b": 2}, "h": {"c": 1}}
	some name, value in members
	value == 1
}

test_numbered[i] if {
	some i, value in [1, 2]
	value == 1
}

test_cases_twice[name] if {
	some name in ["a"]
}

test_cases_twice[name] if {
	some name in ["b"]
	name == "c"
}

test_value_of_a_case[name] := value if some name, value in {"a": true, "b": false, "c": 1}

deep.test_inner if true

deep.test_inner_cases[name] if {
	some name in ["x", "y"]
	name == "x"
}

test_else if {
	false
} else := true

test_every if {
	every x in [1, 2] { x > 0 }
}

test_not if not p.allow with input as {}

test_comprehension if count([x | some x in [1, 2, 3]; x > 1]) == 2

test_unification if [1, x] = [1, 2]

test_function(x) := x

default test_default := false

test_default if true

test_ref.a if true

test_ref.b if true

test_group[name].deep if {
	some name in ["a", "b"]
	name == "a"
}

quoted["test_quoted name"] if true

put_off["todo_test_quoted"] if true

test_object[k] := v if some k, v in {"a": true, "b": {"c": true, "d": false}}

test_with_in_a_case[name] if {
	some name in ["a", "b"]
	given == name with input.given as name
}

given := input.given

test_case_by_hand if {
	internal.test_case(["by hand"])
	1 == 2
}

no_test if false
`,
};

describe("beside the OPA CLI", { skip: skipReason() }, () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "svidgate-opa-"));
  });
  after(() => rmSync(folder, { recursive: true }));
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };

  const shipped = readdirSync(join(packageRoot(), "policies"), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  for (const { name } of shipped) {
    it(`policies/${name}: the same tests pass`, async () => {
      const paths = name === "lib" ? ["policies/lib"] : ["policies/lib", `policies/${name}`];
      const theirs = opa("test", "--format", "json", ...paths);
      const ours = await svidgate("test", "--format", "json", ...paths.map((path) => join(packageRoot(), path)));
      assert.deepEqual([theirs.code, ours.code], [0, 0], theirs.err + ours.err);
      const relative = ours.out.replaceAll(`${packageRoot()}/`, "");
      assert.deepEqual(comparable(relative), comparable(theirs.out));
      assert.ok(comparable(theirs.out).length > 5);
    });
  }

  it("a folder of tests of every kind has the same outcomes, cases and output", async () => {
    const place = mkdtempSync(join(folder, "fixture-"));
    mkdirSync(join(place, "nested"));
    for (const [name, text] of Object.entries(FIXTURE)) writeFileSync(join(place, name), text);
    const theirs = opa("test", "--format", "json", place);
    const ours = await svidgate("test", "--format", "json", place);
    assert.deepEqual([theirs.code, ours.code], [2, 1], theirs.err + ours.err);
    assert.deepEqual(comparable(ours.out), comparable(theirs.out));
  });

  it("a folder without tests is exit 0 for both, and 1 when that is asked for", async () => {
    const path = file("empty.rego", "package p\n\nallow := true\n");
    assert.deepEqual([opa("test", path).code, (await svidgate("test", path)).code], [0, 0]);
    const asked = ["test", path, "--fail-on-empty"];
    assert.deepEqual([opa(...asked).code, (await svidgate(...asked)).code], [1, 1]);
  });

  const queries = [
    "1 + 1",
    "1 > 2",
    "1 == 2",
    "data.nothing",
    "not data.nothing",
    "x := 1",
    "x = 1; y = x + 1",
    "[a, b] = [1, 2]",
    "x := [1, 2, 3][i]; x > 1",
    "data.services[service][0].path",
    'some x in ["a", "b"]; startswith(x, "b")',
    '{"a": {1, 2}, "b": [null, true, 1.50]}',
    '{x | some x in ["b", "a"]}',
    "count([1, 2]); false",
    'every x in [1] { x > 0 }; y := "done"',
    'sprintf("%d %v", [1, {"a": [1]}])',
    "input",
    "input.user",
    "data.envoy.authz.allow",
    'data.envoy.authz.allow with input.source_principal as "x"',
    "walk({1: {2: 3}}, [p, v])",
    'regex.match("^a", "abc")',
    '1; "two"; [3]',
    "_ = 1",
  ];
  for (const query of queries) {
    it(`eval: ${query}`, async () => {
      const policy = ["policies/service-allow-list/policy.rego", "policies/service-allow-list/data.json"];
      const input = file("input.json", '{"user": "alice", "n": 1.10}');
      const theirs = opa("eval", ...policy.flatMap((path) => ["--data", path]), "--input", input, query);
      const paths = policy.map((path) => join(packageRoot(), path)).flatMap((path) => ["--data", path]);
      const ours = await svidgate("eval", ...paths, "--input", input, query);
      assert.deepEqual([ours.code, theirs.code], [0, 0], ours.err + theirs.err);
      const results = (json: string): unknown =>
        ((JSON.parse(json) as { result?: unknown[] }).result ?? []).map((result) => JSON.stringify(result)).sort();
      assert.deepEqual(results(ours.out), results(theirs.out));
    });
  }

  it("capabilities.json takes what is shipped, tests included", () => {
    for (const { name } of shipped) {
      const paths = name === "lib" ? ["policies/lib"] : ["policies/lib", `policies/${name}`];
      const check = opa("check", "--strict", "--capabilities", "capabilities.json", ...paths);
      assert.deepEqual([check.code, check.err], [0, ""], check.err);
    }
    const tested = opa("test", "--capabilities", "capabilities.json", "policies/lib", "policies/jwt-rules");
    assert.equal(tested.code, 0, tested.out + tested.err);
  });

  const missing = (call: string): string => {
    const path = file("refused.rego", `package envoy.authz\n\nallow if ${call}\n`);
    const theirs = opa("check", "--capabilities", "capabilities.json", path);
    assert.equal(theirs.code, 1);
    assert.match(theirs.err, /undefined function/);
    return path;
  };
  it("capabilities.json refuses opa.nothing(), as svidgate build does", async () => {
    const ours = await svidgate("build", "--check", "--policy", missing("opa.nothing()"));
    assert.equal(ours.code, 2);
    assert.match(ours.err, /undefined function/);
  });
  for (const [call, key] of [
    ["http.send({})", "svidgate.policy.http_send.allowed_hosts"],
    ['net.lookup_ip_addr("a")', "svidgate.policy.net_lookup.allowed_hosts"],
  ] as const) {
    it(`capabilities.json refuses ${call}, of which svidgate build warns, and which svidgate eval refuses`, async () => {
      const path = missing(call);
      const built = await svidgate("build", "--check", "--policy", path);
      assert.equal(built.code, 0, built.err);
      assert.ok(built.err.includes(key), built.err);
      const ours = await svidgate("eval", "--data", path, "data.envoy.authz.allow");
      assert.equal(ours.code, 2);
      assert.match(ours.err, /undefined function/);
      assert.ok(ours.err.includes(key), ours.err);
    });
  }

  it("docs/input.schema.json is a schema for opa check, with the same error as ours", async () => {
    const path = file(
      "misspelt.rego",
      'package envoy.authz\n\nallow if input.attributes.request.http.metod == "GET"\n',
    );
    const theirs = opa("check", "--schema", "docs/input.schema.json", path);
    const ours = await svidgate("build", "--check", "--strict", "--policy", path);
    const sentence = /rego_type_error: undefined ref: input\.attributes\.request\.http\.metod/;
    assert.match(theirs.err, sentence);
    assert.match(ours.err, sentence);
    const want = /want \(one of\): \[.*\]/;
    assert.equal(want.exec(ours.err)?.[0], want.exec(theirs.err)?.[0]);
  });

  it("build --portable writes the module of opa build, byte for byte; without it the module has guards", async () => {
    const source = join(packageRoot(), "policies/service-allow-list/policy.rego");
    const words = ["build", "--policy", source, "--entrypoint", "envoy/authz/allow"];
    const [portable, guarded, theirs] = ["portable", "guarded", "theirs"].map((name) => join(folder, `${name}.tar.gz`));
    assert.ok(portable !== undefined && guarded !== undefined && theirs !== undefined);
    assert.equal((await svidgate(...words, "--portable", "--output", portable)).code, 0);
    assert.equal((await svidgate(...words, "--output", guarded)).code, 0);
    const built = opa("build", "--target", "wasm", "--entrypoint", "envoy/authz/allow", "--output", theirs, source);
    assert.equal(built.code, 0, built.err);
    const moduleOf = async (path: string): Promise<Buffer> => {
      const bundle = await readBundle(readFileSync(path));
      assert.ok(bundle.ok && bundle.value.wasm !== undefined);
      return Buffer.from(bundle.value.wasm);
    };
    const expected = await moduleOf(theirs);
    const ours = await moduleOf(portable);
    assert.ok(ours.equals(expected), `${ours.length} bytes, ${expected.length} of opa build`);
    assert.ok(!(await moduleOf(guarded)).equals(expected));
  });

  it("build --target rego writes a bundle that stock OPA runs; one with a module it refuses", async () => {
    const words = ["build", "--policy", join(packageRoot(), "policies/service-allow-list"), "--revision", "7"];
    const sources = join(folder, "sources.tar.gz");
    const module = join(folder, "module.tar.gz");
    assert.equal((await svidgate(...words, "--target", "rego", "--output", sources)).code, 0);
    assert.equal((await svidgate(...words, "--output", module)).code, 0);
    const input = file(
      "asked.json",
      JSON.stringify({
        source_principal: "spiffe://example.org/ns/shop/sa/web",
        parsed_path: ["orders", "7"],
        attributes: {
          destination: { principal: "spiffe://example.org/ns/shop/sa/orders" },
          request: { http: { method: "GET" } },
        },
      }),
    );
    const query = "data.envoy.authz.allow";
    const answer = opa("eval", "--bundle", sources, "--input", input, "--format", "raw", query);
    assert.deepEqual([answer.code, answer.out], [0, "true\n"], answer.err);
    const inspected = JSON.parse(opa("inspect", "--format", "json", sources).out);
    assert.deepEqual([inspected.manifest.revision, inspected.manifest.rego_version], ["7", 1]);
    const refused = opa("eval", "--bundle", module, "--input", input, query);
    assert.notEqual(refused.code, 0);
  });
});
