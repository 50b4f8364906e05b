import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FloodGuard } from "../../../../src/server/http2/flood-guard.ts";

const admitted = (guard: FloodGuard, nowMs: number, isEarned = false): number => {
  for (let count = 0; ; count++) {
    if (count > 10_000 || !(isEarned ? guard.admitEarned(nowMs) : guard.admit(nowMs))) return count;
  }
};

describe("a flood guard", () => {
  it("admits a second's worth at once, and then as time gives back", () => {
    const guard = new FloodGuard(100, 0, 5000);
    assert.equal(admitted(guard, 5000), 100);
    assert.equal(admitted(guard, 5009), 0);
    assert.equal(admitted(guard, 5010), 1);
    assert.equal(admitted(guard, 5260), 25);
  });

  it("admits more at once than in a second where it may", () => {
    const guard = new FloodGuard(10, 0, 0, 50);
    assert.equal(admitted(guard, 0), 50);
    assert.equal(admitted(guard, 1000), 10);
    assert.equal(admitted(guard, 1e9), 50);
  });

  it("never saves up more than a second's worth", () => {
    const guard = new FloodGuard(100, 0, 0);
    assert.equal(admitted(guard, 1e9), 100);
  });

  it("admits slowly where less than one a second is left over, and loses no fraction", () => {
    const guard = new FloodGuard(3, 0, 0);
    assert.equal(admitted(guard, 0), 3);
    let count = 0;
    for (let nowMs = 1; nowMs <= 2000; nowMs++) if (guard.admit(nowMs)) count++;
    assert.ok(count === 5 || count === 6, `${count}`);
  });

  it("takes what was earned first, up to its limit", () => {
    const guard = new FloodGuard(10, 5, 0);
    guard.earn(3);
    guard.earn(30);
    assert.equal(admitted(guard, 0, true), 15);
    guard.earn(2);
    assert.equal(admitted(guard, 0), 0, "what is earned is for what earns it");
    assert.equal(admitted(guard, 0, true), 2);
  });
});
