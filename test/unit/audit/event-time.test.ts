import assert from "node:assert/strict";
import { it } from "node:test";
import { createEventTime } from "../../../src/audit/event-time.ts";
import { systemClock } from "../../../src/base/clock.ts";

it("makes the wall clock finer by the monotonic clock", () => {
  let monotonicMs = 50.25;
  let unixMs = Date.UTC(2026, 0, 1);
  const time = createEventTime({ unixMs: () => unixMs, monotonicMs: () => monotonicMs });
  assert.equal(time(), "2026-01-01T00:00:00.000000Z");
  monotonicMs += 0.125;
  assert.equal(time(), "2026-01-01T00:00:00.000125Z");
  monotonicMs += 999.875;
  unixMs += 1_000;
  assert.equal(time(), "2026-01-01T00:00:01.000000Z");
});

it("follows a step of the wall clock in both directions", () => {
  let unixMs = Date.UTC(2026, 0, 1);
  const time = createEventTime({ unixMs: () => unixMs, monotonicMs: () => 0 });
  time();
  unixMs += 3_600_000;
  assert.equal(time(), "2026-01-01T01:00:00.000000Z");
  unixMs -= 7_200_000;
  assert.equal(time(), "2025-12-31T23:00:00.000000Z");
});

it("never goes back with the machine's clock", () => {
  const time = createEventTime(systemClock);
  let last = "";
  for (let i = 0; i < 20_000; i++) {
    const now = time();
    assert.ok(now >= last, `${now} after ${last}`);
    last = now;
  }
});

it("does not go back when the process was set aside between its looks at the two clocks", () => {
  let unixMs = Date.UTC(2026, 0, 1);
  let monotonicMs = 0;
  let pauseMs = 0;
  const time = createEventTime({
    unixMs: () => unixMs,
    monotonicMs: () => {
      unixMs += pauseMs;
      monotonicMs += pauseMs;
      pauseMs = 0;
      return monotonicMs;
    },
  });
  let last = time();
  for (let i = 0; i < 100; i++) {
    monotonicMs += 0.9;
    unixMs += i % 10 === 9 ? 9 : 0;
    pauseMs = i % 7 === 0 ? 20 : 0;
    const now = time();
    assert.ok(now >= last, `${now} after ${last}`);
    last = now;
  }
});
