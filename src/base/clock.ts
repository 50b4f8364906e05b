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
// A process that is set aside between the two reads sees a drift that a second look does not.
const LOOKS = 3;

/**
 * Creates a source of Unix time in whole microseconds: the wall clock, made finer by the monotonic one.
 * Between steps of the wall clock it never goes back; a step of the wall clock is followed.
 */
export function createUnixUs(clock: Clock): () => number {
  let anchorUnixMs = Number.NaN;
  let anchorMonotonicMs = 0;
  let lastMs = Number.NEGATIVE_INFINITY;
  return () => {
    let unixMs = 0;
    let monotonicMs = 0;
    let preciseMs = Number.NaN;
    for (let look = 0; look < LOOKS && !(Math.abs(preciseMs - unixMs) <= MAX_DRIFT_MS); look++) {
      unixMs = clock.unixMs();
      monotonicMs = clock.monotonicMs();
      preciseMs = anchorUnixMs + (monotonicMs - anchorMonotonicMs);
    }
    if (!(Math.abs(preciseMs - unixMs) <= MAX_DRIFT_MS)) {
      anchorUnixMs = unixMs;
      anchorMonotonicMs = monotonicMs;
      preciseMs = unixMs;
    }
    if (preciseMs < lastMs && lastMs - preciseMs <= MAX_DRIFT_MS) preciseMs = lastMs;
    lastMs = preciseMs;
    return Math.floor(preciseMs * 1_000);
  };
}
