// Times of many single evaluations, and what is said of them. Percentiles are nearest-rank: each is a time that was measured.

/** What is said of a series, in its unit; every member is NaN for an empty one. */
export interface Distribution {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
  readonly mean: number;
}

/** A series that grows. PERF: doubles in place of objects, so that measuring makes no garbage of its own. */
export class Series {
  #values = new Float64Array(1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Puts a number behind the others. */
  add(value: number): void {
    if (this.#length === this.#values.length) {
      const grown = new Float64Array(this.#values.length * 2);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.#length++] = value;
  }

  /** Forgets all. */
  clear(): void {
    this.#length = 0;
  }

  /** The middle one; of an even number the lower of the two, as `p50`. */
  median(): number {
    return this.distribution().p50;
  }

  /** Percentiles, greatest and mean. */
  distribution(): Distribution {
    const sorted = this.#values.slice(0, this.#length).sort();
    const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
    const sum = sorted.reduce((total, value) => total + value, 0);
    return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1), mean: sum / sorted.length };
  }
}
