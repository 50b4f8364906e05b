// Dates with microseconds for audit events.

import { type Clock, createUnixUs } from "../base/clock.ts";

/**
 * Creates a source of RFC 3339 dates in UTC with six decimals.
 * Between steps of the wall clock they never go back; a step of the wall clock is followed.
 */
export function createEventTime(clock: Clock): () => string {
  const unixUsNow = createUnixUs(clock);
  let secondText = "";
  let secondUnix = Number.NaN;
  return () => {
    const unixUs = unixUsNow();
    const second = Math.floor(unixUs / 1_000_000);
    if (second !== secondUnix) {
      secondUnix = second;
      // PERF: a date is formatted once a second, not per event.
      secondText = new Date(second * 1_000).toISOString().slice(0, 20);
    }
    return `${secondText}${String(unixUs - second * 1_000_000).padStart(6, "0")}Z`;
  };
}
