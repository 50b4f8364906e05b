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

/**
 * The calls that wait, in a heap. SECURITY: a hundred connections hold a hundred thousand open calls; with deadlines a millisecond
 * apart, to look through all of them for the next would take all the time that there is.
 */
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
    this.#calls.push(call);
    this.#rise(call, this.#calls.length - 1);
    if (call.deadlineMs < this.#dueMs) this.#wake(call.deadlineMs, nowMs);
  }

  remove(call: Expiring): void {
    const slot = call.deadlineSlot;
    if (slot < 0) return;
    call.deadlineSlot = -1;
    const last = this.#calls.pop() as Expiring;
    if (last === call) return;
    this.#sink(last, slot);
    this.#rise(last, last.deadlineSlot);
  }

  /** Puts a call where no parent of it is later, from `from` upwards. */
  #rise(call: Expiring, from: number): void {
    const calls = this.#calls;
    let slot = from;
    while (slot > 0) {
      const above = (slot - 1) >> 1;
      const parent = calls[above] as Expiring;
      if (parent.deadlineMs <= call.deadlineMs) break;
      calls[slot] = parent;
      parent.deadlineSlot = slot;
      slot = above;
    }
    calls[slot] = call;
    call.deadlineSlot = slot;
  }

  /** Puts a call where no child of it is earlier, from `from` downwards. */
  #sink(call: Expiring, from: number): void {
    const calls = this.#calls;
    let slot = from;
    for (;;) {
      let below = 2 * slot + 1;
      let child = calls[below];
      const right = calls[below + 1];
      if (child === undefined) break;
      if (right !== undefined && right.deadlineMs < child.deadlineMs) {
        child = right;
        below++;
      }
      if (child.deadlineMs >= call.deadlineMs) break;
      calls[slot] = child;
      child.deadlineSlot = slot;
      slot = below;
    }
    calls[slot] = call;
    call.deadlineSlot = slot;
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
    // What one of them sets off may end another: it is not there any more then.
    for (let call = this.#calls[0]; call !== undefined && call.deadlineMs <= nowMs; call = this.#calls[0]) {
      this.remove(call);
      call.onDeadline();
    }
    const [next] = this.#calls;
    if (next !== undefined && next.deadlineMs < this.#dueMs) this.#wake(next.deadlineMs, nowMs);
  }
}
