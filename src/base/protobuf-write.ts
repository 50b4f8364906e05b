// Writes the protobuf wire format: the reverse of `protobuf-wire.ts`, for requests made from JSON and for merged messages.

import { WireType } from "./protobuf-wire.ts";

/** Collects encoded fields; `finish` joins them. */
export class WireWriter {
  readonly #chunks: Uint8Array[] = [];

  /** A varint field; `value` is taken modulo 2⁶⁴, so negative numbers take ten bytes as protobuf wants. */
  varint(number: number, value: bigint): void {
    this.#chunks.push(varintBytes(BigInt((number << 3) | WireType.varint)), varintBytes(BigInt.asUintN(64, value)));
  }

  /** A double field. */
  double(number: number, value: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    this.#chunks.push(varintBytes(BigInt((number << 3) | WireType.fixed64)), bytes);
  }

  /** A length-delimited field: bytes, UTF-8 text or an encoded message. */
  bytes(number: number, value: Uint8Array): void {
    this.#chunks.push(varintBytes(BigInt((number << 3) | WireType.bytes)), varintBytes(BigInt(value.length)), value);
  }

  /** A field as it stood on the wire, tag included. */
  raw(encoded: Uint8Array): void {
    this.#chunks.push(encoded);
  }

  /** Everything written so far, as one array. */
  finish(): Uint8Array {
    return Buffer.concat(this.#chunks);
  }
}

function varintBytes(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
