// Reads the protobuf wire format (protobuf encoding guide, "Message structure") from a byte range without copying.
// Strict where grpc-go is: over-long varints, field number 0, reserved wire types, unbalanced groups and lengths past
// the end are malformed. It knows nothing of fields and types; `protobuf-scan.ts` does.

/** The wire types that carry values. */
export const WireType = { varint: 0, fixed64: 1, bytes: 2, startGroup: 3, endGroup: 4, fixed32: 5 } as const;

/** How deep groups may nest inside an unknown field; protobuf-go allows 10,000, which no JavaScript stack follows safely. */
const MAX_GROUP_DEPTH = 1000;

/**
 * A cursor over `bytes`. Methods take the `end` of the range that they may read and move `pos`.
 * After a method has reported malformed input the cursor is of no further use.
 */
export class WireReader {
  readonly bytes: Uint8Array;
  pos: number;
  /** Lower 32 bits of the last varint, as a signed 32-bit number. */
  low = 0;
  /** Upper 32 bits of the last varint, as a signed 32-bit number. */
  high = 0;

  constructor(bytes: Uint8Array, pos = 0) {
    this.bytes = bytes;
    this.pos = pos;
  }

  /** The next tag (`field number << 3 | wire type`, unsigned), or 0 when it is malformed. */
  readTag(end: number): number {
    if (this.pos < end) {
      const first = this.bytes[this.pos] as number;
      if (first < 0x80) {
        this.pos++;
        return first < 8 ? 0 : first;
      }
    }
    if (!this.readVarint(end) || this.high !== 0) return 0;
    const tag = this.low >>> 0;
    return tag < 8 ? 0 : tag;
  }

  /** Reads a varint of at most 64 bits into `low` and `high`; false when it is malformed. */
  readVarint(end: number): boolean {
    const { bytes } = this;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70 && this.pos < end; shift += 7) {
      const byte = bytes[this.pos++] as number;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else if (shift === 63 && byte > 1) return false;
      else high |= bits << (shift - 32);
      if (byte < 0x80) {
        this.low = low;
        this.high = high;
        return true;
      }
    }
    return false;
  }

  /** The length of a length-delimited value, or -1 when it is malformed or reaches past `end`. */
  readLength(end: number): number {
    if (this.pos >= end) return -1;
    let length = this.bytes[this.pos] as number;
    if (length < 0x80) this.pos++;
    else {
      if (!this.readVarint(end) || this.high !== 0) return -1;
      length = this.low >>> 0;
    }
    return length > end - this.pos ? -1 : length;
  }

  /** Skips the value that follows `tag`; false when it is malformed. */
  skip(tag: number, end: number, depth = 0): boolean {
    switch (tag & 7) {
      case WireType.varint:
        return this.readVarint(end);
      case WireType.fixed64:
        this.pos += 8;
        return this.pos <= end;
      case WireType.fixed32:
        this.pos += 4;
        return this.pos <= end;
      case WireType.bytes: {
        const length = this.readLength(end);
        if (length < 0) return false;
        this.pos += length;
        return true;
      }
      case WireType.startGroup:
        return depth < MAX_GROUP_DEPTH && this.#skipGroup(tag + 1, end, depth + 1);
      default:
        return false;
    }
  }

  #skipGroup(endTag: number, end: number, depth: number): boolean {
    for (;;) {
      const tag = this.readTag(end);
      if (tag === 0) return false;
      if (tag === endTag) return true;
      if (!this.skip(tag, end, depth)) return false;
    }
  }

  /** The last varint as a signed 64-bit number: exact within ±2⁵³, see `varintText` beyond. */
  varintNumber(): number {
    return this.high * 0x1_0000_0000 + (this.low >>> 0);
  }

  /** The last varint as the decimal text of a signed 64-bit integer. */
  varintText(): string {
    const value = this.varintNumber();
    return Number.isSafeInteger(value) ? String(value) : String((BigInt(this.high) << 32n) + BigInt(this.low >>> 0));
  }
}
