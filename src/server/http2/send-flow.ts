// Sends answers as the windows of the peer admit, and keeps in order what they do not. SPEC: RFC 9113 §5.2, §6.9.
// SECURITY: what waits is bounded from outside: `waitingBytes` and the backlog of the batch say when enough does.

import { DEFAULT_WINDOW_BYTES, MAX_31_BITS, MAX_FRAME_BYTES } from "./frame.ts";
import { type FrameWriter, NOTHING, toPrefix } from "./frame-writer.ts";
import type { OutputBatch } from "./output-batch.ts";
import { SendQueue } from "./send-queue.ts";
import type { ServerStream } from "./server-stream.ts";
import { MESSAGE_PREFIX_BYTES } from "./stream.ts";

/** Header blocks that are written without a look at their size. */
const MAX_SHORT_BLOCK_BYTES = 4096;
/** SECURITY: smaller frames, unless all that there was to send, come of windows that a peer opens a crack at a time. */
const MIN_PIECE_BYTES = 1024;

/** Where frames go, and who is told of what was sent. */
export interface SendFlowOptions {
  readonly batch: OutputBatch;
  readonly writer: FrameWriter;
  readonly maxUnsentBytes: number;
  /** A DATA frame has been written that its peer may answer with WINDOW_UPDATE. */
  onDataSent(): void;
  /** END_STREAM has been written. */
  onAnswered(stream: ServerStream): void;
  /** All that waited in a stream has been written; it has not ended. */
  onDrained(stream: ServerStream): void;
}

/** The sending side of one connection's flow control. */
export class SendFlow {
  readonly #options: SendFlowOptions;
  readonly #batch: OutputBatch;
  readonly #writer: FrameWriter;
  readonly #maxUnsentBytes: number;
  /** SETTINGS_INITIAL_WINDOW_SIZE of the peer. */
  initialWindow: number = DEFAULT_WINDOW_BYTES;
  #window: number = DEFAULT_WINDOW_BYTES;
  /** Streams whose queue holds something, in the order in which they began to wait. */
  readonly #waiting = new Set<ServerStream>();
  /**
   * Those of them that may be sent something when the connection may. SECURITY: a thousand streams whose own windows are shut are
   * not looked at with each WINDOW_UPDATE of 13 octets.
   */
  readonly #ready = new Set<ServerStream>();
  /** Bytes in all queues. */
  waitingBytes = 0;
  /** Something waits for the kernel alone. */
  isHeldBack = false;

  constructor(options: SendFlowOptions) {
    this.#options = options;
    this.#batch = options.batch;
    this.#writer = options.writer;
    this.#maxUnsentBytes = options.maxUnsentBytes;
  }

  /** True while the kernel is to take what there is before it gets more. */
  get isBehind(): boolean {
    return this.#batch.backlogBytes > this.#maxUnsentBytes;
  }

  reply(stream: ServerStream, headers: Uint8Array, message: Uint8Array, trailers: Uint8Array): void {
    const dataBytes = MESSAGE_PREFIX_BYTES + message.length;
    if (
      stream.queue === undefined &&
      dataBytes <= stream.sendWindow &&
      dataBytes <= this.#window &&
      dataBytes <= MAX_FRAME_BYTES &&
      headers.length <= MAX_SHORT_BLOCK_BYTES &&
      trailers.length <= MAX_SHORT_BLOCK_BYTES &&
      !this.isBehind
    ) {
      stream.sendWindow -= dataBytes;
      this.#window -= dataBytes;
      stream.answered = true;
      this.#writer.reply(stream.id, headers, message, trailers);
      this.#options.onDataSent();
      this.#options.onAnswered(stream);
      return;
    }
    this.sendHeaders(stream, headers, false);
    this.sendData(stream, toPrefix(message.length), message, false);
    this.sendHeaders(stream, trailers, true);
  }

  sendHeaders(stream: ServerStream, block: Uint8Array, endStream: boolean): void {
    if (endStream) {
      stream.answered = true;
      if (stream.queue !== undefined) {
        stream.queue.trailers = Uint8Array.from(block);
        return;
      }
    }
    this.#writer.headers(stream.id, block, endStream);
    if (endStream) this.#options.onAnswered(stream);
  }

