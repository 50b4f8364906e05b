// Writes the frames of a server into the batch that leaves next. SPEC: RFC 9113 §4.1, §6. Knows no windows: send-flow.ts asks first.

import type { ErrorCode } from "./error-code.ts";
import { FLAG, FRAME_HEADER_BYTES, FRAME_TYPE, MAX_FRAME_BYTES, write32Bits, writeFrameHeader } from "./frame.ts";
import { TABLE_SIZE_ZERO } from "./header-block.ts";
import type { OutputBatch } from "./output-batch.ts";
import { MESSAGE_PREFIX_BYTES } from "./stream.ts";

/** PERF: below this a loop is quicker than a call into the runtime. */
const SHORT_BYTES = 24;

/** No octets. */
export const NOTHING: Uint8Array = new Uint8Array(0);

/** The frames of one connection. */
export class FrameWriter {
  readonly #batch: OutputBatch;
  #owesTableSize = false;
  #tableIsZero = false;

  constructor(batch: OutputBatch) {
    this.#batch = batch;
  }

  /**
   * SPEC: RFC 7541 §4.2: a peer that lowers SETTINGS_HEADER_TABLE_SIZE waits for an encoder to confirm it. Our blocks never use
   * the table: it is confirmed as empty, once and for all.
   */
  lowerTableSize(): void {
    if (!this.#tableIsZero) this.#owesTableSize = true;
  }

  /** Response headers, one gRPC message, trailers: all in one go. The blocks and the message fit a frame each. */
  reply(streamId: number, headers: Uint8Array, message: Uint8Array, trailers: Uint8Array): void {
    if (this.#owesTableSize) {
      this.headers(streamId, headers, false);
      this.data(streamId, toPrefix(message.length), message, false);
      this.headers(streamId, trailers, true);
      return;
    }
    const dataBytes = MESSAGE_PREFIX_BYTES + message.length;
    const batch = this.#batch;
    batch.room(3 * FRAME_HEADER_BYTES + headers.length + dataBytes + trailers.length);
    const { bytes } = batch;
    let at = batch.at;
    at = writeFrameHeader(bytes, at, headers.length, FRAME_TYPE.HEADERS, FLAG.END_HEADERS, streamId);
    at = copy(bytes, at, headers);
    at = writeFrameHeader(bytes, at, dataBytes, FRAME_TYPE.DATA, 0, streamId);
    bytes[at] = 0;
    at = write32Bits(bytes, at + 1, message.length);
    at = copy(bytes, at, message);
    at = writeFrameHeader(bytes, at, trailers.length, FRAME_TYPE.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, streamId);
    batch.at = copy(bytes, at, trailers);
  }

  /** HEADERS, and CONTINUATION where the block needs it. */
  headers(streamId: number, block: Uint8Array, endStream: boolean): void {
    let rest = block;
    if (this.#owesTableSize) {
      this.#owesTableSize = false;
      this.#tableIsZero = true;
      rest = Buffer.concat([TABLE_SIZE_ZERO, block]);
    }
    let type: number = FRAME_TYPE.HEADERS;
    let flags = endStream ? FLAG.END_STREAM : 0;
    for (;;) {
      const isLast = rest.length <= MAX_FRAME_BYTES;
      const part = isLast ? rest : rest.subarray(0, MAX_FRAME_BYTES);
      this.#frame(type, isLast ? flags | FLAG.END_HEADERS : flags, streamId, part);
      if (isLast) return;
      rest = rest.subarray(MAX_FRAME_BYTES);
      type = FRAME_TYPE.CONTINUATION;
      flags = 0;
    }
  }

  /** One DATA frame of `first` and, behind it, `second`. Together they fit a frame. */
  data(streamId: number, first: Uint8Array, second: Uint8Array, endStream: boolean): void {
    const length = first.length + second.length;
    const batch = this.#batch;
    batch.room(FRAME_HEADER_BYTES + length);
    const flags = endStream ? FLAG.END_STREAM : 0;
    const at = writeFrameHeader(batch.bytes, batch.at, length, FRAME_TYPE.DATA, flags, streamId);
    batch.at = copy(batch.bytes, copy(batch.bytes, at, first), second);
  }

  rstStream(streamId: number, code: ErrorCode): void {
    this.#word(FRAME_TYPE.RST_STREAM, streamId, code);
  }

  windowUpdate(streamId: number, bytes: number): void {
    this.#word(FRAME_TYPE.WINDOW_UPDATE, streamId, bytes);
  }

  settings(payload: Uint8Array): void {
    this.#frame(FRAME_TYPE.SETTINGS, 0, 0, payload);
  }

  settingsAck(): void {
    this.#frame(FRAME_TYPE.SETTINGS, FLAG.ACK, 0, NOTHING);
  }

  /** `payload`: eight octets. */
  ping(payload: Uint8Array, ack: boolean): void {
    this.#frame(FRAME_TYPE.PING, ack ? FLAG.ACK : 0, 0, payload);
  }

  /** `debug` says to people at the other end why. */
  goaway(lastStreamId: number, code: ErrorCode, debug = ""): void {
    const payload = Buffer.alloc(8 + debug.length);
    write32Bits(payload, 0, lastStreamId);
    write32Bits(payload, 4, code);
    payload.write(debug, 8, "latin1");
    this.#frame(FRAME_TYPE.GOAWAY, 0, 0, payload);
  }

  #word(type: number, streamId: number, value: number): void {
    const batch = this.#batch;
    batch.room(FRAME_HEADER_BYTES + 4);
    const at = writeFrameHeader(batch.bytes, batch.at, 4, type, 0, streamId);
    batch.at = write32Bits(batch.bytes, at, value);
  }

  #frame(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    const batch = this.#batch;
    batch.room(FRAME_HEADER_BYTES + payload.length);
    const at = writeFrameHeader(batch.bytes, batch.at, payload.length, type, flags, streamId);
    batch.at = copy(batch.bytes, at, payload);
  }
}

/** The prefix of an uncompressed message. SPEC: gRPC over HTTP/2, Length-Prefixed-Message. */
export function toPrefix(messageBytes: number): Uint8Array {
  const prefix = new Uint8Array(MESSAGE_PREFIX_BYTES);
  write32Bits(prefix, 1, messageBytes);
  return prefix;
}

function copy(bytes: Uint8Array, at: number, source: Uint8Array): number {
  const { length } = source;
  if (length > SHORT_BYTES) bytes.set(source, at);
  else for (let i = 0; i < length; i++) bytes[at + i] = source[i] as number;
  return at + length;
}
