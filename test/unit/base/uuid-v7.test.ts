import assert from "node:assert/strict";
import { it } from "node:test";
import { systemClock } from "../../../src/base/clock.ts";
import { createUuidV7 } from "../../../src/base/uuid-v7.ts";
import { createManualClock } from "../../support/manual-clock.ts";

const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const unixMs = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
const fill = (value: number) => (bytes: Uint8Array) => {
  bytes.fill(value);
};

it("writes the example of RFC 9562 appendix A.6 from its time and random bits", () => {
  // 017F22E2-79B0-7CC3-98C4-DC0C0C07398F; rand_a starts in its lower half here, so its first bit differs from the example's.
  const bytes = [0x0c, 0xc3, 0x18, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f, 0xc4];
  const id = createUuidV7(createManualClock(0x017f22e279b0), (pool) => pool.set(bytes))();
  assert.equal(id, "017f22e2-79b0-74c3-98c4-dc0c0c07398f");
});

it("has version 7, the RFC's variant and the clock's milliseconds, whatever the random bits are", () => {
  for (const value of [0x00, 0x5a, 0xff]) {
    const clock = createManualClock();
    const id = createUuidV7(clock, fill(value))();
    assert.match(id, shape);
    assert.equal(unixMs(id), clock.unixMs());
  }
});

it("is strictly increasing within a millisecond, also past the counter's end", () => {
  const next = createUuidV7(createManualClock());
  let last = "";
  for (let i = 0; i < 10_000; i++) {
    const id = next();
    assert.match(id, shape);
    assert.ok(id > last, `${id} after ${last}`);
    last = id;
  }
});

it("goes on increasing while the clock steps back a little, and follows it when it steps back far", () => {
  let nowMs = Date.UTC(2026, 0, 1);
  const next = createUuidV7({ unixMs: () => nowMs, monotonicMs: () => 0 });
  const before = next();
  nowMs -= 9_000;
  assert.ok(next() > before);
  nowMs -= 3_600_000;
  assert.equal(unixMs(next()), nowMs);
});

it("never repeats with the machine's clock and random source", () => {
  const next = createUuidV7(systemClock);
  assert.equal(new Set(Array.from({ length: 20_000 }, next)).size, 20_000);
});
