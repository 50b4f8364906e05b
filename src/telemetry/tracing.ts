// One server span per decision, for those who follow requests through their services: which decisions get one, whose child it is,
// and its way out (queue, OTLP/HTTP). Off unless an endpoint is configured. A decision never waits for any of it.
// SPEC: Trace Context §3.2.2.5 (the parent's sampled flag), OpenTelemetry semantic conventions for RPC servers.

import { randomBytes } from "node:crypto";
import { type Clock, createUnixUs } from "../base/clock.ts";
import { createOtlpSender } from "./otlp-http.ts";
import { createExportText, type SpanFacts, type SpanResource, toSpanText } from "./otlp-span.ts";
import { createSpanQueue, type SpanCounts, type SpanQueueOptions } from "./span-queue.ts";

/** Which decisions get a span: those of traces that the caller records; with every decision that is no allow; or all. */
export type TraceSampling = "parent" | "parent_or_denied" | "all";

/** What tracing needs to know. */
export interface TracingOptions extends SpanResource, Omit<SpanQueueOptions, "send"> {
  /** The collector's full URL. */
  readonly endpoint: URL;
  readonly sampling: TraceSampling;
  readonly clock: Clock;
  /** For one exchange with the collector; 5 s unless set. */
  readonly timeoutMs?: number;
}

/** The tracer of a process. */
export interface Tracing {
  /** Makes the span of a decision that has just been made, if it gets one. Never throws, never waits. */
  decided(facts: SpanFacts): void;
  counts(): SpanCounts;
  /** Sends what waits. Never rejects. */
  close(timeoutMs: number): Promise<void>;
}

/** Starts tracing; nothing is sent before the first span. */
export function createTracing(options: TracingOptions): Tracing {
  const { sampling } = options;
  const unixUs = createUnixUs(options.clock);
  const sender = createOtlpSender(options.endpoint, options.timeoutMs ?? 5_000);
  const toExport = createExportText(options);
  const queue = createSpanQueue({ ...options, send: (spans) => sender.send(toExport(spans)) });
  const isWanted = ({ trace, outcome }: SpanFacts): boolean =>
    trace?.sampled === true || sampling === "all" || (sampling === "parent_or_denied" && outcome !== "allow");
  return {
    decided: (facts) => {
      if (!isWanted(facts)) return;
      const { trace } = facts;
      const place = {
        traceId: trace?.traceId ?? randomBytes(16).toString("hex"),
        spanId: randomBytes(8).toString("hex"),
        parentSpanId: trace?.spanId,
        endUnixUs: unixUs(),
      };
      queue.add(toSpanText(facts, place));
    },
    counts: queue.counts,
    close: async (timeoutMs) => {
      await queue.close(timeoutMs);
      sender.close();
    },
  };
}
