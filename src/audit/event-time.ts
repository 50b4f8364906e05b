// Dates with microseconds for audit events: the wall clock in milliseconds, made finer by the monotonic clock.

import type { Clock } from "../base/clock.ts";

// The two clocks are read at different moments and the wall clock is rounded: less than this is no step.
const MAX_DRIFT_MS = 5;

/**
 * Creates a source of RFC 3339 dates in UTC with six decimals.
 * Between steps of the wall clock they never go back; a step of the wall clock is followed.
 */
export function createEventTime(clock: Clock): () => string {
  let anchorUnixMs = Number.NaN;
  let anchorMonotonicMs = 0;
  let secondText = "";
  let secondUnix = Number.NaN;
  return () => {
    const unixMs = clock.unixMs();
    const monotonicMs = clock.monotonicMs();
    let preciseMs = anchorUnixMs + (monotonicMs - anchorMonotonicMs);
    if (!(Math.abs(preciseMs - unixMs) <= MAX_DRIFT_MS)) {
      anchorUnixMs = unixMs;
      anchorMonotonicMs = monotonicMs;
      preciseMs = unixMs;
    }
    const unixUs = Math.floor(preciseMs * 1_000);
    const second = Math.floor(unixUs / 1_000_000);
    if (second !== secondUnix) {
      secondUnix = second;
      // PERF: a date is formatted once a second, not per event.
      secondText = new Date(second * 1_000).toISOString().slice(0, 20);
    }
    return `${secondText}${String(unixUs - second * 1_000_000).padStart(6, "0")}Z`;
  };
}
