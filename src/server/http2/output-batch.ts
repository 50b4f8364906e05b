// Gathers what one turn writes on one connection, so that it leaves in one write.
// PERF: bytes go into slabs that all connections of a process share, one after the other; a slab is never written twice, so what
// was handed to a socket stays as it is, and an idle connection holds none.

import type { ConnectionOutput } from "./connection.ts";
import { copyOf } from "./own-bytes.ts";

const SLAB_BYTES = 128 * 1024;
/** What is left of a slab is not worth keeping below this. */
const MIN_SPARE_BYTES = 8 * 1024;

const NOTHING: Buffer = Buffer.alloc(0);

/** A slab that nobody is writing into; the rest of it from `spareAt`. */
let spare = NOTHING;
let spareAt = 0;

/** The writing side of one connection. */
export class OutputBatch {
  readonly #output: ConnectionOutput;
  readonly #onBegin: () => void;
  /** Where the next byte goes: `bytes[at]`, after `room` has been asked for. */
  bytes: Buffer = NOTHING;
  at = 0;
  #start = 0;
  /** What the kernel had not taken after the last write, or when `look` was called. */
  unsentBytes = 0;
  /** What was handed over, since the beginning. */
  writtenBytes = 0;

  /** `onBegin` is told when a batch begins, which somebody must flush. */
  constructor(output: ConnectionOutput, onBegin: () => void) {
    this.#output = output;
    this.#onBegin = onBegin;
  }

  /** Bytes that are on their way: in this batch, or not taken by the kernel. */
  get backlogBytes(): number {
    return this.unsentBytes + this.at - this.#start;
  }

  /** Makes room for `bytes` at `at`: up to three frames, less than a slab. */
  room(bytes: number): void {
    if (this.bytes.length - this.at < bytes) this.#renew(bytes);
  }

  /** Hands over what was gathered. */
  flush(): void {
    const start = this.#start;
    const { bytes, at } = this;
    if (bytes.length === 0) return;
    this.#release();
    if (at === start) return;
    const output = this.#output;
    // SECURITY: what waits for a slow peer must not keep a slab alive for a few bytes of it.
    const written = bytes.subarray(start, at);
    this.writtenBytes += written.length;
    output.write(this.unsentBytes > 0 ? copyOf(written) : written);
    this.unsentBytes = output.unsentBytes;
  }

  /** Asks again what the kernel has not taken. */
  look(): void {
    this.unsentBytes = this.#output.unsentBytes;
  }

  #renew(bytes: number): void {
    const isFirst = this.bytes.length === 0;
    this.flush();
    if (spare.length - spareAt < bytes) {
      this.bytes = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.at = 0;
    } else {
      this.bytes = spare;
      this.at = spareAt;
      spare = NOTHING;
      spareAt = 0;
    }
    this.#start = this.at;
    if (isFirst) this.#onBegin();
  }

  #release(): void {
    if (this.bytes.length - this.at >= MIN_SPARE_BYTES && this.bytes.length - this.at > spare.length - spareAt) {
      spare = this.bytes;
      spareAt = this.at;
    }
    this.bytes = NOTHING;
    this.at = 0;
    this.#start = 0;
  }
}
