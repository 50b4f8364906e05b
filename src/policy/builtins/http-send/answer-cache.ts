// Answers that other decisions may use again. Bounded in bytes and entries; as in OPA, what came first goes first.

import type { HttpAnswer } from "./response.ts";

/** An answer that is kept. */
export interface KeptAnswer {
  readonly answer: HttpAnswer;
  /** Nanoseconds since 1970. */
  readonly freshUntilNs: bigint;
}

const MAX_ENTRIES = 10_000;
/** What an entry costs besides its texts. */
const ENTRY_BYTES = 512;

/** The kept answers of one policy. */
export class AnswerCache {
  readonly #maxBytes: number;
  // A Map iterates in the order of insertion, so its first key is the oldest.
  readonly #entries = new Map<string, KeptAnswer>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that are kept, about. */
  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): KeptAnswer | undefined {
    return this.#entries.get(key);
  }

  /** Keeps an answer, unless it is larger than all of the cache. */
  set(key: string, kept: KeptAnswer): void {
    this.delete(key);
    const size = sizeOf(key, kept);
    if (size > this.#maxBytes) return;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes + size <= this.#maxBytes && this.#entries.size < MAX_ENTRIES) break;
      this.delete(oldest);
    }
    this.#entries.set(key, kept);
    this.#bytes += size;
  }

  delete(key: string): void {
    const kept = this.#entries.get(key);
    if (kept === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= sizeOf(key, kept);
  }
}

function sizeOf(key: string, { answer }: KeptAnswer): number {
  let units = key.length;
  for (const [name, values] of answer.headers) units += name.length + values.join("").length;
  return ENTRY_BYTES + units * 2 + answer.body.length;
}
