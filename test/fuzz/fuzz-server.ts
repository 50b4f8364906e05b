// The server that is tried: connections of src/server/http2 with the router behind them, and handlers that answer at once, soon,
// later, or with much. No sockets, no clock but the one that is moved by hand.

import type { CheckHandler, CheckReply } from "../../src/authz/check-handler.ts";
import { createHealth } from "../../src/server/health.ts";
import { type ConnectionOutput, Http2Connection } from "../../src/server/http2/connection.ts";
import { createHttp2Counts, type Http2Counts } from "../../src/server/http2/counts.ts";
import type { Http2Limits } from "../../src/server/http2/limits.ts";
import { createRouter } from "../../src/server/http2/router.ts";
import type { OpenStream } from "../../src/server/http2/stream.ts";
import { createUnfinishedBytes, type UnfinishedBytes } from "../../src/server/http2/unfinished-bytes.ts";
import { createUnverifiedPeer } from "../../src/server/peer.ts";
import { createManualClock, type ManualClock } from "../support/manual-clock.ts";
import { answerOf, ECHOED_LINE, HANDLER_CODE, MODE } from "./requests.ts";
import { Finding } from "./server-watch.ts";

/** The writing end of a connection, with a kernel that takes as much as it is told to. */
export class FuzzOutput implements ConnectionOutput {
  /** What was written and not looked at yet. */
  written: Buffer[] = [];
  /** What was written, with a copy of it: it must never change. */
  readonly kept: { readonly bytes: Buffer; readonly copy: Buffer }[] = [];
  unsentBytes = 0;
  hasEnded = false;
  /** Whether the kernel takes everything at once. */
  readonly isFast: boolean;

  constructor(isFast: boolean) {
    this.isFast = isFast;
  }

  write(bytes: Buffer): void {
    if (this.hasEnded) throw new Finding("a write after the end");
    if (bytes.length === 0) throw new Finding("a write of nothing");
    this.written.push(bytes);
    this.kept.push({ bytes, copy: Buffer.from(bytes) });
    if (!this.isFast) this.unsentBytes += bytes.length;
  }

  end(): void {
    if (this.hasEnded) throw new Finding("the connection ends twice");
    this.hasEnded = true;
  }

  destroy(): void {
    this.hasEnded = true;
  }

  checkKept(): void {
    for (const { bytes, copy } of this.kept) if (!bytes.equals(copy)) throw new Finding("written bytes have changed");
  }
}

/** One server with its limits, for a few conversations. */
export class FuzzServer {
  readonly clock: ManualClock = createManualClock();
  readonly counts: Http2Counts = createHttp2Counts();
  readonly limits: Http2Limits;
  /** Answers that are due some time. */
  later: (() => void)[] = [];
  /** Something happens at the end of this turn or after. */
  isPending = false;
  checksOpen = 0;
  readonly faults: unknown[] = [];
  readonly #open: OpenStream;
  readonly #unfinished: UnfinishedBytes;

  constructor(limits: Http2Limits) {
    this.limits = limits;
    this.#unfinished = createUnfinishedBytes(limits.maxUnfinishedBytes, this.counts);
    const health = createHealth();
    health.setReady(true);
    this.#open = createRouter({
      handler: this.#handler,
      clock: this.clock,
      timers: this.clock.timers,
      health,
      limits,
      counts: this.counts,
      relay: undefined,
      relayedPaths: () => false,
      onCheckStart: () => {
        this.checksOpen++;
      },
      onCheckEnd: () => {
        this.checksOpen--;
      },
      onRefused: () => undefined,
      onFault: (error) => {
        this.faults.push(error);
      },
    });
  }

  connect(output: ConnectionOutput, onEnd: () => void): Http2Connection {
    this.isPending = true;
    return new Http2Connection({
      output,
      peer: createUnverifiedPeer("192.0.2.1"),
      limits: this.limits,
      open: this.#open,
      clock: this.clock,
      unfinished: this.#unfinished,
      counts: this.counts,
      onEnd,
      onFault: (error) => {
        this.faults.push(error);
      },
    });
  }

  readonly #handler: CheckHandler = (request, call) => {
    const bytes = answerOf(request, call.metadata?.(ECHOED_LINE));
    const reply: CheckReply =
      bytes === undefined
        ? { kind: "status", code: HANDLER_CODE, message: "denied: 100 %" }
        : { kind: "message", bytes };
    if (request[0] === MODE.SOON) {
      this.isPending = true;
      return Promise.resolve(reply);
    }
    if (request[0] === MODE.LATER) {
      return new Promise((resolve) => {
        this.later.push(() => resolve(reply));
      });
    }
    return reply;
  };
}
