import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { CliPorts } from "../../../src/cli/command.ts";
import { runCli } from "../../../src/cli/index.ts";
import { runInProcess } from "../../support/run-cli.ts";

const svidgate = runInProcess;

const POLICY = "package p\n\ndefault allow := false\n\nallow if input.user in data.admins\n";
const GOOD =
  'package p_test\n\nimport data.p\n\ntest_a if p.allow with input.user as "alice"\n\ntest_b if {\n\tprint("hello")\n\ttrue\n}\n';

/** Where the mode is told: not among the results. */
const STRICT = "strict builtin errors: an error of a builtin ends the evaluation\n";

describe("svidgate test", () => {
  let folder = "";
  const file = (name: string): string => join(folder, name);
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "svidgate-cli-test-"));
    await writeFile(file("p.rego"), POLICY);
    await writeFile(file("good_test.rego"), GOOD);
    await writeFile(file("bad_test.rego"), "package p_test\n\ntest_bad if 1 == 2\n\ntodo_test_x if true\n");
    await writeFile(file("admins.json"), '{"admins": ["alice"]}');
  });
  after(() => rm(folder, { recursive: true }));

  it("exits 0 when all pass and says no more than that", async () => {
    const run = await svidgate("test", file("p.rego"), file("good_test.rego"), "--data", file("admins.json"));
    assert.deepEqual(run, { code: 0, out: "PASS: 2/2\n", err: STRICT });
  });

  it("-v shows tests that pass and what they print", async () => {
    const run = await svidgate("test", "-v", file("p.rego"), file("good_test.rego"), "--data", file("admins.json"));
    assert.equal(run.code, 0);
    assert.match(run.out, /good_test\.rego:7:\ndata\.p_test\.test_b: PASS \(.*ms\)\n\n {2}hello\n/);
  });

  it("exits 1 when one fails, names file and line; a todo is no failure", async () => {
    const run = await svidgate("test", folder);
    assert.equal(run.code, 1);
    assert.match(run.out, /bad_test\.rego:3:\ndata\.p_test\.test_bad: FAIL/);
    assert.match(run.out, /PASS: 2\/4\nFAIL: 1\/4\nTODO: 1\/4\n$/);
    const todo = await svidgate("test", folder, "--run", "todo_test|test_a");
    assert.equal(todo.code, 0);
  });

  for (const format of ["json", "junit"]) {
    it(`--format ${format} writes one document, and the exit code is the same`, async () => {
      const run = await svidgate("test", folder, "--format", format);
      assert.equal(run.code, 1);
      assert.equal(run.err, "");
      if (format === "json") assert.equal(JSON.parse(run.out).length, 4);
      else assert.match(run.out, /^<\?xml .*\n<testsuites tests="4" failures="1" errors="0" skipped="1"/);
    });
  }

  it("no tests: exit 0 with a sentence as OPA does, 1 with --fail-on-empty", async () => {
    const none = await svidgate("test", file("p.rego"));
    assert.deepEqual(none, { code: 0, out: "", err: `${STRICT}no tests were run\n` });
    assert.equal((await svidgate("test", file("p.rego"), "--fail-on-empty")).code, 1);
    assert.equal((await svidgate("test", folder, "-r", "nothing_is_called_so", "--fail-on-empty")).code, 1);
    assert.equal((await svidgate("test", file("p.rego"), "--format", "json")).out, "[]\n");
  });

  it("a compile error is exit 2 with line and caret", async () => {
    await writeFile(file("wrong.rego"), "package wrong\n\nallow if inptu.user\n");
    try {
      const run = await svidgate("test", file("wrong.rego"));
      assert.equal(run.code, 2);
      assert.match(
        run.err,
        /wrong\.rego:3:10: rego_unsafe_var_error: var inptu is unsafe\n {2}3 \| allow if inptu\.user\n {4}\| {10}\^/,
      );
    } finally {
      await rm(file("wrong.rego"));
    }
  });

  const usage: readonly (readonly [string, readonly string[], RegExp])[] = [
    ["no path", [], /nothing to test/],
    ["an unknown format", ["--format", "xml", "p"], /--format: `xml` is not valid: expected pretty, json, junit/],
    ["a timeout without a unit", ["--timeout", "5", "p"], /--timeout: /],
    ["an expression that is none", ["--run", "(", "."], /--run: `\(` is no RE2 expression/],
    ["a flag of another command", ["--listen", ":1", "p"], /--listen: unknown flag/],
    ["a short flag that nobody has", ["-x", "p"], /-x: unknown flag/],
    ["one flag twice, short and long", ["-v", "--verbose", "p"], /--verbose: given twice/],
  ];
  for (const [name, words, expected] of usage) {
    it(`exit 2: ${name}`, async () => {
      const run = await svidgate("test", ...words);
      assert.equal(run.code, 2);
      assert.match(run.err, expected);
    });
  }

  it("--watch runs again after a change, survives a syntax error, and ends with the last run's code", async () => {
    const watched = await mkdtemp(join(tmpdir(), "svidgate-cli-watch-"));
    try {
      const path = join(watched, "p_test.rego");
      await writeFile(path, "package p\n\ntest_a if true\n");
      const states = ["package p\n\ntest_a if }\n", "package p\n\ntest_a if false\n"];
      let out = "";
      let err = "";
      let stop: (() => void) | undefined;
      const ports: CliPorts = {
        env: {},
        out: (text) => {
          out += text;
        },
        err: (text) => {
          err += text;
          if (!text.startsWith("watching")) return;
          const next = states.shift();
          void (next === undefined ? turn().then(() => stop?.()) : writeFile(path, next));
        },
        onSignal: (signal, handler) => {
          if (signal === "SIGINT") stop = handler;
        },
      };
      assert.equal(await runCli(["test", "--watch", watched], ports), 1);
      assert.match(out, /^PASS: 1\/1\n(?:.*\n)*data\.p\.test_a: FAIL/);
      assert.match(
        err,
        /^strict builtin errors: .*\nwatching for changes.*\n.*rego_parse_error(?:.*\n)*watching for changes.*\nwatching for changes/,
      );
    } finally {
      await rm(watched, { recursive: true });
    }
  });
});
