// One row of a soak's table: what the server says of itself and what ordinary peers saw since the last row.

import type { OrdinaryFigures } from "./ordinary.ts";

export interface Sample {
  /** Since the soak began. */
  readonly atMs: number;
  readonly rssMib: number;
  readonly heapMib: number;
  readonly checksPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly harmed: number;
  readonly connections: number;
}

const MIB = 1024 * 1024;

/** `interval`: waiting times since the last sample. */
export function takeSample(
  atMs: number,
  lastMs: number,
  metrics: ReadonlyMap<string, number>,
  interval: OrdinaryFigures["latencies"],
  harmed: number,
): Sample {
  const sample: Sample = {
    atMs,
    rssMib: (metrics.get("process_resident_memory_bytes") ?? Number.NaN) / MIB,
    heapMib: (metrics.get("nodejs_heap_size_used_bytes") ?? Number.NaN) / MIB,
    checksPerSecond: (interval.count * 1000) / (atMs - lastMs),
    p50Ms: interval.quantileMs(0.5),
    p99Ms: interval.quantileMs(0.99),
    maxMs: interval.maxMs,
    harmed,
    connections: metrics.get("svidgate_connections") ?? Number.NaN,
  };
  return sample;
}

export const SAMPLE_HEAD = [
  "seconds",
  "RSS MiB",
  "heap MiB",
  "checks/s",
  "p50 ms",
  "p99 ms",
  "max ms",
  "harmed",
  "connections",
];

export const toRow = (sample: Sample): readonly string[] => [
  (sample.atMs / 1000).toFixed(0),
  sample.rssMib.toFixed(1),
  sample.heapMib.toFixed(1),
  sample.checksPerSecond.toFixed(0),
  sample.p50Ms.toFixed(2),
  sample.p99Ms.toFixed(2),
  sample.maxMs.toFixed(1),
  String(sample.harmed),
  String(sample.connections),
];
