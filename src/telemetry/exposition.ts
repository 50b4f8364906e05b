// Prometheus' text format by prom-client, from readers that are called at scrape: no metric of ours lives inside prom-client, whose
// own counters hash their labels on every increment. Also its process and Node metrics (`process_…`, `nodejs_…`).

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { CATALOGUE, type MetricEntry, type MetricName } from "./catalogue.ts";
import type { HistogramReading } from "./duration-histogram.ts";

/** One series of a counter or gauge. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One series of a histogram. */
export interface HistogramSample extends HistogramReading {
  readonly labels: Readonly<Record<string, string>>;
}

/** A reader for each metric of the catalogue. */
export type MetricReaders = {
  readonly [Name in MetricName]: (typeof CATALOGUE)[Name]["type"] extends "histogram"
    ? () => readonly HistogramSample[]
    : () => readonly Sample[];
};

/** prom-client's histogram with its state replaced by ours. */
class ReadHistogram extends Histogram {
  readonly #name: string;
  readonly #entry: MetricEntry;
  readonly #read: () => readonly HistogramSample[];

  constructor(name: string, entry: MetricEntry, read: () => readonly HistogramSample[]) {
    super({ name, help: entry.help, labelNames: Object.keys(entry.labels), registers: [] });
    this.#name = name;
    this.#entry = entry;
    this.#read = read;
  }

  /** What prom-client's text format asks a histogram for (and its `get` passes on); missing from its types. */
  async getForPromString(): Promise<object> {
    const bounds = this.#entry.bucketsSeconds ?? [];
    const values = this.#read().flatMap(({ labels, cumulative, count, sumSeconds }) => [
      ...bounds.map((bound, at) => ({
        metricName: `${this.#name}_bucket`,
        labels: { le: bound, ...labels },
        value: cumulative[at] ?? 0,
      })),
      { metricName: `${this.#name}_bucket`, labels: { le: "+Inf", ...labels }, value: count },
      { metricName: `${this.#name}_sum`, labels, value: sumSeconds },
      { metricName: `${this.#name}_count`, labels, value: count },
    ]);
    return { name: this.#name, help: this.#entry.help, type: "histogram", aggregator: "sum", values };
  }
}

function register(registry: Registry, name: MetricName, readers: MetricReaders): void {
  const entry: MetricEntry = CATALOGUE[name];
  const shape = { name, help: entry.help, labelNames: Object.keys(entry.labels), registers: [registry] };
  const read = readers[name];
  if (entry.type === "histogram") {
    registry.registerMetric(new ReadHistogram(name, entry, read as () => readonly HistogramSample[]));
    return;
  }
  const samples = read as () => readonly Sample[];
  if (entry.type === "counter") {
    new Counter({
      ...shape,
      collect() {
        this.reset();
        for (const { labels, value } of samples()) this.inc(labels, value);
      },
    });
    return;
  }
  new Gauge({
    ...shape,
    collect() {
      this.reset();
      const series = samples();
      // `reset` leaves a 0 in a gauge without labels, which would stand for a value that is absent.
      if (series.length === 0) this.remove({});
      for (const { labels, value } of series) this.set(labels, value);
    },
  });
}

/** Creates the exposition: `text()` calls every reader once. */
export function createExposition(
  readers: MetricReaders,
  processMetrics: boolean,
): { text(): Promise<string>; readonly contentType: string } {
  const registry = new Registry();
  for (const name of Object.keys(CATALOGUE) as MetricName[]) register(registry, name, readers);
  if (processMetrics) collectDefaultMetrics({ register: registry });
  return { text: () => registry.metrics(), contentType: registry.contentType };
}
