// What one stream has to send and may not yet: bytes of DATA in their order, then trailers.

/** Bytes and trailers that wait for a window, or for a peer that does not read. */
export class SendQueue {
  readonly #parts: Uint8Array[] = [];
  /** How much of the first part has been sent. */
  #sentBytes = 0;
  /** Bytes of DATA that wait. */
  waitingBytes = 0;
  /** The stream ends with what waits. */
  endStream = false;
  /** A header block that ends the stream after the bytes. */
  trailers: Uint8Array | undefined = undefined;
  /** Whether anything was sent since the last sweep, and since when nothing was. */
  moved = true;
  stuckSinceMs = 0;

  /** Keeps a copy of both, one after the other: what is sent may lie in memory that is used again. */
  add(first: Uint8Array, second: Uint8Array): void {
    const part = new Uint8Array(first.length + second.length);
    if (part.length === 0) return;
    part.set(first);
    part.set(second, first.length);
    this.#parts.push(part);
    this.waitingBytes += part.length;
  }

  /** Takes up to `maxBytes` off the front, as one piece. */
  take(maxBytes: number): Uint8Array {
    const first = this.#parts[0] as Uint8Array;
    const end = Math.min(first.length, this.#sentBytes + maxBytes);
    const piece = first.subarray(this.#sentBytes, end);
    this.waitingBytes -= piece.length;
    this.moved = true;
    if (end < first.length) this.#sentBytes = end;
    else {
      this.#parts.shift();
      this.#sentBytes = 0;
    }
    return piece;
  }
}
