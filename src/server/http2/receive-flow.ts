// DATA: bodies of requests, and the windows that bound them. SPEC: RFC 9113 §5.2, §6.1, §6.9, §8.1.1.
// The connection's window is large and given back as bytes come, for a stream is bounded by its own: 65,535 octets, and what its
// answerer grants it.

import type { ConnectionCore } from "./connection-core.ts";
import { ERROR_CODE } from "./error-code.ts";
import { DEFAULT_WINDOW_BYTES, FLAG } from "./frame.ts";
import { copyOf } from "./own-bytes.ts";
import type { ServerStream } from "./server-stream.ts";

/** What a peer may send on a connection before we give some of it back. */
const CONNECTION_WINDOW_BYTES = 1024 * 1024;
const GIVE_BACK_BYTES = CONNECTION_WINDOW_BYTES / 4;
/** SECURITY: what a piece of an unfinished message takes besides its octets, so that many small ones are no way around the limit. */
const PIECE_OVERHEAD_BYTES = 128;

/** The receiving side of one connection's flow control. */
export class ReceiveFlow {
  readonly #core: ConnectionCore;
  /** Octets that came and were not given back. */
  #takenBytes = 0;

  constructor(core: ConnectionCore) {
    this.#core = core;
  }

  /** Raises the connection's window from the one that it begins with. */
  begin(): void {
    this.#core.writer.windowUpdate(0, CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES);
  }

  /** Gives back, at the end of a batch, once it is worth a frame. */
  giveBack(): void {
    if (this.#takenBytes < GIVE_BACK_BYTES) return;
    this.#core.writer.windowUpdate(0, this.#takenBytes);
    this.#takenBytes = 0;
  }

  onData(bytes: Buffer, from: number, to: number, flags: number, streamId: number): void {
    const core = this.#core;
    const frameBytes = to - from;
    // SPEC: RFC 9113 §6.9: padding counts, and so does what comes for closed streams.
    this.#takenBytes += frameBytes;
    if (this.#takenBytes > CONNECTION_WINDOW_BYTES) {
      core.fail("flow_control_error", ERROR_CODE.FLOW_CONTROL_ERROR);
      return;
    }
    let start = from;
    let end = to;
    if ((flags & FLAG.PADDED) !== 0) {
      if (start === end) {
        core.fail("frame_size_error", ERROR_CODE.FRAME_SIZE_ERROR);
        return;
      }
      end -= bytes[start] as number;
      start++;
      if (end < start) {
        core.fail("protocol_error", ERROR_CODE.PROTOCOL_ERROR);
        return;
      }
    }
    const stream = core.streams.get(streamId);
    if (stream === undefined) {
      this.#onDataWithoutStream(streamId, end - start);
      return;
    }
    const endStream = (flags & FLAG.END_STREAM) !== 0;
    stream.receiveWindow -= frameBytes;
    if (stream.requestEnded) core.ends.refuse(streamId, stream, ERROR_CODE.STREAM_CLOSED, "malformed");
    else if (stream.receiveWindow < 0) {
      core.ends.refuse(streamId, stream, ERROR_CODE.FLOW_CONTROL_ERROR, "flow_control");
    } else if (!this.#fitsLength(stream, end - start, endStream)) {
      core.ends.refuse(streamId, stream, ERROR_CODE.PROTOCOL_ERROR, "malformed");
    } else if (endStream) this.#onLast(stream, bytes, start, end);
    else {
      // SPEC: RFC 9113 §6.9.1: nobody keeps padding, and a stream's window is sized for its message.
      if (frameBytes > end - start) core.grant(stream, frameBytes - (end - start));
      this.#onPart(stream, bytes, start, end);
    }
  }

  #onLast(stream: ServerStream, bytes: Buffer, start: number, end: number): void {
    const { receiver } = stream;
    stream.requestEnded = true;
    if (receiver === undefined) return;
    if (end > start) receiver.onData(bytes.subarray(start, end));
    if (stream.isOpen) receiver.onEnd();
    if (stream.isOpen) this.#core.holdFor(stream, end - start);
  }

  #onPart(stream: ServerStream, bytes: Buffer, start: number, end: number): void {
    const core = this.#core;
    if (end === start && !core.admitControl()) return;
    const { receiver } = stream;
    if (receiver === undefined || end === start) return;
    // One that lives long hands its bytes on, and is bounded by its window.
    if (receiver.isLongLived !== true) core.holdFor(stream, end - start + PIECE_OVERHEAD_BYTES);
    const piece = bytes.subarray(start, end);
    // SECURITY: a piece that may be kept for long must not keep a chunk alive that is much larger.
    receiver.onData(2 * piece.length < bytes.length ? copyOf(piece) : piece);
  }

  /** SPEC: RFC 9113 §8.1.1: content-length must equal the sum of the DATA frames. */
  #fitsLength(stream: ServerStream, length: number, endStream: boolean): boolean {
    if (stream.expectedBytes < 0) return true;
    stream.expectedBytes -= length;
    return endStream ? stream.expectedBytes === 0 : stream.expectedBytes >= 0;
  }

  #onDataWithoutStream(streamId: number, length: number): void {
    const core = this.#core;
    const { streams } = core;
    if ((streamId & 1) === 0 || streamId > streams.highestId) {
      core.fail("protocol_error", ERROR_CODE.PROTOCOL_ERROR);
    } else if (!core.isFinishing && streams.closed(streamId) !== "reset") {
      core.ends.refuse(streamId, undefined, ERROR_CODE.STREAM_CLOSED, "malformed");
    } else if (length === 0) core.admitControl();
  }
}
