import assert from "node:assert/strict";
import { it } from "node:test";
import { createTextCache } from "../../../src/identity/attribute-text-cache.ts";

const cacheOf = (maxEntries: number, maxChars = 1_000_000) =>
  createTextCache<string>((text) => text.length, { maxEntries, maxChars });

it("gives back what was put in", () => {
  const cache = cacheOf(10);
  cache.set("a", "1");
  assert.equal(cache.get("a"), "1");
  assert.equal(cache.get("b"), undefined);
  cache.clear();
  assert.equal(cache.get("a"), undefined);
  assert.equal(cache.size, 0);
});

it("never holds more than its bound, and keeps what is asked for", () => {
  const cache = cacheOf(10);
  cache.set("kept", "1");
  for (let i = 0; i < 1000; i++) {
    cache.set(`k${i}`, "x");
    assert.equal(cache.get("kept"), "1");
    assert.ok(cache.size <= 10, `${cache.size}`);
  }
  assert.equal(cache.get("k0"), undefined);
  assert.equal(cache.get("k999"), "x");
});

it("is bounded in characters too, keys included", () => {
  const cache = cacheOf(1000, 100);
  for (let i = 0; i < 50; i++) cache.set(`k${i}`, "x".repeat(20));
  assert.ok(cache.size <= 4, `${cache.size}`);
  cache.set("large", "x".repeat(60));
  assert.equal(cache.get("large"), undefined);
  cache.set("x".repeat(60), "");
  assert.equal(cache.get("x".repeat(60)), undefined);
});
