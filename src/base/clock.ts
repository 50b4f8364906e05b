// Time as a dependency: deadlines use the monotonic clock, dates the wall clock, and tests move both by hand.

/** Source of time. */
export interface Clock {
  /** Wall clock, milliseconds since 1970-01-01T00:00:00Z; may jump. */
  unixMs(): number;
  /** Milliseconds since an arbitrary start, with a fraction; never goes back. */
  monotonicMs(): number;
}

/** The clock of the machine. */
export const systemClock: Clock = {
  unixMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

// The two clocks are read at different moments and the wall clock is rounded: less than this is no step.
const MAX_DRIFT_MS = 5;

/**
 * Creates a source of Unix time in whole microseconds: the wall clock, made finer by the monotonic one.
 * Between steps of the wall clock it never goes back; a step of the wall clock is followed.
 */
export function createUnixUs(clock: Clock): () => number {
  let anchorUnixMs = Number.NaN;
  let anchorMonotonicMs = 0;
  return () => {
    const unixMs = clock.unixMs();
    const monotonicMs = clock.monotonicMs();
    let preciseMs = anchorUnixMs + (monotonicMs - anchorMonotonicMs);
    if (!(Math.abs(preciseMs - unixMs) <= MAX_DRIFT_MS)) {
      anchorUnixMs = unixMs;
      anchorMonotonicMs = monotonicMs;
      preciseMs = unixMs;
    }
    return Math.floor(preciseMs * 1_000);
  };
}
