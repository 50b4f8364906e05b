// Bundles as `opa build -t wasm` writes them, in each of its forms: they load, and decide as `opa eval` does on their sources.
// Needs `opa` 1.22.2, named by OPA or found on the PATH; skipped with the reason printed otherwise.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { type LoadedPolicy, loadActivePolicy } from "../../src/policy/load.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { OPA, whyNoOpa } from "../support/opa-cli.ts";

const V1 = `package envoy.authz

default allow := false

allow if {
	some role in data.roles[input.user]
	role in {"admin", "editor"}
	startswith(input.path, "/app/")
}

allow := {"allowed": true, "headers": {"x-user": upper(input.user)}} if input.path == "/me"

unused if input.nothing
`;
const V0 = `package envoy.authz

default allow = false

allow {
	role := data.roles[input.user][_]
	{"admin", "editor"}[role]
	startswith(input.path, "/app/")
}

allow = {"allowed": true, "headers": {"x-user": upper(input.user)}} {
	input.path == "/me"
}
`;
const DATA = '{"roles": {"alice": ["admin"], "bob": ["guest"]}}';
const INPUTS = [
  { user: "alice", path: "/app/1" },
  { user: "bob", path: "/app/1" },
  { user: "bob", path: "/me" },
  { user: "alice", path: "/other" },
  { path: "/app/1" },
  {},
];

/** Words of \`opa build\`; a policy of Rego v0 where they ask for it. */
const FORMS: Readonly<Record<string, readonly string[]>> = {
  plain: [],
  "for Rego v0": ["--v0-compatible"],
  "for Rego v1": ["--v1-compatible"],
  "optimized once": ["-O=1"],
  "optimized twice": ["-O=2"],
  "with several entrypoints": ["-e", "envoy/authz/unused", "-e", "envoy/authz"],
  "with a revision": ["--revision", "r1"],
  pruned: ["--prune-unused"],
  "with the capabilities of OPA 0.60": ["--v0-compatible", "--capabilities", "v0.60.0"],
  "with the capabilities of OPA 1.0": ["--capabilities", "v1.0.0"],
};

describe("bundles of `opa build` decide as `opa eval`", { skip: whyNoOpa() }, () => {
  const folder = mkdtempSync(join(tmpdir(), "svidgate-forms-"));
  after(() => rmSync(folder, { recursive: true }));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const data = file("data.json", DATA);
  const key = file("key.txt", "secret");
  const sources = { v0: file("v0.rego", V0), v1: file("v1.rego", V1) };

  mkdirSync(join(folder, "bundle"));
  file("bundle/policy.rego", V1);
  file("bundle/data.json", DATA);

  /** The decision of `opa eval`, JSON text. */
  function decide(version: "v0" | "v1", input: unknown): string {
    const query = "data.envoy.authz.allow";
    const words = ["eval", ...(version === "v0" ? ["--v0-compatible"] : []), "-d", sources[version], "-d", data];
    const run = spawnSync(OPA, [...words, "--stdin-input", "-f", "json", query], {
      input: JSON.stringify(input),
      encoding: "utf8",
    });
    assert.equal(run.status, 0, run.stdout + run.stderr);
    const { result } = JSON.parse(run.stdout) as { result: [{ expressions: [{ value: unknown }] }] };
    return JSON.stringify(result[0].expressions[0].value);
  }
  const decisions = new Map<string, readonly string[]>();
  const theirs = (version: "v0" | "v1"): readonly string[] => {
    const known = decisions.get(version) ?? INPUTS.map((input) => decide(version, input));
    decisions.set(version, known);
    return known;
  };

  function build(...words: readonly string[]): void {
    const run = spawnSync(OPA, ["build", "-t", "wasm", "-e", "envoy/authz/allow", ...words], { encoding: "utf8" });
    assert.equal(run.status, 0, run.stdout + run.stderr);
  }
  const load = (bundle: string): Promise<LoadedPolicy> =>
    loadActivePolicy({
      paths: [bundle],
      dataFiles: [],
      regoVersion: "v1",
      entrypoint: "envoy/authz/allow",
      engine: "native",
      strictBuiltinErrors: false,
      maxMemoryBytes: 64 * 1024 * 1024,
      clock: createManualClock(),
    });

  it("but a signed one, whose signature would not be checked, is refused", async () => {
    const bundle = join(folder, "signed.tar.gz");
    build("-o", bundle, "--signing-key", key, "--signing-alg", "HS256", "--bundle", join(folder, "bundle"));
    const problem = `${bundle}: \`.signatures.json\` is not supported yet`;
    assert.deepEqual(await load(bundle), { ok: false, problems: [problem] });
  });

  for (const [name, form] of Object.entries(FORMS)) {
    it(name, async () => {
      const version = form.includes("--v0-compatible") ? "v0" : "v1";
      const bundle = join(folder, `${name.replaceAll(" ", "-")}.tar.gz`);
      build("-o", bundle, ...form, sources[version], data);
      const loaded = await load(bundle);
      assert.ok(loaded.ok, loaded.ok ? "" : loaded.problems.join("\n"));
      const { policy } = loaded;
      const ours = INPUTS.map((input) => {
        const [first] = JSON.parse(
          String(policy.evaluate(JSON.stringify(input), () => AbortSignal.timeout(1_000))),
        ) as readonly { readonly result: unknown }[];
        return JSON.stringify(first?.result);
      });
      assert.deepEqual(ours, theirs(version));
    });
  }
});
