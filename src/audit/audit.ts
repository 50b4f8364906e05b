// The audit trail of one process: numbers each decision, writes it as a line, and hands it to the queue before the sink.
// `record` is synchronous, never waits and never throws: a trail that fails costs events, counted and announced, not decisions.

import type { Clock } from "../base/clock.ts";
import { type AuditWriterOptions, createAuditWriter, type DecisionFacts } from "./event.ts";
import type { LossCause } from "./event-fields.ts";
import { createEventTime } from "./event-time.ts";
import { type AuditQueueStats, createAuditQueue } from "./queue.ts";
import type { AuditSink } from "./sinks.ts";

/** What `createAudit` needs; the bounds have defaults. */
export interface AuditOptions extends AuditWriterOptions {
  /** Undefined for no trail: nothing is written or counted. */
  readonly sink: AuditSink | undefined;
  readonly clock: Clock;
  /** Called when a run of losses begins; must not throw. */
  readonly onLost: (cause: LossCause, seq: number) => void;
  /** Called for every write or reopening that failed; must not throw. */
  readonly onSinkError: (error: unknown) => void;
  /** Events that may wait for the sink; 16,384 unless set. */
  readonly maxEvents?: number;
  /** Bytes that may wait for the sink; 16 MiB unless set. */
  readonly maxBytes?: number;
  /** How long an event may wait so that others share its write; 5 ms unless set. */
  readonly lingerMs?: number;
  /** Runs something later, once, and returns what cancels it; timers unless set. */
  readonly schedule?: (run: () => void, delayMs: number) => () => void;
}

/** Counters for metrics and status. */
export interface AuditStats extends AuditQueueStats {
  /** Decisions that were to be recorded: written, lost or waiting. */
  readonly recorded: number;
}

/** The audit trail. */
export interface Audit {
  /** Records one decision. Never throws. */
  record(facts: DecisionFacts): void;
  /** Writes what waits; false when that did not end within `timeoutMs`. */
  flush(timeoutMs: number): Promise<boolean>;
  /** Opens the file anew, after a rotation. A failure goes to `onSinkError` and the old file stays in use. */
  reopen(): void;
  /** Flushes and closes; false when events were left behind (counted as `shutdown`). Never rejects. */
  close(timeoutMs: number): Promise<boolean>;
  stats(): AuditStats;
}

const scheduleTimer = (run: () => void, delayMs: number): (() => void) => {
  if (delayMs === 0) {
    const immediate = setImmediate(run);
    return () => clearImmediate(immediate);
  }
  const timer = setTimeout(run, delayMs);
  return () => clearTimeout(timer);
};

/** Creates the audit trail before a sink. */
export function createAudit(options: AuditOptions): Audit {
  if (options.sink === undefined) return noAudit;
  const writer = createAuditWriter(options);
  const time = createEventTime(options.clock);
  const queue = createAuditQueue({
    sink: options.sink,
    maxEvents: options.maxEvents ?? 16_384,
    maxBytes: options.maxBytes ?? 16 * 1_048_576,
    lingerMs: options.lingerMs ?? 5,
    schedule: options.schedule ?? scheduleTimer,
    toGapLine: (loss) => writer.toGapLine(loss, time()),
    onLost: options.onLost,
    onSinkError: options.onSinkError,
  });
  let seq = 0;
  return {
    record: (facts) => {
      seq++;
      try {
        queue.push(writer.toDecisionLine(facts, seq, time()), seq);
      } catch (error) {
        queue.lose("internal", seq);
        options.onSinkError(error);
      }
    },
    flush: queue.flush,
    reopen: queue.reopen,
    close: queue.close,
    stats: () => ({ recorded: seq, ...queue.stats() }),
  };
}

/** The trail of `audit: none`. */
export const noAudit: Audit = {
  record: () => undefined,
  flush: async () => true,
  reopen: () => undefined,
  close: async () => true,
  stats: () => ({
    recorded: 0,
    written: 0,
    lost: { queue_full: 0, sink_error: 0, shutdown: 0, internal: 0 },
    sinkErrors: 0,
    queuedEvents: 0,
    queuedBytes: 0,
  }),
};
