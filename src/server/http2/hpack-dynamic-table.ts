// The dynamic table of one direction: first in, first out, in a ring. SPEC: RFC 7541 §2.3.2, §4.
// Which sizes the peer may ask for is judged by the decoder.

import type { HeaderField } from "./header-list.ts";

/** What an entry counts beside its octets. SPEC: RFC 7541 §4.1. */
export const FIELD_OVERHEAD_BYTES = 32;

/** A power of two, so that a mask turns a position into a slot; grows with what the table holds. */
const FIRST_SLOTS = 32;

/** Octets of a line as both the table and SETTINGS_MAX_HEADER_LIST_SIZE count them. */
export const fieldBytes = (field: HeaderField): number => field.name.length + field.value.length + FIELD_OVERHEAD_BYTES;

/** The lines that the peer has put into its table, newest first. */
export class DynamicTable {
  #slots: (HeaderField | undefined)[] = new Array(FIRST_SLOTS).fill(undefined);
  /** Slot of the next entry. */
  #next = 0;
  #count = 0;
  #bytes = 0;
  #maxBytes: number;
  #changes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** What the entries count together, never more than `maxBytes`. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Grows whenever an index may have come to mean something else. */
  get changes(): number {
    return this.#changes;
  }

  /** The entry that was added `age` entries ago, 0 for the newest. */
  at(age: number): HeaderField | undefined {
    return age < this.#count ? this.#slots[(this.#next - 1 - age) & (this.#slots.length - 1)] : undefined;
  }

  /** Adds a line, and evicts what must leave for it; one that is larger than the whole table leaves it empty (§4.4). */
  add(field: HeaderField, bytes: number): void {
    this.#changes++;
    if (bytes > this.#maxBytes) {
      this.#evictTo(0);
      return;
    }
    this.#evictTo(this.#maxBytes - bytes);
    if (this.#count === this.#slots.length) this.#grow();
    this.#slots[this.#next] = field;
    this.#next = (this.#next + 1) & (this.#slots.length - 1);
    this.#count++;
    this.#bytes += bytes;
  }

  /** What a line too large to be kept does. */
  clear(): void {
    this.#changes++;
    this.#evictTo(0);
  }

  resize(maxBytes: number): void {
    this.#changes++;
    this.#maxBytes = maxBytes;
    this.#evictTo(maxBytes);
  }

  #evictTo(bytes: number): void {
    const mask = this.#slots.length - 1;
    while (this.#bytes > bytes) {
      const slot = (this.#next - this.#count) & mask;
      this.#bytes -= fieldBytes(this.#slots[slot] as HeaderField);
      this.#slots[slot] = undefined;
      this.#count--;
    }
  }

  #grow(): void {
    const oldest = this.#next;
    const inOrder = [...this.#slots.slice(oldest), ...this.#slots.slice(0, oldest)];
    this.#slots = inOrder.concat(new Array(inOrder.length).fill(undefined));
    this.#next = this.#count;
  }
}
