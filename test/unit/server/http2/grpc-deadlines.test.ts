import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Deadlines, type Expiring } from "../../../../src/server/http2/grpc-deadlines.ts";
import { createManualClock } from "../../../support/manual-clock.ts";
import { Random } from "../../../support/random.ts";

function createWorld() {
  const clock = createManualClock();
  const deadlines = new Deadlines(clock, clock.timers);
  const expired: [deadlineMs: number, atMs: number][] = [];
  const add = (afterMs: number, onDeadline: () => void = () => undefined): Expiring => {
    const nowMs = clock.monotonicMs();
    const call: Expiring = {
      deadlineMs: nowMs + afterMs,
      deadlineSlot: -1,
      onDeadline: () => {
        expired.push([call.deadlineMs, clock.monotonicMs()]);
        onDeadline();
      },
    };
    deadlines.add(call, nowMs);
    return call;
  };
  return { clock, deadlines, expired, add };
}

describe("the deadlines of calls", () => {
  it("end each call when its time has come, in whatever order they were set", () => {
    const { clock, expired, add } = createWorld();
    for (const ms of [30, 10, 20, 10]) add(ms);
    clock.advanceMs(9);
    assert.deepEqual(expired, []);
    clock.advanceMs(100);
    assert.deepEqual(expired, [
      [10, 10],
      [10, 10],
      [20, 20],
      [30, 30],
    ]);
  });

  it("end a call that had no time at all, but not at once", () => {
    const { clock, expired, add } = createWorld();
    add(0);
    assert.deepEqual(expired, []);
    clock.advanceMs(0);
    assert.deepEqual(expired, [[0, 0]]);
  });

  it("leave a call alone that was removed, also twice", () => {
    const { clock, deadlines, expired, add } = createWorld();
    const calls = [10, 20, 30].map((ms) => add(ms));
    for (const call of [calls[1], calls[1]]) deadlines.remove(call as Expiring);
    clock.advanceMs(100);
    assert.deepEqual(expired, [
      [10, 10],
      [30, 30],
    ]);
    deadlines.remove(calls[0] as Expiring);
    assert.equal(deadlines.size, 0);
  });

  it("let one call end another whose time has come too", () => {
    const { clock, deadlines, expired, add } = createWorld();
    const calls: Expiring[] = [];
    calls.push(add(10, () => deadlines.remove(calls[1] as Expiring)));
    calls.push(add(10, () => deadlines.remove(calls[0] as Expiring)));
    clock.advanceMs(10);
    assert.equal(expired.length, 1);
    assert.equal(deadlines.size, 0);
  });

  it("take one timer for a thousand calls, and none when nothing waits", () => {
    const { clock, deadlines, add } = createWorld();
    for (let i = 0; i < 1000; i++) {
      deadlines.remove(add(200));
      assert.equal(clock.timers.pending, 1);
      clock.advanceMs(0.1);
    }
    clock.advanceMs(1000);
    assert.equal(clock.timers.pending, 0);
    add(5);
    assert.equal(clock.timers.nextMs, 5);
  });

  it("are not looked at, however many, for the sake of one", () => {
    const { clock, deadlines } = createWorld();
    let looks = 0;
    const later = (deadlineMs: number): Expiring => ({
      get deadlineMs() {
        looks++;
        return deadlineMs;
      },
      deadlineSlot: -1,
      onDeadline: () => undefined,
    });
    const calls = Array.from({ length: 10_000 }, (_, at) => later(1000 + ((at * 7919) % 10_000)));
    for (const call of calls) deadlines.add(call, 0);
    looks = 0;
    clock.advanceMs(1099);
    assert.equal(deadlines.size, 9900);
    assert.ok(looks < 100 * 60, `${looks}`);
    looks = 0;
    for (const call of calls.slice(0, 100)) deadlines.remove(call);
    assert.ok(looks < 100 * 60, `${looks}`);
  });

  it("hold for thousands of calls that come and go at random", () => {
    const { clock, deadlines, expired, add } = createWorld();
    const random = new Random(3);
    const open = new Set<Expiring>();
    for (let step = 0; step < 3000; step++) {
      const what = random.below(3);
      if (what < 2) {
        const call = add(random.below(50), () => open.delete(call));
        open.add(call);
      } else {
        const [call] = open;
        if (call !== undefined) {
          deadlines.remove(call);
          open.delete(call);
        }
      }
      if (step % 5 === 0) clock.advanceMs(random.below(10));
      assert.equal(deadlines.size, open.size);
      for (const call of open) assert.ok(call.deadlineMs >= clock.monotonicMs());
    }
    for (const [deadlineMs, atMs] of expired) assert.equal(deadlineMs, atMs);
    assert.ok(expired.length > 100);
  });
});
