// The last few header blocks of a connection that changed nothing, and what they decoded to. An Envoy sends the same head with
// every check, and once its lines stand in the table the block is some ten octets that mean the same as before.
// PERF: a block that is known costs a comparison of its octets. INVARIANT: what is found holds only for the very state of the
// dynamic table in which it was kept, which `changes` names.

import type { HeaderList } from "./header-list.ts";

/** SECURITY: four blocks of 256 octets a connection; longer ones are decoded each time. */
const BLOCKS = 4;
const MAX_BLOCK_BYTES = 256;

/** Up to four blocks with their header lists. */
export class BlockMemo {
  #octets: Uint8Array | undefined;
  readonly #lengths = new Uint16Array(BLOCKS);
  readonly #lists: HeaderList[] = [];
  #changes = 0;
  #nextSlot = 0;
  /** Where a block was found last: most are the same as the one before. */
  #lastSlot = 0;

  /** The list of block[start, end), if it was kept while the table was as it is now. */
  find(block: Uint8Array, start: number, end: number, changes: number): HeaderList | undefined {
    const lists = this.#lists;
    if (changes !== this.#changes || lists.length === 0) return undefined;
    if (this.#isAt(this.#lastSlot, block, start, end)) return lists[this.#lastSlot];
    for (let slot = 0; slot < lists.length; slot++) {
      if (slot === this.#lastSlot || !this.#isAt(slot, block, start, end)) continue;
      this.#lastSlot = slot;
      return lists[slot];
    }
    return undefined;
  }

  /** Keeps what a block decoded to that has not changed the table. */
  keep(block: Uint8Array, start: number, end: number, changes: number, list: HeaderList): void {
    if (changes !== this.#changes) {
      this.#lists.length = 0;
      this.#nextSlot = 0;
      this.#lastSlot = 0;
      this.#changes = changes;
    }
    const length = end - start;
    if (length > MAX_BLOCK_BYTES) return;
    this.#octets ??= new Uint8Array(BLOCKS * MAX_BLOCK_BYTES);
    const slot = this.#nextSlot;
    const base = slot * MAX_BLOCK_BYTES;
    for (let at = 0; at < length; at++) this.#octets[base + at] = block[start + at] as number;
    this.#lengths[slot] = length;
    this.#lists[slot] = list;
    this.#nextSlot = (slot + 1) % BLOCKS;
  }

  #isAt(slot: number, block: Uint8Array, start: number, end: number): boolean {
    const octets = this.#octets;
    const length = end - start;
    if (octets === undefined || this.#lengths[slot] !== length) return false;
    const base = slot * MAX_BLOCK_BYTES;
    for (let at = 0; at < length; at++) if (octets[base + at] !== block[start + at]) return false;
    return true;
  }
}
