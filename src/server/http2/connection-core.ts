// What all parts of one connection share: its streams, its writing side, what it holds, and how it ends.
// SPEC: RFC 9113 §5.4.1 (connection errors), §6.8 (GOAWAY).

import type { ConnectionEnd } from "../../telemetry/http2-catalogue.ts";
import type { Peer } from "../peer.ts";
import type { ConnectionOptions } from "./connection.ts";
import { ERROR_CODE, type ErrorCode } from "./error-code.ts";
import { FloodGuard } from "./flood-guard.ts";
import { FrameWriter, NOTHING } from "./frame-writer.ts";
import { OutputBatch } from "./output-batch.ts";
import { SendFlow } from "./send-flow.ts";
import type { ServerStream, StreamDuties } from "./server-stream.ts";
import { StreamEnds } from "./stream-ends.ts";
import { Streams } from "./streams.ts";
import type { BytesHolder } from "./unfinished-bytes.ts";

/** A DATA frame of ours lets its peer update two windows and, to measure the path, send a PING. */
const FRAMES_EARNED_BY_DATA = 3;

/** One connection, for its parts. */
export class ConnectionCore implements StreamDuties, BytesHolder {
  readonly options: ConnectionOptions;
  readonly peer: Peer;
  readonly streams = new Streams();
  readonly writer: FrameWriter;
  readonly flow: SendFlow;
  readonly ends: StreamEnds;
  /** Frames that ask for work and carry none. */
  readonly control: FloodGuard;
  readonly #batch: OutputBatch;
  /** When the batch that is worked on came, or the last one. */
  nowMs: number;
  /** True while a read batch is worked on: what is written waits for its end. */
  inBatch = false;
  /** Requests that may still begin in this turn. */
  turnRequests = Number.POSITIVE_INFINITY;
  /** Nothing is read or written any more. */
  isOver = false;
  /** Set by the last GOAWAY of a graceful end: later streams are ignored, and the connection ends with its open ones. */
  isFinishing = false;
  heldBytes = 0;
  /** What the open streams keep besides their bodies. */
  headBytes = 0;
  /** Of `heldBytes`, what streams keep and what waits for the peer. */
  #settledBytes = 0;
  #isCounted = false;
  #isReleased = false;
  #flushIsDue = false;
  readonly #flushLater = (): void => {
    this.#flushIsDue = false;
    // What an answerer sends of its own accord comes between batches.
    this.nowMs = this.options.clock.monotonicMs();
    this.settle();
    this.options.unfinished.settle();
  };

  constructor(options: ConnectionOptions) {
    const { limits } = options;
    this.options = options;
    this.peer = options.peer;
    this.nowMs = options.clock.monotonicMs();
    const maxEarned = FRAMES_EARNED_BY_DATA * limits.maxConcurrentStreams;
    this.control = new FloodGuard(limits.maxControlFramesPerSecond, maxEarned, this.nowMs);
    this.#batch = new OutputBatch(options.output, () => this.#onBatchBegin());
    this.writer = new FrameWriter(this.#batch);
    this.flow = new SendFlow({
      batch: this.#batch,
      writer: this.writer,
      maxUnsentBytes: limits.maxUnsentBytes,
      onDataSent: () => this.control.earn(FRAMES_EARNED_BY_DATA),
      onAnswered: (stream) => this.ends.onAnswered(stream),
      onDrained: (stream) => stream.receiver?.onDrain?.(),
    });
    this.ends = new StreamEnds(this);
  }

  // What streams ask for. A fault here ends the connection, whoever called.

  reply(stream: ServerStream, headers: Uint8Array, message: Uint8Array, trailers: Uint8Array): void {
    try {
      this.flow.reply(stream, headers, message, trailers);
    } catch (error) {
      this.fault(error);
    }
  }

  sendHeaders(stream: ServerStream, block: Uint8Array, endStream: boolean): void {
    try {
      this.flow.sendHeaders(stream, block, endStream);
    } catch (error) {
      this.fault(error);
    }
  }

  sendData(stream: ServerStream, bytes: Uint8Array, endStream: boolean): boolean {
    try {
      return this.flow.sendData(stream, bytes, NOTHING, endStream);
    } catch (error) {
      this.fault(error);
      return true;
    }
  }

  reset(stream: ServerStream, code: ErrorCode): void {
    this.ends.reset(stream, code);
  }

  grant(stream: ServerStream, bytes: number): void {
    stream.receiveWindow += bytes;
    this.writer.windowUpdate(stream.id, bytes);
  }

  // What the connection holds.

  /** Bytes of a stream's request, until it is answered. */
  holdFor(stream: ServerStream, bytes: number): void {
    stream.heldBytes += bytes;
    this.hold(bytes);
  }

  hold(deltaBytes: number): void {
    this.heldBytes += deltaBytes;
    this.options.unfinished.hold(this, deltaBytes);
  }

  /** Pays for a frame that asks for work and carries none; false when there are too many, and the connection has ended. */
  admitControl(): boolean {
    return this.#judgeControl(this.control.admit(this.nowMs));
  }

  /** As `admitControl`, for frames that may answer ours. */
  admitEarnedControl(): boolean {
    return this.#judgeControl(this.control.admitEarned(this.nowMs));
  }

  #judgeControl(isAdmitted: boolean): boolean {
    if (!isAdmitted) this.fail("control_flood", ERROR_CODE.ENHANCE_YOUR_CALM);
    return isAdmitted;
  }

  evict(): void {
    try {
      // SECURITY: one that does not read would keep what waits for it through the end, and learn nothing from a GOAWAY.
      if (this.unsentBytes > 0) this.cut("unfinished_bytes");
      else this.fail("unfinished_bytes", ERROR_CODE.ENHANCE_YOUR_CALM);
    } catch (error) {
      this.fault(error);
    }
  }

  // How the connection ends.

  /** A connection error: GOAWAY, what was written before it, FIN. */
  fail(reason: ConnectionEnd, code: ErrorCode): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#count(reason);
    this.writer.goaway(this.streams.lastId, code, reason);
    this.#batch.flush();
    this.options.output.end();
    this.#release();
  }

  /** The second half of a graceful end (RFC 9113 §6.8). */
  finish(reason: ConnectionEnd): void {
    if (this.isOver || this.isFinishing) return;
    this.isFinishing = true;
    this.#count(reason);
    this.streams.admitNoMore();
    this.writer.goaway(this.streams.lastId, ERROR_CODE.NO_ERROR, reason);
  }

  /** Ends without a word, and what waits is lost. */
  cut(reason: ConnectionEnd): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#count(reason);
    this.options.output.destroy();
    this.#release();
  }

  /** The socket is gone. */
  onClosed(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#release();
  }

  /** An exception: of an answerer, or of ours. Ends this connection alone. */
  fault(error: unknown): void {
    try {
      this.fail("fault", ERROR_CODE.INTERNAL_ERROR);
    } catch {
      // What is broken cannot say goodbye either.
    }
    if (!this.#isReleased) {
      this.options.output.destroy();
      this.#release();
    }
    this.options.onFault(error);
  }

  /** A connection ends for one reason: the first. */
  #count(reason: ConnectionEnd): void {
    if (this.#isCounted) return;
    this.#isCounted = true;
    this.options.counts.connectionEnds[reason]++;
    this.options.onEnding?.(reason);
  }

  /** The end of a turn: what was written leaves; a finishing connection without streams ends. */
  settle(): void {
    if (this.isOver) return;
    try {
      this.#batch.flush();
      // What waited only because the batch was large enough.
      while (this.flow.isHeldBack && !this.flow.isBehind) {
        this.flow.resume();
        this.#batch.flush();
      }
      if (this.isFinishing && this.streams.openCount === 0) {
        this.isOver = true;
        this.options.output.end();
        this.#release();
        return;
      }
      this.#holdSettled();
    } catch (error) {
      this.fault(error);
    }
  }

  flush(): void {
    this.#batch.flush();
  }

  /** Asks again what the kernel has not taken. */
  look(): void {
    this.#batch.look();
  }

  /** Bytes that the kernel has not taken, and those that it has, since the beginning. */
  get unsentBytes(): number {
    return this.#batch.unsentBytes;
  }
  get takenBytes(): number {
    return this.#batch.writtenBytes - this.#batch.unsentBytes;
  }

  /**
   * SECURITY: a thousand open calls may have 32 KiB of header lines each, and each connection may leave a megabyte of answers
   * unread: that is counted too. PERF: once a turn, so that a call that is answered in its batch costs two additions.
   */
  #holdSettled(): void {
    const bytes = this.headBytes + this.flow.waitingBytes + this.#batch.unsentBytes;
    if (bytes === this.#settledBytes) return;
    this.hold(bytes - this.#settledBytes);
    this.#settledBytes = bytes;
  }

  #onBatchBegin(): void {
    if (this.inBatch || this.#flushIsDue || this.isOver) return;
    this.#flushIsDue = true;
    process.nextTick(this.#flushLater);
  }

  #release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    for (const stream of this.streams.list()) {
      this.ends.close(stream, true);
      try {
        stream.receiver?.onReset();
      } catch (error) {
        this.options.onFault(error);
      }
    }
    if (this.heldBytes > 0) this.hold(-this.heldBytes);
    this.options.onEnd();
  }
}
