// One HTTP/2 connection of a server, without its socket and without timers: bytes in, bytes out, and what is due is looked at
// when `sweep` is called. SPEC: RFC 9113.

import type { Clock } from "../../base/clock.ts";
import type { ConnectionEnd } from "../../telemetry/http2-catalogue.ts";
import type { Peer } from "../peer.ts";
import type { Http2Counts } from "./counts.ts";
import type { Http2Limits } from "./limits.ts";
import type { OpenStream } from "./stream.ts";
import type { UnfinishedBytes } from "./unfinished-bytes.ts";

/** Where a connection writes to: a socket. */
export interface ConnectionOutput {
  /** The bytes never change afterwards. */
  write(bytes: Buffer): void;
  /** FIN, after what was written. */
  end(): void;
  destroy(): void;
  /** Bytes written that the kernel has not taken. */
  readonly unsentBytes: number;
}

export interface ConnectionOptions {
  readonly output: ConnectionOutput;
  readonly peer: Peer;
  readonly limits: Http2Limits;
  readonly open: OpenStream;
  readonly clock: Clock;
  /** Shared by all connections of a listener. */
  readonly unfinished: UnfinishedBytes;
  readonly counts: Http2Counts;
  /** Told once, when the connection will take no more: after `output.end()`, `output.destroy()` or `closed()`. */
  onEnd(): void;
  /** Told of what must not happen; the connection has ended by then. */
  onFault(error: unknown): void;
}

/** Writes SETTINGS when it is made. */
export class Http2Connection {
  readonly #options: ConnectionOptions;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** One read batch: all its frames are worked on, what they led to leaves in one write. */
  receive(_chunk: Buffer): void {
    throw new Error("not built yet");
  }

  /** The kernel has taken what was written. */
  drained(): void {}

  /** The socket is gone: every open stream is told. */
  closed(): void {}

  /** SPEC: RFC 9113 §6.8: GOAWAY that still admits every stream, the first half of a graceful end. */
  sendGoawayNotice(): void {}

  /** The last GOAWAY; the connection ends when its open streams have. */
  shutdown(_reason: ConnectionEnd): void {}

  /** Ends the connection now. */
  cut(_reason: ConnectionEnd): void {}

  /** Ends what has taken too long; to be called about once a second. */
  sweep(_nowMs: number): void {}

  get openStreams(): number {
    return 0;
  }

  /** When the last batch with a whole frame came, in `Clock.monotonicMs` terms. */
  get lastFrameMs(): number {
    return this.#options.clock.monotonicMs();
  }

  /** Since when no stream is open; undefined while one is. */
  get idleSinceMs(): number | undefined {
    return undefined;
  }

  /** False while more waits for the peer than it may make wait: nothing is to be read from it until it is true again. */
  get wantsRead(): boolean {
    return true;
  }
}
