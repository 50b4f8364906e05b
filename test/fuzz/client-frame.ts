// What a fuzzing client sends, frame by frame, before and after something has been done to it. SPEC: RFC 9113 §4.1.

import { FRAME_HEADER_BYTES, writeFrameHeader } from "../../src/server/http2/frame.ts";

/** A frame that need not be legal. */
export interface ClientFrame {
  type: number;
  flags: number;
  streamId: number;
  payload: Buffer;
  /** What its header says of its length where that is a lie. */
  length?: number;
}

export const EMPTY: Buffer = Buffer.alloc(0);

export const clientFrame = (type: number, flags: number, streamId: number, payload: Buffer = EMPTY): ClientFrame => ({
  type,
  flags,
  streamId,
  payload,
});

/** A payload of 32-bit numbers. */
export function words(...values: number[]): Buffer {
  const bytes = Buffer.allocUnsafe(values.length * 4);
  values.forEach((value, at) => {
    bytes.writeUInt32BE(value >>> 0, at * 4);
  });
  return bytes;
}

/** The frames one after the other. */
export function toBytes(frames: readonly ClientFrame[]): Buffer {
  let length = 0;
  for (const { payload } of frames) length += FRAME_HEADER_BYTES + payload.length;
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const frame of frames) {
    const { payload } = frame;
    at = writeFrameHeader(bytes, at, frame.length ?? payload.length, frame.type, frame.flags, frame.streamId);
    at += payload.copy(bytes, at);
  }
  return bytes;
}

/** Cuts what comes in pieces into frames; a length that nobody may send ends it. */
export class FrameSplitter {
  #rest: Buffer = EMPTY;
  #skip: number;
  #isLost = false;

  /** `skipBytes` come before the first frame. */
  constructor(skipBytes: number) {
    this.#skip = skipBytes;
  }

  /** Bytes of a frame that has not come whole. */
  get restBytes(): number {
    return this.#rest.length;
  }

  split(chunk: Buffer, each: (type: number, flags: number, streamId: number, payload: Buffer) => void): void {
    if (this.#isLost) return;
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (this.#skip > 0) {
      const skipped = Math.min(this.#skip, bytes.length);
      this.#skip -= skipped;
      bytes = bytes.subarray(skipped);
    }
    let at = 0;
    while (bytes.length - at >= FRAME_HEADER_BYTES) {
      const length = bytes.readUIntBE(at, 3);
      const end = at + FRAME_HEADER_BYTES + length;
      if (length > 16_384) this.#isLost = true;
      if (end > bytes.length || this.#isLost) break;
      const streamId = bytes.readUInt32BE(at + 5) & 0x7fff_ffff;
      each(bytes[at + 3] as number, bytes[at + 4] as number, streamId, bytes.subarray(at + FRAME_HEADER_BYTES, end));
      at = end;
    }
    this.#rest = at === bytes.length ? EMPTY : bytes.subarray(at);
  }

  /** Whether a frame larger than allowed was met: nothing after it is a frame. */
  get isLost(): boolean {
    return this.#isLost;
  }
}
