import assert from "node:assert/strict";
import { it } from "node:test";
import { integerOrOff } from "../../../src/config/field.ts";
import { loadConfig } from "../../../src/config/load.ts";

const budgetOf = (...set: readonly string[]): number | "off" | undefined => {
  const loaded = loadConfig({ flags: new Map(), set, env: {} });
  return loaded.ok ? loaded.config.budgetSteps : undefined;
};

it("the budget is 20 million steps unless set, a whole number in its range, or off", () => {
  assert.equal(budgetOf(), 20_000_000);
  assert.equal(budgetOf("svidgate.policy.budget=500000"), 500_000);
  assert.equal(budgetOf("svidgate.policy.budget=2147483647"), 2 ** 31 - 1);
  assert.equal(budgetOf("svidgate.policy.budget=off"), "off");
  for (const wrong of ["0", "9999", "2147483648", "10ms", "1e6", "OFF", ""])
    assert.equal(budgetOf(`svidgate.policy.budget=${wrong}`), undefined, wrong);
});

it("a whole number or off: says what is right, in the schema too", () => {
  const parse = integerOrOff(1, 9);
  const refused = parse("10");
  assert.deepEqual(refused, {
    ok: false,
    code: "field_invalid",
    detail: "expected a whole number from 1 to 9, or `off`",
  });
  assert.deepEqual(parse.schema, { type: ["integer", "string"], minimum: 1, maximum: 9, pattern: "^(off|\\d{1,15})$" });
});
