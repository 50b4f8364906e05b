// `svidgate compare` against the real opa-envoy-plugin: the same policy is the same, and a changed one shows where.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../src/base/package-root.ts";
import { pluginMissing, startPlugin } from "../support/opa-envoy-plugin.ts";
import { runSvidgate } from "../support/serve-process.ts";

const missing = pluginMissing();
const vectors = join(packageRoot(), "test", "vectors");

interface Report {
  readonly requests: number;
  readonly same: number;
  readonly differences: readonly {
    name: string;
    kind: string;
    there: string;
    here: string;
    changes: readonly unknown[];
  }[];
}

test("compares with the real plugin", { skip: missing ?? false }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "svidgate-compare-"));
  const plugin = await startPlugin(undefined, "decisions.rego");
  t.after(async () => {
    await plugin.stop();
    rmSync(folder, { recursive: true });
  });
  const rows = readFileSync(join(vectors, "decision.jsonl"), "utf8")
    .trim()
    .split("\n")
    .filter((line) => (JSON.parse(line) as { policy: string }).policy === "decisions.rego");
  const requests = join(folder, "requests.jsonl");
  writeFileSync(requests, rows.join("\n"));
  const compare = (policy: string, ...more: readonly string[]) =>
    runSvidgate(["compare", "--against", plugin.address, "--policy", policy, ...more, requests]);

  await t.test("finds no difference on recorded requests under the plugin's preset", async () => {
    const same = await compare(join(vectors, "decisions.rego"), "--set", "compatibility=opa-envoy-plugin");
    assert.equal(same.code, 0, same.out);
    assert.equal(same.out, `${rows.length} requests: ${rows.length} answered the same, 0 not\n`);
  });

  await t.test(
    "shows the deliberate differences by default: a refused header first, then errors as denials",
    async () => {
      const { code, out } = await compare(join(vectors, "decisions.rego"), "--format", "json");
      const { differences } = JSON.parse(out) as Report;
      assert.equal(code, 1);
      const errors = differences.filter(({ kind }) => kind === "answer");
      assert.ok(errors.length > 3, out);
      for (const each of errors) assert.deepEqual([each.there, each.here], ["error", "deny"]);
      const refused = differences.slice(0, differences.length - errors.length);
      assert.deepEqual(
        refused.map(({ name, kind }) => `${kind} ${name}`),
        ["allowed_there_only hdr-newline"],
      );
    },
  );

  await t.test("shows what only one side allows, the plugin's first", async () => {
    const changed = readFileSync(join(vectors, "decisions.rego"), "utf8")
      .replace('"obj-allowed-true": {"allowed": true}', '"obj-allowed-true": {"allowed": false}')
      .replace('"obj-allowed-false": {"allowed": false}', '"obj-allowed-false": {"allowed": true}')
      .replace('{"x-b": "3"}', '{"x-b": "changed"}');
    const policy = join(folder, "changed.rego");
    writeFileSync(policy, changed);
    const preset = ["--set", "compatibility=opa-envoy-plugin"];
    const { code, out } = await compare(policy, ...preset, "--format", "json");
    assert.equal(code, 1);
    const { differences, same, requests: asked } = JSON.parse(out) as Report;
    assert.equal(asked, same + differences.length);
    const kinds = differences.map(({ kind }) => kind);
    assert.deepEqual(
      kinds.toSorted((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b)),
      kinds,
    );
    for (const kind of ORDER) assert.ok(kinds.includes(kind), kind);
    const text = await compare(policy, ...preset);
    assert.match(text.out, /^allowed there, not here \(\d+\):\n {2}obj-allowed-true: there allow, here deny\n/);
    assert.match(text.out, /headers: there `x-b: 3`; here `x-b: changed`/);
  });
});

const ORDER = ["allowed_there_only", "allowed_here_only", "answer"];
