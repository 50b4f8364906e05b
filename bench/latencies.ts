// Waiting times without keeping them: a histogram whose buckets grow by 2 %, from a microsecond to a minute.

const GROWTH = Math.log(1.02);
const FIRST_MS = 0.001;
const BUCKETS = Math.ceil(Math.log(60_000 / FIRST_MS) / GROWTH) + 1;

export class Latencies {
  readonly #counts = new Float64Array(BUCKETS);
  count = 0;
  maxMs = 0;

  add(ms: number): void {
    const bucket = ms <= FIRST_MS ? 0 : Math.min(BUCKETS - 1, Math.ceil(Math.log(ms / FIRST_MS) / GROWTH));
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.count++;
    if (ms > this.maxMs) this.maxMs = ms;
  }

  /** The time within which `part` (0 to 1) of all have ended, at most 2 % too long; 0 when there are none. */
  quantileMs(part: number): number {
    let left = part * this.count;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.#counts[bucket] as number;
      if (left <= 0 && this.count > 0) return Math.min(this.maxMs, FIRST_MS * Math.exp(bucket * GROWTH));
    }
    return this.maxMs;
  }

  clear(): void {
    this.#counts.fill(0);
    this.count = 0;
    this.maxMs = 0;
  }
}
