// How long an evaluation may wait for answers from outside: until its caller's deadline, or until its caller goes away.
// Made only for a check that waits; a signal, since what waits must let go of its connections.

import type { Clock } from "../base/clock.ts";
import type { Timers } from "../base/timers.ts";
import { MAX_WAIT_MS } from "../policy/waiting.ts";
import type { CheckCall } from "./check-handler.ts";

/** Where the end of a wait comes from. */
export interface WaitPorts {
  readonly clock: Clock;
  readonly timers: Timers;
}

/** The end of one wait. */
export interface WaitSignal {
  readonly signal: AbortSignal;
  /** Forgets timer and caller; after it the signal says nothing any more. */
  close(): void;
}

/** Starts the wait of one check. */
export function createWaitSignal(call: CheckCall, { clock, timers }: WaitPorts): WaitSignal {
  const end = new AbortController();
  const leftMs = Math.min(call.deadlineMs - clock.monotonicMs(), MAX_WAIT_MS);
  const cancelTimer = timers.after(leftMs, () => end.abort(new Error("the caller's deadline has passed")));
  const forgetCaller = call.onCancelled?.(() => end.abort(new Error("the caller has gone")));
  return {
    signal: end.signal,
    close: () => {
      cancelTimer();
      forgetCaller?.();
    },
  };
}
