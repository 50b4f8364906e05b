// Any value, with strings of any bytes, goes into the module as a builtin's result and comes out of it as an operand as the
// same value; and the module finds each key and member of it.

import assert from "node:assert/strict";
import { before, it } from "node:test";
import fc from "fast-check";
import type { Builtin } from "../../src/policy/builtins/builtin.ts";
import { loadPolicy, type TrustingPolicy } from "../../src/policy/evaluator.ts";
import { fromBytes, printValue, RegoNumber, RegoObject, RegoSet, type Value } from "../../src/policy/value.ts";
import { compileFixtures } from "../support/rego.ts";

const SETTINGS = { seed: 20260103, numRuns: 500 } as const;

const bytes = fc
  .array(fc.oneof(fc.constantFrom(0x00, 0x22, 0x41, 0x5c, 0xc3, 0xa9, 0xff), fc.integer({ min: 0, max: 255 })), {
    maxLength: 6,
  })
  .map((list) => fromBytes(Buffer.from(list)));

const number = fc.oneof(
  fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map((integer) => RegoNumber.of(integer)),
  fc.constantFrom("0", "-1", "1.50", "1e400", "123456789012345678901234567890", "-0.5e-7").map(RegoNumber.parse),
);

const { value } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom<Value>(null, true, false, "", "x".repeat(100)),
    number,
    bytes,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(tie("value"), { maxLength: 20 }).map((values) => RegoSet.of(values)),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 20 }).map((entries) => RegoObject.of(entries)),
  ),
}));

let policy: TrustingPolicy;
let given: Value = null;
let taken: Value = null;
before(async () => {
  const rego = `package p
    given := opa.runtime()
    taken := object.subset(given, {})
    lost contains key if { some key in object.keys(given.value); not key in object.keys(given.value) }
    lost contains key if { some key, _ in given.value; not given.value[key] == given.copy[key] }
    q := {"taken": taken, "lost": lost, "same": given.value == given.copy, "size": count(given.value)}
  `;
  const builtins = ["opa.runtime", "object.subset"];
  const wasm = (await compileFixtures({ policy: { rego, entrypoints: ["p/q"], builtins } })).policy;
  const known: Readonly<Record<string, Builtin>> = {
    "opa.runtime": () => given as RegoObject,
    "object.subset": ([operand]) => {
      taken = operand ?? null;
      return true;
    },
  };
  policy = loadPolicy(wasm, { findBuiltin: (name) => known[name], budgetSteps: "off" });
});

it("values keep every byte on their way into the module and out of it", () => {
  fc.assert(
    fc.property(value, (original) => {
      given = RegoObject.of([
        ["value", RegoObject.of([["in", original]])],
        ["copy", RegoObject.of([["in", original]])],
      ]);
      assert.equal(policy.evaluate(undefined), '[{"result":{"lost":[],"same":true,"size":1,"taken":true}}]');
      assert.equal(printValue(taken), printValue(given));
    }),
    SETTINGS,
  );
});

it("the module finds every key and member", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(value, value), { minLength: 1, maxLength: 30 }), (entries) => {
      const object = RegoObject.of(entries);
      given = RegoObject.of([
        ["value", object],
        ["copy", RegoObject.of([...entries].reverse().concat(object.entries as [Value, Value][]))],
      ]);
      const want = `[{"result":{"lost":[],"same":true,"size":${object.entries.length},"taken":true}}]`;
      assert.equal(policy.evaluate(undefined), want);
      assert.equal(printValue(taken), printValue(given));
    }),
    SETTINGS,
  );
});