  /** Sends `first` and then `second`; false when some of it waits. */
  sendData(stream: ServerStream, first: Uint8Array, second: Uint8Array, endStream: boolean): boolean {
    if (endStream) stream.answered = true;
    const length = first.length + second.length;
    if (
      stream.queue === undefined &&
      (length === 0 || (length <= stream.sendWindow && length <= this.#window)) &&
      length <= MAX_FRAME_BYTES &&
      !this.isBehind
    ) {
      this.#write(stream, first, second, endStream);
      this.#options.onDataSent();
      if (endStream) this.#options.onAnswered(stream);
      return true;
    }
    if (stream.queue === undefined) {
      stream.queue = new SendQueue();
      this.#waiting.add(stream);
      this.#ready.add(stream);
    }
    stream.queue.add(first, second);
    stream.queue.endStream = endStream;
    this.waitingBytes += length;
    this.#sendWaiting(stream, stream.queue);
    return stream.queue === undefined;
  }

  /** Forgets a stream that has ended. */
  drop(stream: ServerStream): void {
    const { queue } = stream;
    if (queue === undefined) return;
    this.waitingBytes -= queue.waitingBytes;
    this.#forget(stream);
  }

  /** WINDOW_UPDATE of the connection; false when its window overflows. */
  widen(bytes: number): boolean {
    if (this.#window + bytes > MAX_31_BITS) return false;
    this.#window += bytes;
    if (this.#ready.size > 0) this.resume();
    return true;
  }

  /** WINDOW_UPDATE of a stream; false when its window overflows. */
  widenStream(stream: ServerStream, bytes: number): boolean {
    if (stream.sendWindow + bytes > MAX_31_BITS) return false;
    stream.sendWindow += bytes;
    if (stream.queue === undefined) return true;
    this.#ready.add(stream);
    this.#sendWaiting(stream, stream.queue);
    return true;
  }

  /** A new SETTINGS_INITIAL_WINDOW_SIZE changes the windows of all open streams; false when one overflows. */
  setInitialWindow(bytes: number, open: readonly ServerStream[]): boolean {
    const delta = bytes - this.initialWindow;
    this.initialWindow = bytes;
    for (const stream of open) {
      if (stream.sendWindow + delta > MAX_31_BITS) return false;
      stream.sendWindow += delta;
    }
    if (delta > 0 && this.#waiting.size > 0) {
      for (const stream of this.#waiting) this.#ready.add(stream);
      this.resume();
    }
    return true;
  }

  /** Goes on with all that waits. */
  resume(): void {
    this.isHeldBack = false;
    // A stream that is done leaves the set meanwhile, which the iteration bears.
    for (const stream of this.#ready) {
      const { queue } = stream;
      if (queue !== undefined) this.#sendWaiting(stream, queue);
      // PERF: a thousand streams that wait cost nothing while there is no room for any.
      if (this.#window <= 0 || this.isHeldBack) return;
    }
  }

  /** Whether a stream has waited since before `sinceMs` without a byte of it moving. To be asked at each sweep. */
  isStuck(nowMs: number, sinceMs: number): boolean {
    let stuck = false;
    for (const { queue } of this.#waiting) {
      if (queue === undefined) continue;
      if (queue.moved) {
        queue.moved = false;
        queue.stuckSinceMs = nowMs;
      } else if (queue.stuckSinceMs <= sinceMs) stuck = true;
    }
    return stuck;
  }

  #sendWaiting(stream: ServerStream, queue: SendQueue): void {
    let owesEnd = queue.endStream;
    while (queue.waitingBytes > 0) {
      const most = Math.min(stream.sendWindow, this.#window, MAX_FRAME_BYTES);
      if (most <= 0) {
        if (stream.sendWindow <= 0) this.#ready.delete(stream);
        return;
      }
      if (this.isBehind) {
        this.isHeldBack = true;
        return;
      }
      const piece = queue.take(most);
      this.waitingBytes -= piece.length;
      const isLast = queue.waitingBytes === 0 && queue.endStream;
      this.#write(stream, piece, NOTHING, isLast);
      if (queue.waitingBytes === 0 || piece.length >= MIN_PIECE_BYTES) this.#options.onDataSent();
      if (isLast) owesEnd = false;
    }
    if (owesEnd) this.#write(stream, NOTHING, NOTHING, true);
    this.#forget(stream);
    if (queue.trailers !== undefined) this.#writer.headers(stream.id, queue.trailers, true);
    if (stream.answered) this.#options.onAnswered(stream);
    else this.#options.onDrained(stream);
  }

  #forget(stream: ServerStream): void {
    this.#waiting.delete(stream);
    this.#ready.delete(stream);
    stream.queue = undefined;
  }

  #write(stream: ServerStream, first: Uint8Array, second: Uint8Array, endStream: boolean): void {
    const length = first.length + second.length;
    stream.sendWindow -= length;
    this.#window -= length;
    this.#writer.data(stream.id, first, second, endStream);
  }
}
