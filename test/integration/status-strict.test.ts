// What `/status` says of strict errors: all of them are heard of, those of the host alone, or none.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { runInProcess } from "../support/run-cli.ts";
import { startServing } from "../support/serve-process.ts";

const folder = mkdtempSync(join(tmpdir(), "svidgate-strict-status-"));
const file = (name: string): string => join(folder, name);
const configOf = (key: string, value: unknown): string => {
  writeFileSync(file(`${key}.json`), JSON.stringify(value));
  return file(`${key}.json`);
};
before(async () => {
  writeFileSync(file("policy.rego"), "package envoy.authz\n\nallow if to_number(input.n) > 1\n");
  for (const [words, name] of [
    [[], "guarded.tar.gz"],
    [["--portable"], "portable.tar.gz"],
  ] as const) {
    const built = await runInProcess("build", "--policy", file("policy.rego"), ...words, "--output", file(name));
    assert.equal(built.code, 0, built.err);
  }
});
after(() => rmSync(folder, { recursive: true }));

const rows: readonly (readonly [policy: string, config: unknown, said: string])[] = [
  ["policy.rego", {}, "all"],
  ["guarded.tar.gz", {}, "all"],
  ["portable.tar.gz", {}, "host"],
  ["policy.rego", { svidgate: { policy: { strict_builtin_errors: false } } }, "off"],
  ["guarded.tar.gz", { svidgate: { policy: { strict_builtin_errors: false } } }, "off"],
  ["policy.rego", { compatibility: "opa-envoy-plugin" }, "off"],
  ["policy.rego", { compatibility: "opa-envoy-plugin", svidgate: { policy: { strict_builtin_errors: true } } }, "all"],
];
for (const [at, [policy, config, said]] of rows.entries()) {
  it(`${policy} with ${JSON.stringify(config)}: ${said}`, async () => {
    const serving = await startServing(["-c", configOf(String(at), config), "--policy", file(policy)]);
    const response = await fetch(`${serving.admin}/status`);
    const status = (await response.json()) as { policy: { strict_builtin_errors: string } };
    await serving.stop();
    assert.equal(status.policy.strict_builtin_errors, said);
  });
}
