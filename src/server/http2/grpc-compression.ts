// Unpacks gzip messages off the main thread. SECURITY: what comes out is bounded by zlib while it works, so that a bomb costs a bounded
// buffer; few are unpacked at once, owners (connections) take turns, and when too much waits, the owner that makes the most wait loses.

import { gunzip } from "node:zlib";

/** Why there is no message. */
export type UnpackFault = "packing_corrupt" | "unpacked_too_large" | "unpacker_busy";

/** Told exactly once, unless cancelled before. */
export type OnUnpacked = (outcome: Uint8Array | UnpackFault) => void;

/** Bounds of one unpacker. */
export interface UnpackerLimits {
  /** Largest message that comes out. */
  readonly maxMessageBytes: number;
  /** Unpacked at the same time; Node has four threads for this and for files and names. Default 2. */
  readonly maxActive?: number;
  /** Memory of all messages that wait. Default 16 MiB. */
  readonly maxWaitingBytes?: number;
}

interface Job {
  readonly owner: object;
  readonly bytes: Uint8Array;
  readonly heldBytes: number;
  done: OnUnpacked | undefined;
}

/** What one owner makes wait. */
interface Queue {
  readonly jobs: Job[];
  heldBytes: number;
}

const DEFAULT_ACTIVE = 2;
const DEFAULT_WAITING_BYTES = 16 * 1024 * 1024;
/** What a job costs besides its bytes, so that many empty ones are bounded too. */
const JOB_BYTES = 512;
/**
 * Packed messages that cannot come to much, and what zlib fills at a time. SECURITY: Node's own 16 KiB make 256 calls back to the
 * main thread of a bomb of 4 KiB, 7 ms of its time; larger ones a tenth of that. PERF: for a short message they cost more than it does.
 */
const SHORT_BYTES = 512;
const SHORT_CHUNK_BYTES = 16 * 1024;
const CHUNK_BYTES = 256 * 1024;

/** Unpacks for all connections of a listener. */
export class Unpacker {
  readonly #maxMessageBytes: number;
  readonly #maxActive: number;
  readonly #maxWaitingBytes: number;
  /** INVARIANT: no empty queue. The first owner is served next. */
  readonly #waiting = new Map<object, Queue>();
  #waitingBytes = 0;
  #active = 0;

  constructor(limits: UnpackerLimits) {
    this.#maxMessageBytes = limits.maxMessageBytes;
    this.#maxActive = limits.maxActive ?? DEFAULT_ACTIVE;
    this.#maxWaitingBytes = limits.maxWaitingBytes ?? DEFAULT_WAITING_BYTES;
  }

  /** What waits now, in bytes of memory. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** `bytes` never change afterwards. `done` may be told before this returns; the function that comes back forgets it. */
  unpack(owner: object, bytes: Uint8Array, done: OnUnpacked): () => void {
    // A view holds the whole of what it was read with.
    const job: Job = { owner, bytes, heldBytes: bytes.buffer.byteLength + JOB_BYTES, done };
    if (this.#active < this.#maxActive) this.#start(job);
    else this.#enqueue(job);
    return () => this.#cancel(job);
  }

  #enqueue(job: Job): void {
    const own = this.#waiting.get(job.owner);
    if (own === undefined) this.#waiting.set(job.owner, { jobs: [job], heldBytes: job.heldBytes });
    else {
      own.jobs.push(job);
      own.heldBytes += job.heldBytes;
    }
    this.#waitingBytes += job.heldBytes;
    while (this.#waitingBytes > this.#maxWaitingBytes) this.#dropFromLargest();
  }

  #dropFromLargest(): void {
    let largest: Queue | undefined;
    for (const queue of this.#waiting.values()) {
      // The newest owner of several that are alike: the others were there before.
      if (largest === undefined || queue.heldBytes >= largest.heldBytes) largest = queue;
    }
    const job = largest?.jobs.at(-1) as Job;
    this.#remove(job);
    settle(job, "unpacker_busy");
  }

  #cancel(job: Job): void {
    job.done = undefined;
    this.#remove(job);
  }

  /** Nothing happens to a job that does not wait. */
  #remove(job: Job): void {
    const queue = this.#waiting.get(job.owner);
    const at = queue?.jobs.indexOf(job) ?? -1;
    if (queue === undefined || at < 0) return;
    queue.jobs.splice(at, 1);
    queue.heldBytes -= job.heldBytes;
    if (queue.jobs.length === 0) this.#waiting.delete(job.owner);
    this.#waitingBytes -= job.heldBytes;
  }

  #start(job: Job): void {
    this.#active++;
    // Data that ends too soon is an error of zlib; what follows a whole gzip member and is none itself is dropped, as gzip does.
    const chunkSize = job.bytes.length < SHORT_BYTES ? SHORT_CHUNK_BYTES : CHUNK_BYTES;
    gunzip(job.bytes, { maxOutputLength: Math.max(this.#maxMessageBytes, 1), chunkSize }, (error, unpacked) => {
      this.#active--;
      this.#startNext();
      if (error === null) settle(job, unpacked.length > this.#maxMessageBytes ? "unpacked_too_large" : unpacked);
      else settle(job, isTooLarge(error) ? "unpacked_too_large" : "packing_corrupt");
    });
  }

  #startNext(): void {
    const first = this.#waiting.entries().next();
    if (first.done === true) return;
    const [owner, queue] = first.value;
    const job = queue.jobs[0] as Job;
    this.#remove(job);
    // Its turn is over: the others go before its next one.
    if (queue.jobs.length > 0) {
      this.#waiting.delete(owner);
      this.#waiting.set(owner, queue);
    }
    this.#start(job);
  }
}

function settle(job: Job, outcome: Uint8Array | UnpackFault): void {
  const { done } = job;
  job.done = undefined;
  done?.(outcome);
}

const isTooLarge = (error: Error): boolean => "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
