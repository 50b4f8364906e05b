// UUIDv7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then random bits; sorts by time, cannot be guessed.
// Within one millisecond the 12 bits of `rand_a` count up (§6.2, method 1), so one generator's IDs are strictly increasing.
// It does not coordinate between processes: 62 random bits keep those apart.

import { randomFillSync } from "node:crypto";
import type { Clock } from "./clock.ts";

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const COUNTER_END = 0x1000;
// A clock that steps back by less than this is waited out by counting on; beyond it the new time is believed, so that one
// wrong date does not mark every later ID.
const MAX_HOLD_MS = 10_000;
const POOL_BYTES = 4_096;

/** Fills the array with random bytes. */
export type FillRandom = (bytes: Uint8Array) => void;

/**
 * Creates a generator of UUIDv7 strings: 36 characters, lower case, strictly increasing while the clock does not step back by more
 * than 10 s. Synchronous; `fillRandom` is called once per about 400 IDs.
 */
export function createUuidV7(
  clock: Clock,
  fillRandom: FillRandom = (bytes) => {
    randomFillSync(bytes);
  },
): () => string {
  const pool = new Uint8Array(POOL_BYTES);
  let poolAt = POOL_BYTES;
  let lastMs = Number.NEGATIVE_INFINITY;
  let counter = 0;
  let timeText = "";

  const take = (): number => {
    if (poolAt === POOL_BYTES) {
      fillRandom(pool);
      poolAt = 0;
    }
    return pool[poolAt++] ?? 0;
  };
  const startMillisecond = (ms: number): void => {
    lastMs = ms;
    // The counter starts in its lower half, so that at least 2,048 IDs fit before the next millisecond is borrowed.
    counter = ((take() << 8) | take()) & 0x7ff;
    const digits = ms.toString(16).padStart(12, "0");
    timeText = `${digits.slice(0, 8)}-${digits.slice(8)}-7`;
  };

  return () => {
    const ms = Math.floor(clock.unixMs());
    if (ms > lastMs || ms < lastMs - MAX_HOLD_MS) startMillisecond(ms);
    else if (++counter === COUNTER_END) startMillisecond(lastMs + 1);
    const variant = HEX[0x80 | (take() & 0x3f)];
    const count = `${HEX[counter >> 8]?.[1]}${HEX[counter & 0xff]}`;
    const tail = `${HEX[take()]}${HEX[take()]}${HEX[take()]}${HEX[take()]}${HEX[take()]}${HEX[take()]}`;
    return `${timeText}${count}-${variant}${HEX[take()]}-${tail}`;
  };
}
