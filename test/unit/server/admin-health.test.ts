import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type HealthFacts, unhealthyReason } from "../../../src/server/admin-health.ts";

const up: HealthFacts = {
  canEvaluate: true,
  inactiveBundles: [],
  plugins: { bundle: "OK", decision_logs: "OK", status: "OK" },
};
const bundles = "one or more bundles are not activated";
const plugins = "one or more plugins are not up";

describe("unhealthyReason", () => {
  const rows: [query: string, facts: Partial<HealthFacts>, want: string | undefined][] = [
    ["", {}, undefined],
    ["bundles&plugins", {}, undefined],
    ["", { canEvaluate: false }, "unable to perform evaluation"],
    ["bundles&plugins", { canEvaluate: false, inactiveBundles: ["a"] }, "unable to perform evaluation"],
    ["", { inactiveBundles: ["a"], plugins: { bundle: "NOT_READY" } }, undefined],
    ["bundles", { inactiveBundles: ["a", "b"] }, `${bundles}: a, b`],
    ["bundle", { inactiveBundles: ["a"] }, `${bundles}: a`],
    ["bundles=true", { inactiveBundles: ["a"] }, `${bundles}: a`],
    ["bundles=TRUE", { inactiveBundles: ["a"] }, `${bundles}: a`],
    ["bundles=false&bundles=true", { inactiveBundles: ["a"] }, `${bundles}: a`],
    ["bundles=", { inactiveBundles: ["a"] }, `${bundles}: a`],
    ["bundles=false", { inactiveBundles: ["a"] }, undefined],
    ["bundles=1", { inactiveBundles: ["a"] }, undefined],
    ["bundles&bundles", { inactiveBundles: ["a"] }, undefined],
    ["Bundles", { inactiveBundles: ["a"] }, undefined],
    ["bundles", { plugins: { bundle: "NOT_READY" } }, bundles],
    ["bundles", { plugins: { discovery: "ERROR" } }, bundles],
    ["bundles", { plugins: { status: "ERROR" } }, undefined],
    ["bundles", { plugins: {} }, undefined],
    ["plugins", { plugins: { status: "ERROR" } }, plugins],
    ["plugins", { plugins: { status: "NOT_READY" } }, plugins],
    ["plugins", { plugins: { status: "WARN" } }, plugins],
    ["plugins=true&exclude-plugin=status", { plugins: { status: "ERROR" } }, undefined],
    ["plugins&exclude-plugin=other", { plugins: { status: "ERROR" } }, plugins],
    ["plugins&exclude-plugin=", { plugins: { status: "ERROR" } }, plugins],
    [
      "plugins&exclude-plugin=status&exclude-plugin=bundle",
      { plugins: { status: "ERROR", bundle: "ERROR" } },
      undefined,
    ],
    ["exclude-plugin=status", { plugins: { status: "ERROR" } }, undefined],
    ["bundles&plugins&exclude-plugin=bundle", { plugins: { bundle: "NOT_READY" } }, bundles],
  ];
  for (const [query, facts, want] of rows) {
    it(`?${query} with ${JSON.stringify(facts)}: ${want ?? "healthy"}`, () => {
      assert.equal(unhealthyReason({ ...up, ...facts }, new URLSearchParams(query)), want);
    });
  }
});
