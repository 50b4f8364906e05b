import type { Clock } from "../../src/base/clock.ts";

/** A clock that stands still until a test moves it. */
export interface ManualClock extends Clock {
  /** Moves both clocks forward. */
  advanceMs(ms: number): void;
}

/** Starts at 2026-01-01T00:00:00Z unless told otherwise. */
export function createManualClock(startUnixMs = Date.UTC(2026, 0, 1)): ManualClock {
  let passedMs = 0;
  return {
    unixMs: () => startUnixMs + passedMs,
    monotonicMs: () => passedMs,
    advanceMs: (ms) => {
      passedMs += ms;
    },
  };
}
