// Reads integers and string literals of a header block, octet by octet, and never past its end. SPEC: RFC 7541 §5.
// What the numbers and strings mean is the decoder's business.

import { decodeHuffman, maxDecodedBytes } from "./huffman.ts";

/** What a read gives in place of a number when the block is malformed. */
export const MALFORMED = -1;

const HUFFMAN = 0x80;
const MAX_INTEGER = 0x7fffffff;
/** SPEC: §5.1 lets a decoder set limits; five octets after the prefix hold more than `MAX_INTEGER`, more of them are padding. */
const MAX_INTEGER_OCTETS = 5;

const NOTHING: Buffer = Buffer.alloc(0);
/** Where Huffman strings are unpacked: shared, for whoever reads a string makes it text before the next is read. */
const SCRATCH: Buffer = Buffer.allocUnsafeSlow(16 * 1024);

/** A place in a header block, and the string literal that was read last. */
export class BlockCursor {
  #block: Buffer = NOTHING;
  #end = 0;
  /** Offset of the next octet. */
  at = 0;
  #text: Buffer = NOTHING;
  #textStart = 0;
  #textEnd = 0;

  open(block: Buffer, start: number, end: number): void {
    this.#block = block;
    this.at = start;
    this.#end = end;
  }

  /** Lets go of the block, which may be part of a large read. */
  close(): void {
    this.#block = NOTHING;
    this.#text = NOTHING;
  }

  /** The rest of an integer whose first octet was `first`, with the prefix in the bits of `mask`; or MALFORMED. */
  integer(first: number, mask: number): number {
    const prefix = first & mask;
    if (prefix < mask) return prefix;
    let value = mask;
    let scale = 1;
    for (let octets = 0; octets < MAX_INTEGER_OCTETS; octets++) {
      if (this.at >= this.#end) return MALFORMED;
      const octet = this.#block[this.at++] as number;
      value += (octet & 0x7f) * scale;
      if (value > MAX_INTEGER) return MALFORMED;
      if (octet < 0x80) return value;
      scale *= 128;
    }
    return MALFORMED;
  }

  /** Reads a string literal and gives its decoded length, or MALFORMED; `text()` has it until the next is read. */
  string(): number {
    if (this.at >= this.#end) return MALFORMED;
    const first = this.#block[this.at++] as number;
    const length = this.integer(first, 0x7f);
    if (length === MALFORMED || length > this.#end - this.at) return MALFORMED;
    const start = this.at;
    this.at += length;
    if (first < HUFFMAN) {
      this.#text = this.#block;
      this.#textStart = start;
      this.#textEnd = this.at;
      return length;
    }
    const room = maxDecodedBytes(length);
    this.#text = room <= SCRATCH.length ? SCRATCH : Buffer.allocUnsafeSlow(room);
    this.#textStart = 0;
    this.#textEnd = decodeHuffman(this.#block, start, this.at, this.#text);
    return this.#textEnd;
  }

  /** The last string, one character an octet. */
  text(): string {
    return this.#text.toString("latin1", this.#textStart, this.#textEnd);
  }
}
