// The one message of a unary call, from the DATA frames that bring it. SPEC: gRPC over HTTP/2, "Length-Prefixed-Message": one byte that
// says whether it is compressed, four bytes of length, the message. What is compressed is unpacked elsewhere.

import { MESSAGE_PREFIX_BYTES } from "./stream.ts";

/** What a request's body can be besides one message. */
export type MessageFault =
  | "message_too_large"
  | "flag_unknown"
  | "second_message"
  | "message_missing"
  | "message_cut_off";

// SECURITY: a part is copied, never kept as a view: a view of one byte would hold all that was read together with it.
const MIN_PARTIAL_BYTES = 1024;
const NO_BYTES: Uint8Array = new Uint8Array(0);

/** PERF: the message of a body that is one whole, uncompressed message within the limit, as a view; undefined for any other body. */
export function sliceWholeMessage(body: Buffer, maxBytes: number): Buffer | undefined {
  const length = body.length - MESSAGE_PREFIX_BYTES;
  if (length < 0 || length > maxBytes || body[0] !== 0 || readLength(body) !== length) return undefined;
  return body.subarray(MESSAGE_PREFIX_BYTES);
}

/** Puts the message together, whatever the frames are. Holds at most twice the bytes that have come, and 1 KiB. */
export class MessageParts {
  /** Of the message, from its prefix; undefined until that has come. */
  length: number | undefined;
  isCompressed = false;
  readonly #maxBytes: number;
  #prefixBytes = 0;
  #prefixLength = 0;
  #received = 0;
  #partial: Uint8Array = NO_BYTES;
  #whole: Uint8Array | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Takes the next bytes of the body. After a fault nothing more is to be given. */
  take(bytes: Buffer): MessageFault | undefined {
    let at = 0;
    for (; at < bytes.length && this.#prefixBytes < MESSAGE_PREFIX_BYTES; at++) {
      const byte = bytes[at] as number;
      if (this.#prefixBytes++ > 0) this.#prefixLength = this.#prefixLength * 256 + byte;
      else if (byte > 1) return "flag_unknown";
      else this.isCompressed = byte === 1;
    }
    if (this.#prefixBytes < MESSAGE_PREFIX_BYTES) return undefined;
    if (this.length === undefined) {
      if (this.#prefixLength > this.#maxBytes) return "message_too_large";
      this.length = this.#prefixLength;
      if (this.length === 0) this.#whole = NO_BYTES;
    }
    const left = bytes.length - at;
    const wanted = this.length - this.#received;
    if (left > wanted) return "second_message";
    if (left === 0) return undefined;
    // The whole message in one piece: nothing else of the chunk but its prefix is held with it.
    if (left === this.length) this.#whole = bytes.subarray(at);
    else this.#append(bytes, at, left);
    this.#received += left;
    return undefined;
  }

  /** The message, to be asked once the body has ended. */
  finish(): Uint8Array | MessageFault {
    if (this.#whole !== undefined) return this.#whole;
    return this.#prefixBytes === 0 ? "message_missing" : "message_cut_off";
  }

  #append(bytes: Buffer, at: number, left: number): void {
    const length = this.length as number;
    const filled = this.#received + left;
    if (filled > this.#partial.length) {
      // SECURITY: grown as the bytes come, not by what the prefix promises.
      const grown = new Uint8Array(Math.min(length, Math.max(MIN_PARTIAL_BYTES, 2 * filled)));
      grown.set(this.#partial.subarray(0, this.#received));
      this.#partial = grown;
    }
    this.#partial.set(bytes.subarray(at), this.#received);
    if (filled === length) this.#whole = this.#partial;
  }
}

function readLength(body: Buffer): number {
  return (
    (body[1] as number) * 0x1000000 + (((body[2] as number) << 16) | ((body[3] as number) << 8) | (body[4] as number))
  );
}
