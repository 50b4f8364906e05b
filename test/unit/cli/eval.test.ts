import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { runInProcess } from "../../support/run-cli.ts";

const evaluate = (...words: readonly string[]) => runInProcess("eval", ...words);

const lone = (value: unknown, text: string): unknown => ({
  result: [{ expressions: [{ value, text, location: { row: 1, col: 1 } }] }],
});

describe("svidgate eval", () => {
  let folder = "";
  const file = (name: string): string => join(folder, name);
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "svidgate-cli-eval-"));
    await writeFile(
      file("p.rego"),
      "package p\n\nallow if input.user in data.admins\n\nnames contains name if some name in data.admins\n",
    );
    await writeFile(file("data.yaml"), "admins: [bob, alice]\n");
    await writeFile(file("input.json"), '{"user": "alice", "big": 12345678901234567890.10}');
    await writeFile(file("input.yaml"), "user: alice\n");
    await writeFile(file("broken.json"), "{");
  });
  after(() => rm(folder, { recursive: true }));

  const answers: readonly (readonly [string, readonly string[], unknown])[] = [
    ["a value", ["1 + 1"], lone(2, "1 + 1")],
    ["a lone false comparison", ["1 > 2"], lone(false, "1 > 2")],
    ["undefined", ["data.nothing"], {}],
    ["a set, as a sorted list", ['{3, 1, 2, "a"}'], lone([1, 2, 3, "a"], '{3, 1, 2, "a"}')],
    ["a negated expression", ["not false"], lone(true, "not false")],
    [
      "variables of several results",
      ["x := [1, 2, 3][_]; x > 1"],
      {
        result: [2, 3].map((x) => ({
          expressions: [
            { value: true, text: "x := [1, 2, 3][_]", location: { row: 1, col: 1 } },
            { value: true, text: "x > 1", location: { row: 1, col: 20 } },
          ],
          bindings: { x },
        })),
      },
    ],
  ];
  for (const [name, words, expected] of answers) {
    it(`answers as OPA: ${name}`, async () => {
      const run = await evaluate(...words);
      assert.deepEqual({ code: run.code, err: run.err }, { code: 0, err: "" });
      assert.deepEqual(JSON.parse(run.out), expected);
    });
  }

  const places: readonly (readonly [string, (at: (name: string) => string) => readonly string[]])[] = [
    ["--policy and --data", (at) => ["--policy", at("p.rego"), "--data", at("data.yaml"), "--input", at("input.json")]],
    ["--data for both, as in OPA", (at) => ["--data", at("p.rego"), "--data", at("data.yaml"), "-i", at("input.yaml")]],
  ];
  for (const [name, words] of places) {
    it(`reads policies, data and input: ${name}`, async () => {
      const run = await evaluate(...words(file), "--format", "raw", "data.p.allow");
      assert.deepEqual(run, { code: 0, out: "true\n", err: "" });
    });
  }

  it("keeps every digit of a number", async () => {
    const run = await evaluate("--input", file("input.json"), "--format", "pretty", "input.big");
    assert.equal(run.out, "12345678901234567890.10\n");
  });

  const formats: readonly (readonly [string, string, string])[] = [
    ["pretty", '{"a": [1, {}], "b": "x:y,{z}"}', '{\n  "a": [\n    1,\n    {}\n  ],\n  "b": "x:y,{z}"\n}\n'],
    ["pretty", "x := [1, 2][_]", "x = 1\n\nx = 2\n"],
    ["pretty", "1 == 1; 2 > 1", "true\n"],
    ["pretty", "data.nothing", "undefined\n"],
    ["values", "1 + 1; 3", "[\n  2,\n  3\n]\n"],
    ["values", "data.nothing", ""],
    ["bindings", "x := 1; y := x + 1", '{\n  "x": 1,\n  "y": 2\n}\n'],
    ["raw", '"text"; {"a": 1}', 'text {"a":1}\n'],
    ["raw", "x := 1; x", "true 1\n"],
    ["raw", "null", "null\n"],
  ];
  for (const [format, query, expected] of formats) {
    it(`--format ${format}: ${query}`, async () => {
      const run = await evaluate("--format", format, query);
      const err = format === "pretty" ? "strict builtin errors: an error of a builtin ends the evaluation\n" : "";
      assert.deepEqual(run, { code: 0, out: expected, err });
    });
  }

  it("what is printed goes to standard error", async () => {
    const run = await evaluate("--format", "raw", 'print("x is", 1); true');
    assert.deepEqual(run, { code: 0, out: "true true\n", err: "x is 1\n" });
  });

  it("--fail and --fail-defined make exit codes of undefined and defined", async () => {
    const codes = async (...words: string[]): Promise<number> => (await evaluate(...words)).code;
    assert.equal(await codes("--fail", "data.nothing"), 1);
    assert.equal(await codes("--fail", "1 == 1"), 0);
    assert.equal(await codes("--fail-defined", "data.nothing"), 0);
    assert.equal(await codes("--fail-defined", "1 == 1"), 1);
  });

  it("a builtin's error is one, unless --no-strict-builtin-errors makes it undefined", async () => {
    const query = 'io.jwt.decode("nothing")';
    const lenient = await evaluate("--no-strict-builtin-errors", query);
    assert.deepEqual(lenient, { code: 0, out: "{}\n", err: "" });
    assert.match((await evaluate(query)).err, /^policy_builtin_error: io\.jwt\.decode: /, "the default");
    const both = await evaluate("--strict-builtin-errors", "--no-strict-builtin-errors", query);
    assert.match(both.err, /--strict-builtin-errors: give it or --no-strict-builtin-errors, not both/);
    const strict = await evaluate("--strict-builtin-errors", query);
    assert.equal(strict.code, 2);
    assert.match(strict.err, /^policy_builtin_error: io\.jwt\.decode: /);
  });

  const refusals: readonly (readonly [string, readonly string[], RegExp])[] = [
    ["no query", [], /nothing to evaluate/],
    ["two queries", ["1", "2"], /`2`: one word too many/],
    ["a syntax error, with a caret", ["f(1"], /^query:1:3: rego_parse_error: .*\n {2}1 \| f\(1\n/],
    ["a type error, with a caret", ['1 + "a"'], /query:1:1: rego_type_error/],
    ["a builtin that is not there", ["http.send({})"], /undefined function http\.send/],
    ["an unknown format", ["--format", "xml", "1"], /--format: `xml` is not valid/],
    ["both fails", ["--fail", "--fail-defined", "1"], /give it or --fail-defined/],
    ["an input that is not there", ["--input", "/nowhere/input.json", "1"], /\/nowhere\/input\.json: cannot be read/],
    ["two inputs", ["--input", "a", "-I", "1"], /--input: give it or --stdin-input/],
    ["a policy that is not there", ["--policy", "/nowhere", "1"], /\/nowhere: no such file/],
  ];
  for (const [name, words, expected] of refusals) {
    it(`exit 2: ${name}`, async () => {
      const run = await evaluate(...words);
      assert.equal(run.code, 2);
      assert.equal(run.out, "");
      assert.match(run.err, expected);
    });
  }

  it("exit 2: an input that is no document", async () => {
    const run = await evaluate("--input", file("broken.json"), "1");
    assert.equal(run.code, 2);
    assert.match(run.err, /broken\.json: not JSON/);
  });

  it("--stdin-input reads the input from standard input", () => {
    const main = fileURLToPath(new URL("../../../src/main.js", import.meta.url));
    const run = spawnSync(process.execPath, [main, "eval", "-I", "-f", "raw", "input.user"], {
      input: '{"user": "alice"}',
      encoding: "utf8",
    });
    assert.deepEqual([run.status, run.stdout, run.stderr], [0, "alice\n", ""]);
  });
});
