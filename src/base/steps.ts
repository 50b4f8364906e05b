// Work in steps: a generator that pauses where others may have their turn. One caller runs it in one go, another lets requests be
// answered in between. It runs nothing in parallel and bounds no step: how long one takes, its author decides.

import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "./clock.ts";

/** Yields between two steps; returns the outcome. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** How long steps may follow each other before others have their turn. */
const SLICE_MS = 4;

/** Runs all of it now. */
export function inOneGo<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Runs it a slice of about 4 ms at a time. Rejects with what a step throws. */
export async function inSlices<T>(steps: Steps<T>, clock: Pick<Clock, "monotonicMs">): Promise<T> {
  for (let pauseMs = clock.monotonicMs() + SLICE_MS; ; ) {
    const step = steps.next();
    if (step.done) return step.value;
    if (clock.monotonicMs() < pauseMs) continue;
    await nextTurn();
    pauseMs = clock.monotonicMs() + SLICE_MS;
  }
}
