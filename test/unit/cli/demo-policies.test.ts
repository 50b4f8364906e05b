// The shipped example policies against the tests beside them: each `test_…` rule is an entrypoint that must be true.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { packageRoot } from "../../../src/base/package-root.ts";
import { builtinNames, findBuiltin } from "../../../src/policy/builtins/index.ts";
import { compileRego, formatCompileErrors } from "../../../src/policy/compiler/index.ts";
import { loadPolicy } from "../../../src/policy/evaluator.ts";
import { readPolicySource } from "../../../src/policy/source.ts";

const EXAMPLES = ["service-allow-list", "namespace-roles"];

for (const name of EXAMPLES) {
  const folder = join(packageRoot(), "policies", name);
  const tests = readFileSync(join(folder, "policy_test.rego"), "utf8");
  const rules = [...tests.matchAll(/^(test_\w+)/gm)].map((match) => match[1] ?? "");

  describe(`policies/${name}`, async () => {
    const files = ["policy.rego", "policy_test.rego"].map((file) => ({
      path: `${name}/${file}`,
      text: readFileSync(join(folder, file), "utf8"),
    }));
    const compiled = await compileRego({
      files,
      entrypoints: rules.map((rule) => `envoy/authz_test/${rule}`),
      regoVersion: "v1",
      builtins: builtinNames,
      strict: true,
    });
    assert.ok(compiled.ok, compiled.ok ? "" : formatCompileErrors(compiled.errors, files));
    const data = readFileSync(join(folder, "data.json"), "utf8");
    const policy = loadPolicy(compiled.value.wasm, { data, findBuiltin });

    it("has tests", () => assert.ok(rules.length >= 10, rules.join(" ")));
    for (const rule of rules) {
      it(rule.replace(/^test_/, "").replaceAll("_", " "), () => {
        assert.equal(policy.evaluate("{}", { entrypoint: `envoy/authz_test/${rule}` }), '[{"result":true}]');
      });
    }
  });

  it(`policies/${name} is read without its tests`, async () => {
    const read = await readPolicySource([folder], []);
    assert.ok(read.ok);
    assert.deepEqual(
      read.source.modules.map(({ path }) => path),
      [join(folder, "policy.rego")],
    );
  });
}
