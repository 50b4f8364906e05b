// Divides what a peer sends into frames, after its preface. SPEC: RFC 9113 §3.4, §4.1, §4.2.
// PERF: a frame that lies whole in a chunk is handed on as offsets into it. Only a frame that the end of a chunk cuts is copied,
// into bytes of its own, so that a chunk is never joined with the next.

import { CLIENT_PREFACE, FRAME_HEADER_BYTES, MAX_FRAME_BYTES, read31Bits } from "./frame.ts";

/** Takes frames as they become whole. */
export interface FrameSink {
  /** The payload is bytes[start, end). False to read no further for now. */
  onFrame(bytes: Buffer, start: number, end: number, type: number, flags: number, streamId: number): boolean;
  /** Not HTTP/2 with prior knowledge. Nothing is read any more. */
  onBadPreface(): void;
  /** A frame announces more than MAX_FRAME_BYTES. Nothing is read any more. */
  onOversizedFrame(): void;
}

/** The reading side of one connection. */
export class FrameReader {
  readonly #sink: FrameSink;
  #prefaceBytes = 0;
  #broken = false;
  /** The frame that the last chunk cut: its header alone until that is whole, then all of it. */
  #partial: Buffer | undefined;
  #partialAt = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Memory that a cut frame takes. */
  get heldBytes(): number {
    return this.#partial === undefined ? 0 : this.#partial.length;
  }

  /** Reads chunk[from …]; gives the offset up to which it has, short of the end when the sink wanted no more. */
  read(chunk: Buffer, from: number): number {
    if (this.#broken) return chunk.length;
    let at = from;
    if (this.#prefaceBytes < CLIENT_PREFACE.length) at = this.#readPreface(chunk, at);
    if (this.#partial !== undefined) {
      at = this.#complete(chunk, at);
      // The sink wanted no more after it, or it is still not whole.
      if (at < 0) return -1 - at;
    }
    const end = chunk.length;
    while (end - at >= FRAME_HEADER_BYTES && !this.#broken) {
      const length = ((chunk[at] as number) << 16) | ((chunk[at + 1] as number) << 8) | (chunk[at + 2] as number);
      if (length > MAX_FRAME_BYTES) return this.#tooLarge(end);
      const start = at + FRAME_HEADER_BYTES;
      const next = start + length;
      if (next > end) break;
      const type = chunk[at + 3] as number;
      const flags = chunk[at + 4] as number;
      const streamId = read31Bits(chunk, at + 5);
      at = next;
      if (!this.#sink.onFrame(chunk, start, next, type, flags, streamId)) return at;
    }
    if (at < end && !this.#broken) this.#keep(chunk, at);
    return end;
  }

  #readPreface(chunk: Buffer, from: number): number {
    let at = from;
    while (at < chunk.length && this.#prefaceBytes < CLIENT_PREFACE.length) {
      if (chunk[at] !== CLIENT_PREFACE[this.#prefaceBytes]) {
        this.#broken = true;
        this.#sink.onBadPreface();
        return chunk.length;
      }
      at++;
      this.#prefaceBytes++;
    }
    return at;
  }

  /** Goes on with the cut frame. Gives the offset after what it took, as -1 - offset when nothing more is to be read here. */
  #complete(chunk: Buffer, from: number): number {
    let at = from;
    let partial = this.#partial as Buffer;
    if (this.#partialAt < FRAME_HEADER_BYTES) {
      at = this.#fill(partial, chunk, at, FRAME_HEADER_BYTES);
      if (this.#partialAt < FRAME_HEADER_BYTES) return -1 - at;
      const length = partial.readUIntBE(0, 3);
      if (length > MAX_FRAME_BYTES) return -1 - this.#tooLarge(chunk.length);
      const whole = Buffer.allocUnsafe(FRAME_HEADER_BYTES + length);
      partial.copy(whole, 0, 0, FRAME_HEADER_BYTES);
      this.#partial = whole;
      partial = whole;
    }
    at = this.#fill(partial, chunk, at, partial.length);
    if (this.#partialAt < partial.length) return -1 - at;
    this.#partial = undefined;
    const type = partial[3] as number;
    const flags = partial[4] as number;
    const goOn = this.#sink.onFrame(partial, FRAME_HEADER_BYTES, partial.length, type, flags, read31Bits(partial, 5));
    return goOn ? at : -1 - at;
  }

  #fill(partial: Buffer, chunk: Buffer, at: number, upTo: number): number {
    const taken = chunk.copy(partial, this.#partialAt, at, Math.min(chunk.length, at + upTo - this.#partialAt));
    this.#partialAt += taken;
    return at + taken;
  }

  #keep(chunk: Buffer, at: number): void {
    const has = chunk.length - at;
    const bytes = has < FRAME_HEADER_BYTES ? FRAME_HEADER_BYTES : FRAME_HEADER_BYTES + chunk.readUIntBE(at, 3);
    this.#partial = Buffer.allocUnsafe(bytes);
    this.#partialAt = chunk.copy(this.#partial, 0, at);
  }

  #tooLarge(end: number): number {
    this.#broken = true;
    this.#sink.onOversizedFrame();
    return end;
  }
}
