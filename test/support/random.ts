// A seeded source of choices for generated tests: the same seed gives the same cases on every machine.

/** Choices that depend on nothing but the seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An unsigned 32-bit number (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    return this.next() % limit;
  }

  /** True in `percent` of 100 cases. */
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** `count` picks joined. */
  text(pieces: readonly string[], count: number): string {
    return Array.from({ length: count }, () => this.pick(pieces)).join("");
  }

  /** The bytes with a few of them changed, removed, inserted or cut off. */
  mutate(bytes: Buffer, changes: number): Buffer {
    let mutated = Buffer.from(bytes);
    for (let change = 0; change < changes; change++) {
      const at = this.below(mutated.length + 1);
      const rest = mutated.subarray(at);
      const byte = Buffer.from([this.chance(50) ? this.below(256) : this.pick([0x22, 0x5c, 0x2c, 0x0d, 0x0a, 0x3d])]);
      const kind = this.below(4);
      if (kind === 0) mutated = Buffer.concat([mutated.subarray(0, at), byte, rest.subarray(1)]);
      else if (kind === 1) mutated = Buffer.concat([mutated.subarray(0, at), byte, rest]);
      else if (kind === 2) mutated = Buffer.concat([mutated.subarray(0, at), rest.subarray(1)]);
      else mutated = Buffer.concat([mutated.subarray(0, at), this.chance(30) ? Buffer.alloc(0) : rest]);
    }
    return mutated;
  }
}
