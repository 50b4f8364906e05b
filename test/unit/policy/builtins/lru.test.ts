import assert from "node:assert/strict";
import { it } from "node:test";
import { createLru } from "../../../../src/policy/builtins/lru.ts";

it("forgets the entry that was not used for longest", () => {
  const lru = createLru<number>(2);
  lru.set("a", 1);
  lru.set("b", 2);
  assert.equal(lru.get("a"), 1);
  lru.set("c", 3);
  assert.deepEqual([lru.get("a"), lru.get("b"), lru.get("c")], [1, undefined, 3]);
});

it("replaces a value in place and counts it once", () => {
  const lru = createLru<number>(2);
  lru.set("a", 1);
  lru.set("a", 2);
  lru.set("b", 3);
  assert.deepEqual([lru.get("a"), lru.get("b")], [2, 3]);
});

it("keeps false, which is an outcome like any other", () => {
  const lru = createLru<boolean>(1);
  lru.set("a", false);
  assert.equal(lru.get("a"), false);
});
