// Latency histograms on plain numbers: two typed arrays, no object per observation.
// Buckets are kept apart and added up at scrape, as Prometheus wants them cumulative.

/** One histogram of the exposition, cumulative, in seconds. */
export interface HistogramReading {
  /** Per upper bound, how many observations were at or below it. */
  readonly cumulative: readonly number[];
  readonly count: number;
  readonly sumSeconds: number;
}

/** Histograms that share their buckets, one per series. */
export interface DurationHistogram {
  /** Counts one duration in microseconds; what is no duration (NaN, negative, infinite) counts as 0. No allocation. */
  observe(series: number, durationUs: number): void;
  read(series: number): HistogramReading;
}

/** Creates `seriesCount` empty histograms with ascending upper bounds in seconds. */
export function createDurationHistogram(bucketsSeconds: readonly number[], seriesCount: number): DurationHistogram {
  // Whole nanoseconds, so that 0.2 s and 200,000 µs meet in the same number.
  const boundsUs = Float64Array.from(bucketsSeconds, (seconds) => Math.round(seconds * 1e9) / 1e3);
  const width = boundsUs.length + 1;
  const counts = new Float64Array(width * seriesCount);
  const sumsUs = new Float64Array(seriesCount);
  return {
    observe: (series, durationUs) => {
      const us = durationUs > 0 && durationUs < Number.POSITIVE_INFINITY ? durationUs : 0;
      let bucket = 0;
      // PERF: most checks end in the first buckets; a linear search beats a binary one there.
      while (bucket < boundsUs.length && us > (boundsUs[bucket] as number)) bucket++;
      (counts[series * width + bucket] as number)++;
      (sumsUs[series] as number) += us;
    },
    read: (series) => {
      let count = 0;
      const cumulative = Array.from(boundsUs, (_, bucket) => {
        count += counts[series * width + bucket] ?? 0;
        return count;
      });
      count += counts[series * width + boundsUs.length] ?? 0;
      return { cumulative, count, sumSeconds: (sumsUs[series] ?? 0) / 1e6 };
    },
  };
}
