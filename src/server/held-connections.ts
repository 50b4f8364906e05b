// The connections of a listener, whatever speaks HTTP/2 on them, and how they are let go without losing a call.
// SPEC: RFC 9113 §6.8: a GOAWAY that still admits every stream (the notice), time for the peer to read it, then the last GOAWAY,
// and when open calls have ended, the end. How a connection does each of these is its own affair.

import { MAX_DELAY_MS, systemTimers, type Timers } from "../base/timers.ts";
import type { ConnectionEnd } from "../telemetry/http2-catalogue.ts";
import { createReview } from "./connection-review.ts";
import type { Peer } from "./peer.ts";

/** Why a connection is asked to leave; `max_age` also where its peer's own time is over (`Peer.leave`). */
export type LeaveReason = Extract<ConnectionEnd, "idle" | "max_age" | "peer_refused" | "drain">;

/** One connection, as its listener holds it. */
export interface HeldConnection {
  readonly peer: Peer;
  /** Asks the peer to open no more streams; those that it opens before it has read this are still served. */
  sendGoawayNotice(): void;
  /** Sends the last GOAWAY, and closes once open calls have ended, or after `graceMs`. */
  finish(graceMs: number, reason: LeaveReason): void;
  /** Ends it now. */
  cut(reason: LeaveReason): void;
}

export interface HeldConnections<Connection extends HeldConnection> {
  readonly size: number;
  /** True once everything has been cut: nothing more is to be added. */
  readonly isClosed: boolean;
  values(): Iterable<Connection>;
  /** Holds a connection, until it is forgotten; it leaves when its peer's time has come, or at once during a drain. */
  add(connection: Connection): void;
  /** The connection is closed. */
  forget(connection: Connection): void;
  /** Begins to close a connection without losing a call; the first reason counts. */
  leave(connection: Connection, graceMs: number, reason: LeaveReason): void;
  /** See Listener. */
  review(): Promise<void>;
  /** See Listener. */
  drain(graceMs: number): Promise<number>;
  /** Cuts all, and says how many. */
  cutAll(): number;
}

/** After a refused check: long enough for the peer to read the refusal and finish what else it has open. */
export const REFUSED_GRACE_MS = 1000;
/** How long a peer may take to read the notice and go, before its connection gets the last GOAWAY. */
const NOTICE_MS = 1000;

interface Hold {
  isLeaving: boolean;
  /** Forgets what it waits for. */
  cancel: (() => void) | undefined;
}

/** Holds none yet. `onFault` is told when a peer could not be judged in a review. */
export function createHeldConnections<Connection extends HeldConnection>(
  onFault: (error: unknown) => void,
  timers: Timers = systemTimers,
): HeldConnections<Connection> {
  const holds = new Map<Connection, Hold>();
  let drainGraceMs: number | undefined;
  let isClosed = false;
  let onEmpty: (() => void) | undefined;

  const leave = (connection: Connection, graceMs: number, reason: LeaveReason): void => {
    const hold = holds.get(connection);
    if (hold === undefined || hold.isLeaving) return;
    hold.isLeaving = true;
    hold.cancel?.();
    connection.sendGoawayNotice();
    hold.cancel = timers.after(Math.min(NOTICE_MS, graceMs / 2), () => connection.finish(graceMs, reason));
  };
  const leaveAfter = (connection: Connection, hold: Hold, leftMs: number, graceMs: number): void => {
    const stepMs = Math.min(leftMs, MAX_DELAY_MS);
    hold.cancel = timers.after(stepMs, () => {
      if (leftMs > stepMs) leaveAfter(connection, hold, leftMs - stepMs, graceMs);
      else leave(connection, graceMs, "max_age");
    });
  };
  const cutAll = (): number => {
    const left = [...holds.keys()];
    isClosed = true;
    for (const { cancel } of holds.values()) cancel?.();
    holds.clear();
    for (const connection of left) connection.cut("drain");
    return left.length;
  };
  return {
    get size() {
      return holds.size;
    },
    get isClosed() {
      return isClosed;
    },
    values: () => holds.keys(),
    add: (connection) => {
      const hold: Hold = { isLeaving: false, cancel: undefined };
      holds.set(connection, hold);
      const planned = connection.peer.leave;
      if (planned !== undefined) leaveAfter(connection, hold, planned.afterMs, planned.graceMs);
      if (drainGraceMs !== undefined) leave(connection, drainGraceMs, "drain");
    },
    forget: (connection) => {
      holds.get(connection)?.cancel?.();
      holds.delete(connection);
      if (holds.size === 0) onEmpty?.();
    },
    leave,
    review: createReview<Connection>({
      connections: () => holds.keys(),
      isHeld: (connection) => holds.has(connection),
      peerOf: ({ peer }) => peer,
      onRefused: (connection) => leave(connection, REFUSED_GRACE_MS, "peer_refused"),
      onFault,
    }),
    drain: async (graceMs) => {
      drainGraceMs = graceMs;
      const emptied = new Promise<void>((resolve) => {
        onEmpty = resolve;
        if (holds.size === 0) resolve();
      });
      for (const connection of [...holds.keys()]) leave(connection, graceMs, "drain");
      let stop = (): void => undefined;
      const late = new Promise<void>((resolve) => {
        stop = timers.after(graceMs, resolve);
      });
      await Promise.race([emptied, late]);
      stop();
      return cutAll();
    },
    cutAll,
  };
}
