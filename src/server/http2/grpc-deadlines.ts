// Ends the calls whose deadline has passed. PERF: no timer per call: one for all of them, set for the deadline that came first and then
// for the earliest that is left, since nearly every call is answered long before and must not pay for it.

import type { Clock } from "../../base/clock.ts";
import type { Timers } from "../../base/timers.ts";

/** A call with a deadline. */
export interface Expiring {
  /** In `Clock.monotonicMs` terms, finite. */
  readonly deadlineMs: number;
  /** Its place here, -1 while it has none; kept by `Deadlines`. */
  deadlineSlot: number;
  /** The deadline has passed; it has been removed. */
  onDeadline(): void;
}

/** The calls that wait. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #calls: Expiring[] = [];
  #dueMs = Number.POSITIVE_INFINITY;
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, timers: Timers) {
    this.#clock = clock;
    this.#timers = timers;
  }

  /** How many wait. */
  get size(): number {
    return this.#calls.length;
  }

  add(call: Expiring, nowMs: number): void {
    call.deadlineSlot = this.#calls.length;
    this.#calls.push(call);
    if (call.deadlineMs < this.#dueMs) this.#wake(call.deadlineMs, nowMs);
  }

  remove(call: Expiring): void {
    const slot = call.deadlineSlot;
    if (slot < 0) return;
    call.deadlineSlot = -1;
    const last = this.#calls.pop() as Expiring;
    if (last === call) return;
    last.deadlineSlot = slot;
    this.#calls[slot] = last;
  }

  #wake(dueMs: number, nowMs: number): void {
    this.#cancelTimer?.();
    this.#dueMs = dueMs;
    this.#cancelTimer = this.#timers.after(dueMs - nowMs, () => this.#expire());
  }

  #expire(): void {
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#cancelTimer = undefined;
    const nowMs = this.#clock.monotonicMs();
    let nextMs = Number.POSITIVE_INFINITY;
    const passed: Expiring[] = [];
    for (const call of this.#calls) {
      if (call.deadlineMs <= nowMs) passed.push(call);
      else if (call.deadlineMs < nextMs) nextMs = call.deadlineMs;
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#wake(nextMs, nowMs);
    for (const call of passed) {
      // What one of them sets off may have ended another.
      if (call.deadlineSlot < 0) continue;
      this.remove(call);
      call.onDeadline();
    }
  }
}
