// Puts header blocks together: padding and priority of HEADERS, and CONTINUATION. SPEC: RFC 9113 §4.3, §6.2, §6.10.
// SECURITY: bounds the block and the number of its frames before anything is decoded.

import { FLAG, read31Bits } from "./frame.ts";
import { copyOf } from "./own-bytes.ts";

/** Bounds of one header block. */
export interface HeaderBlockLimits {
  /** Of a block of several frames, as it is on the wire; one frame holds no more than MAX_FRAME_BYTES. */
  readonly maxBlockBytes: number;
  readonly maxContinuations: number;
}

/** Why a block ends the connection. */
export type HeaderBlockFault = "protocol_error" | "frame_size_error" | "header_block_size" | "continuation_flood";

/** A block, once its last frame has come: `bytes`[start, end). The same object each time. */
export interface HeaderBlock {
  bytes: Buffer;
  start: number;
  end: number;
  streamId: number;
  endStream: boolean;
  /** SPEC: RFC 7540 §5.3.1: a stream cannot depend on itself. */
  dependsOnItself: boolean;
}

const NOTHING: Buffer = Buffer.alloc(0);
const PRIORITY_BYTES = 5;

/** The header block that a connection is in the middle of, if any. */
export class HeaderBlocks {
  readonly #limits: HeaderBlockLimits;
  readonly #block: HeaderBlock = {
    bytes: NOTHING,
    start: 0,
    end: 0,
    streamId: 0,
    endStream: false,
    dependsOnItself: false,
  };
  #parts: Buffer[] = [];
  #partsBytes = 0;
  #continuations = 0;
  /** The stream whose block is not whole; 0 when none is. Until then nothing but its CONTINUATION may come. */
  openStreamId = 0;

  constructor(limits: HeaderBlockLimits) {
    this.#limits = limits;
  }

  /** Memory that an unfinished block takes. */
  get heldBytes(): number {
    return this.#partsBytes;
  }

  /** HEADERS. Undefined: the block goes on. */
  begin(
    bytes: Buffer,
    from: number,
    to: number,
    flags: number,
    streamId: number,
  ): HeaderBlock | HeaderBlockFault | undefined {
    const block = this.#block;
    let start = from;
    let end = to;
    block.dependsOnItself = false;
    if ((flags & FLAG.PADDED) !== 0) {
      if (start >= end) return "frame_size_error";
      end -= bytes[start] as number;
      start++;
      if (end < start) return "protocol_error";
    }
    if ((flags & FLAG.PRIORITY) !== 0) {
      if (end - start < PRIORITY_BYTES) return (flags & FLAG.PADDED) === 0 ? "frame_size_error" : "protocol_error";
      block.dependsOnItself = read31Bits(bytes, start) === streamId;
      start += PRIORITY_BYTES;
    }
    block.streamId = streamId;
    block.endStream = (flags & FLAG.END_STREAM) !== 0;
    if ((flags & FLAG.END_HEADERS) !== 0) {
      block.bytes = bytes;
      block.start = start;
      block.end = end;
      return block;
    }
    this.openStreamId = streamId;
    this.#continuations = 0;
    return this.#add(bytes, start, end);
  }

  /** CONTINUATION of the open block. Undefined: the block goes on. */
  go(bytes: Buffer, start: number, end: number, flags: number): HeaderBlock | HeaderBlockFault | undefined {
    this.#continuations++;
    if (this.#continuations > this.#limits.maxContinuations) return "continuation_flood";
    const fault = this.#add(bytes, start, end);
    if (fault !== undefined || (flags & FLAG.END_HEADERS) === 0) return fault;
    const block = this.#block;
    block.bytes = Buffer.concat(this.#parts, this.#partsBytes);
    block.start = 0;
    block.end = this.#partsBytes;
    this.#parts = [];
    this.#partsBytes = 0;
    this.openStreamId = 0;
    return block;
  }

  #add(bytes: Buffer, start: number, end: number): HeaderBlockFault | undefined {
    this.#partsBytes += end - start;
    if (this.#partsBytes > this.#limits.maxBlockBytes) return "header_block_size";
    // A copy: the block must not keep the chunks alive in which it came.
    this.#parts.push(copyOf(bytes.subarray(start, end)));
    return undefined;
  }
}
