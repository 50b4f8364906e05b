// One HTTP/2 connection of a server, without its socket and without timers: bytes in, bytes out, and what is due is looked at
// when `sweep` is called. SPEC: RFC 9113. The order of work of one read batch:
//   frame-reader.ts      divides the chunk into frames
//   incoming-frames.ts   judges each by its type and hands on: header blocks (header-blocks.ts, hpack-decoder.ts,
//                        incoming-headers.ts: opens streams), bodies (receive-flow.ts), windows and the rest
//   server-stream.ts     is what an answerer holds; its answers go through send-flow.ts (windows, what has to wait) and
//                        frame-writer.ts into output-batch.ts, which leaves in one write when the batch is over
// connection-core.ts is what they share, and how the connection ends; stream-ends.ts how streams end; connection-sweep.ts what
// takes too long.

import type { Clock } from "../../base/clock.ts";
import type { ConnectionEnd } from "../../telemetry/http2-catalogue.ts";
import type { Peer } from "../peer.ts";
import { ConnectionCore } from "./connection-core.ts";
import { ConnectionSweep } from "./connection-sweep.ts";
import type { Http2Counts } from "./counts.ts";
import { ERROR_CODE } from "./error-code.ts";
import { MAX_31_BITS } from "./frame.ts";
import { FrameReader } from "./frame-reader.ts";
import { IncomingFrames } from "./incoming-frames.ts";
import type { Http2Limits } from "./limits.ts";
import { ReceiveFlow } from "./receive-flow.ts";
import { printSettings } from "./settings.ts";
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

/** What a connection needs: where it writes to, its limits, who answers, and who is told. */
export interface ConnectionOptions {
  readonly output: ConnectionOutput;
  readonly peer: Peer;
  readonly limits: Http2Limits;
  readonly open: OpenStream;
  readonly clock: Clock;
  /** Shared by all connections of a listener. */
  readonly unfinished: UnfinishedBytes;
  readonly counts: Http2Counts;
  /** Requests that one call of `receive` or `drained` begins; what is left of what came waits for the next. Default: all. */
  readonly maxTurnRequests?: number;
  /** Told why svidgate ends the connection, once, as it begins to. Must not throw. */
  onEnding?(reason: ConnectionEnd): void;
  /** Told once, when the connection will take no more: after `output.end()`, `output.destroy()` or `closed()`. */
  onEnd(): void;
  /** Told of what must not happen; the connection has ended by then. */
  onFault(error: unknown): void;
}

/** Begins with SETTINGS, which leave at the end of the turn that makes it. */
export class Http2Connection {
  readonly #options: ConnectionOptions;
  readonly #core: ConnectionCore;
  readonly #data: ReceiveFlow;
  readonly #frames: IncomingFrames;
  readonly #reader: FrameReader;
  readonly #sweeper: ConnectionSweep;
  /** What came while the peer did not read, or was too much for one turn. */
  #parked: Buffer[] = [];
  /** How much of the first parked chunk has been read. */
  #parkedAt = 0;
  /** Of `heldBytes`, what cut frames, unfinished header blocks and parked chunks take. */
  #readerBytes = 0;
  #lastFrameMs: number;
  readonly #maxTurnRequests: number;

  constructor(options: ConnectionOptions) {
    const core = new ConnectionCore(options);
    this.#options = options;
    this.#maxTurnRequests = options.maxTurnRequests ?? Number.POSITIVE_INFINITY;
    this.#core = core;
    this.#data = new ReceiveFlow(core);
    this.#frames = new IncomingFrames(core, this.#data);
    this.#reader = new FrameReader(this.#frames);
    this.#sweeper = new ConnectionSweep(core);
    this.#lastFrameMs = core.nowMs;
    core.writer.settings(printSettings(options.limits));
    this.#data.begin();
  }

  /** One read batch: all its frames are worked on, and what they led to leaves in one write. */
  receive(chunk: Buffer): void {
    const core = this.#core;
    if (core.isOver) return;
    this.#beginBatch();
    try {
      this.#read(chunk, 0);
    } catch (error) {
      core.fault(error);
    }
    this.#endBatch();
  }

