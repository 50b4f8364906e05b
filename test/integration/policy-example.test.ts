import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { packageRoot } from "../../src/base/package-root.ts";
import { compileFixtures } from "../support/rego.ts";

// The example is run as its reader would run it, so this needs the built package (`npm test` builds it).

let folder: string;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "svidgate-example-"));
  const rego = `package p\nq if data.users[input.user] == "admin"\nq := false if { input.deny; print("denied") }`;
  const { wasm } = await compileFixtures({ wasm: { rego, builtins: ["internal.print"] } });
  writeFileSync(join(folder, "policy.wasm"), wasm);
  writeFileSync(join(folder, "data.json"), '{"users":{"alice":"admin"}}');
});
after(() => rmSync(folder, { recursive: true, force: true }));

const run = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, ["examples/policy.mjs", ...args], { cwd: packageRoot(), encoding: "utf8" });

it("the example of `svidgate/policy` evaluates, prints the result set and exits 0, 1 or 70", () => {
  const wasm = join(folder, "policy.wasm");
  const data = join(folder, "data.json");
  for (const [args, status, stdout, stderr] of [
    [[wasm, '{"user":"alice"}', "p/q", data], 0, '[{"result":true}]\n', ""],
    [[wasm, '{"user":"bob"}'], 1, "[]\n", ""],
    [[wasm, '{"user":"bob","deny":1}'], 1, '[{"result":false}]\n', "denied\n"],
    [
      [wasm, '{"user":"alice","deny":1}', "p/q", data],
      70,
      "",
      /^denied\npolicy_conflict: p\.rego:3: eval_conflict_error: /,
    ],
    [[wasm, "{"], 70, "", /^policy_input_invalid: /],
    [[data], 70, "", /^policy_abi: /],
    [[], 2, "", /^usage: /],
  ] as const) {
    const result = run(...args);
    assert.equal(result.status, status, result.stderr);
    assert.equal(result.stdout, stdout);
    if (typeof stderr === "string") assert.equal(result.stderr, stderr);
    else assert.match(result.stderr, stderr);
  }
});
