import type { Clock } from "../../src/base/clock.ts";
import type { Timers } from "../../src/base/timers.ts";

/** A clock that stands still until a test moves it. */
export interface ManualClock extends Clock {
  /** Moves both clocks forward, and runs the timers that become due, in their order, each at its own time. */
  advanceMs(ms: number): void;
  /** Timers of this clock. */
  readonly timers: Timers & {
    /** How many wait. */
    readonly pending: number;
    /** How long until the next one; undefined when none waits. */
    readonly nextMs: number | undefined;
  };
}

interface Waiting {
  readonly dueMs: number;
  readonly run: () => void;
}

/** Starts at 2026-01-01T00:00:00Z unless told otherwise. */
export function createManualClock(startUnixMs = Date.UTC(2026, 0, 1)): ManualClock {
  let passedMs = 0;
  const waiting = new Set<Waiting>();
  const next = (): Waiting | undefined =>
    [...waiting].reduce<Waiting | undefined>(
      (first, timer) => (first === undefined || timer.dueMs < first.dueMs ? timer : first),
      undefined,
    );
  return {
    unixMs: () => startUnixMs + passedMs,
    monotonicMs: () => passedMs,
    advanceMs: (ms) => {
      const endMs = passedMs + ms;
      for (let timer = next(); timer !== undefined && timer.dueMs <= endMs; timer = next()) {
        waiting.delete(timer);
        passedMs = Math.max(passedMs, timer.dueMs);
        timer.run();
      }
      passedMs = endMs;
    },
    timers: {
      after: (ms, run) => {
        const timer = { dueMs: passedMs + Math.max(ms, 0), run };
        waiting.add(timer);
        return () => waiting.delete(timer);
      },
      get pending() {
        return waiting.size;
      },
      get nextMs() {
        const timer = next();
        return timer === undefined ? undefined : timer.dueMs - passedMs;
      },
    },
  };
}