  /** The kernel has taken what was written, or the next turn has come. */
  drained(): void {
    const core = this.#core;
    if (core.isOver) return;
    this.#beginBatch();
    try {
      core.look();
      core.flow.resume();
      const parked = this.#parked;
      const from = this.#parkedAt;
      this.#parked = [];
      this.#parkedAt = 0;
      for (const [i, chunk] of parked.entries()) this.#read(chunk, i === 0 ? from : 0);
    } catch (error) {
      core.fault(error);
    }
    this.#endBatch();
  }

  /** The socket is gone: every open stream is told. */
  closed(): void {
    this.#core.onClosed();
  }

  /** SPEC: RFC 9113 §6.8: GOAWAY that still admits every stream, the first half of a graceful end. */
  sendGoawayNotice(): void {
    if (!this.#core.isOver) this.#core.writer.goaway(MAX_31_BITS, ERROR_CODE.NO_ERROR);
  }

  /** The last GOAWAY; the connection ends when its open streams have. */
  finish(reason: ConnectionEnd): void {
    this.#core.finish(reason);
  }

  /** Ends the connection now, without a word. */
  cut(reason: ConnectionEnd): void {
    this.#core.cut(reason);
  }

  /** Ends what has taken too long; to be called about once a second. */
  sweep(nowMs: number): void {
    const core = this.#core;
    if (core.isOver) return;
    core.nowMs = nowMs;
    core.inBatch = true;
    try {
      this.#sweeper.sweep({
        lastFrameMs: this.#lastFrameMs,
        hasSettings: this.#frames.hasSettings,
        openBlock: this.#frames.blocks.openStreamId,
        isParked: this.#parked.length > 0,
      });
    } catch (error) {
      core.fault(error);
    }
    this.#endBatch();
  }

  get openStreams(): number {
    return this.#core.streams.openCount;
  }

  /** When the last batch with a whole frame came, in `Clock.monotonicMs` terms. */
  get lastFrameMs(): number {
    return this.#lastFrameMs;
  }

  /** Since when no stream is open; undefined while one is. */
  get idleSinceMs(): number | undefined {
    return this.#core.streams.openCount > 0 ? undefined : this.#core.ends.idleSinceMs;
  }

  /** False while more waits for the peer than may: nothing is to be read from it until it is true again. */
  get wantsRead(): boolean {
    return this.#core.isOver || (this.#parked.length === 0 && !this.#core.flow.isBehind);
  }

  /** True while what has come waits for the next turn alone: `drained` is to be called, as if there had been something to drain. */
  get wantsTurn(): boolean {
    return !this.#core.isOver && this.#parked.length > 0 && !this.#core.flow.isBehind;
  }

  #beginBatch(): void {
    this.#core.turnRequests = this.#maxTurnRequests;
    this.#core.nowMs = this.#options.clock.monotonicMs();
    this.#core.inBatch = true;
  }

  /** Reads chunk[from …], or parks what is left of it when more is on its way to the peer than may be, or this turn is over. */
  #read(chunk: Buffer, from: number): void {
    const core = this.#core;
    const frames = this.#frames.count;
    let at = from;
    while (!core.isOver && at < chunk.length) {
      if (this.#parked.length > 0 || core.turnRequests <= 0 || this.#isBehind()) {
        if (this.#parked.length === 0) this.#parkedAt = at;
        this.#parked.push(chunk);
        break;
      }
      at = this.#reader.read(chunk, at);
    }
    if (this.#frames.count !== frames) this.#lastFrameMs = core.nowMs;
  }

  /** What was written in this batch may be what the kernel takes at once. */
  #isBehind(): boolean {
    const { flow } = this.#core;
    if (flow.isBehind) this.#core.flush();
    return flow.isBehind;
  }

  /** The end of a batch. */
  #endBatch(): void {
    const core = this.#core;
    core.inBatch = false;
    if (core.isOver) return;
    this.#data.giveBack();
    let bytes = this.#reader.heldBytes + this.#frames.blocks.heldBytes;
    // What waits for its turn alone is as good as gone.
    if (core.flow.isBehind) for (const chunk of this.#parked) bytes += chunk.length;
    if (bytes !== this.#readerBytes) {
      core.hold(bytes - this.#readerBytes);
      this.#readerBytes = bytes;
    }
    core.settle();
    this.#options.unfinished.settle();
  }
}
