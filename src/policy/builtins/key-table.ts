// A map with any Rego value as key: `1` and `1.0` are one key. Text keys, almost all there are, cost one hash look-up.

import { compareValues, type Value } from "../value.ts";

/** The table; of equal keys the latest spelling is kept. */
export class KeyTable<T> {
  readonly #texts = new Map<string, T>();
  /** The other keys, sorted. */
  readonly #others: { key: Value; item: T }[] = [];

  /** How many keys there are. */
  get size(): number {
    return this.#texts.size + this.#others.length;
  }

  /** Whether the key is there. */
  has(key: Value): boolean {
    if (typeof key === "string") return this.#texts.has(key);
    return this.#at(key).isThere;
  }

  /** What stands under the key. */
  get(key: Value): T | undefined {
    if (typeof key === "string") return this.#texts.get(key);
    const { index, isThere } = this.#at(key);
    return isThere ? this.#others[index]?.item : undefined;
  }

  /** Puts `item` under the key. */
  set(key: Value, item: T): void {
    if (typeof key === "string") {
      this.#texts.set(key, item);
      return;
    }
    const { index, isThere } = this.#at(key);
    this.#others.splice(index, isThere ? 1 : 0, { key, item });
  }

  /** Every key with what stands under it, in no order. */
  *entries(): Generator<readonly [key: Value, item: T]> {
    yield* this.#texts;
    for (const { key, item } of this.#others) yield [key, item];
  }

  #at(key: Value): { readonly index: number; readonly isThere: boolean } {
    let low = 0;
    let high = this.#others.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = compareValues((this.#others[middle] as { key: Value }).key, key);
      if (order === 0) return { index: middle, isThere: true };
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return { index: low, isThere: false };
  }
}
