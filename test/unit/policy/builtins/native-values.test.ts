// object.union_n of the host, beside the definition: one object after the other, of two values for a key the later one,
// unless both are objects.

import assert from "node:assert/strict";
import { it } from "node:test";
import { findBuiltin } from "../../../../src/policy/builtins/index.ts";
import { parseValue, printValue, RegoObject, type Value } from "../../../../src/policy/value.ts";
import { builtinContextAt } from "../../../support/builtin-context.ts";
import { Random } from "../../../support/random.ts";

const unionOf = (objects: readonly Value[]): Value | undefined =>
  findBuiltin("host.object.union_n")?.([objects], builtinContextAt(0n));

function unionOfTwo(a: Value, b: Value): Value {
  if (!(a instanceof RegoObject && b instanceof RegoObject)) return b;
  const merged = b.entries.map(([key, value]) => {
    const before = a.get(key);
    return [key, before === undefined ? value : unionOfTwo(before, value)] as const;
  });
  return RegoObject.of([...a.entries, ...merged]);
}

it("object.union_n takes the later value, and goes into objects on both sides", () => {
  for (const [objects, want] of [
    ["[]", "{}"],
    ['[{"a": 1}, {"b": 2}, {"a": 3}]', '{"a": 3, "b": 2}'],
    ['[{"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": {"d": 3}}}]', '{"a": {"b": {"d": 3}, "c": 2}}'],
    ['[{"a": {"b": 1}}, {"a": 2}, {"a": {"c": 3}}]', '{"a": {"c": 3}}'],
    ['[{"a": {"b": 1}}, {"a": 2}]', '{"a": 2}'],
    ["[{1: {}}, {1.0: {2: 3}}]", "{1.0: {2: 3}}"],
  ] as const)
    assert.equal(printValue(unionOf(parseValue(objects) as readonly Value[]) ?? null), want, objects);
});

it("object.union_n comes to the same as one union after the other", () => {
  const random = new Random(20);
  const generate = (depth: number): Value => {
    if (depth === 0 || random.chance(30)) return random.pick(["x", "y", null, true]);
    const entries = Array.from({ length: random.below(4) }, () => [random.pick(["a", "b", "c"]), generate(depth - 1)]);
    return RegoObject.of(entries as [Value, Value][]);
  };
  for (let run = 0; run < 500; run++) {
    const objects = Array.from({ length: random.below(6) }, () => RegoObject.of([["k", generate(4)]]));
    const want = objects.reduce<Value>(unionOfTwo, RegoObject.of([]));
    assert.equal(printValue(unionOf(objects) ?? null), printValue(want));
  }
});
