// Spans on their way to the collector: a bounded queue, batches, a few tries, counted losses.
// Adding never waits and never throws. Losing spans costs a picture, not a record: the audit trail does not depend on this.

import type { SendOutcome } from "./otlp-http.ts";

/** Why spans were lost. */
export const SPAN_LOSS_CAUSES = ["queue_full", "unreachable", "refused", "shutdown"] as const;
export type SpanLossCause = (typeof SPAN_LOSS_CAUSES)[number];

/** Counters for metrics and status. */
export interface SpanCounts {
  /** Spans that the collector has taken. */
  readonly exported: number;
  readonly lost: Readonly<Record<SpanLossCause, number>>;
  /** Spans that wait, those on the way included. */
  readonly queued: number;
}

/** What the queue needs; bounds have defaults. */
export interface SpanQueueOptions {
  /** Sends one batch of spans, as JSON texts. Never rejects. */
  readonly send: (spans: readonly string[]) => Promise<SendOutcome>;
  /** Called when sending begins to fail (not for every failure after that); must not throw. */
  readonly onFailure: (cause: SpanLossCause | "retry", detail: string) => void;
  /** Spans that may wait; 2,048 unless set. */
  readonly maxSpans?: number;
  /** Spans in one request; 512 unless set. */
  readonly batchSpans?: number;
  /** How long a span may wait for others; 1 s unless set. */
  readonly lingerMs?: number;
  /** Runs something later, once, and returns what cancels it; timers that keep no process alive unless set. */
  readonly schedule?: (run: () => void, delayMs: number) => () => void;
}

/** The queue. */
export interface SpanQueue {
  add(span: string): void;
  counts(): SpanCounts;
  /** Sends what waits, once, and gives up after `timeoutMs`; the rest is lost as `shutdown`. Never rejects. */
  close(timeoutMs: number): Promise<void>;
}

const RETRY_DELAYS_MS = [1_000, 5_000];

const laterUnref = (run: () => void, delayMs: number): (() => void) => {
  const timer = setTimeout(run, delayMs);
  timer.unref();
  return () => clearTimeout(timer);
};

/** Creates an empty queue. */
export function createSpanQueue(options: SpanQueueOptions): SpanQueue {
  const { maxSpans = 2_048, batchSpans = 512, lingerMs = 1_000, schedule = laterUnref } = options;
  const waiting: string[] = [];
  const lost: Record<SpanLossCause, number> = { queue_full: 0, unreachable: 0, refused: 0, shutdown: 0 };
  let exported = 0;
  let tries = 0;
  let failing = false;
  let closed = false;
  let abandoned = false;
  let cancelTimer: (() => void) | undefined;
  let sending: Promise<void> | undefined;

  const lose = (cause: SpanLossCause, count: number): void => {
    lost[cause] += count;
  };
  const complain = (cause: SpanLossCause | "retry", detail: string): void => {
    if (!failing) options.onFailure(cause, detail);
    failing = true;
  };
  const plan = (delayMs: number): void => {
    if (cancelTimer !== undefined || closed) return;
    cancelTimer = schedule(() => {
      cancelTimer = undefined;
      void flush();
    }, delayMs);
  };
  /** Sends one batch; the spans stay in the queue until their fate is known, so that the bound covers them. */
  const sendOne = async (): Promise<void> => {
    const batch = waiting.slice(0, batchSpans);
    const outcome = await options.send(batch);
    if (abandoned) return;
    if (outcome.kind === "retry" && tries < RETRY_DELAYS_MS.length && !closed) {
      complain("retry", outcome.detail);
      plan(RETRY_DELAYS_MS[tries++] ?? 0);
      return;
    }
    tries = 0;
    waiting.splice(0, batch.length);
    if (outcome.kind === "taken") {
      const rejected = Math.min(outcome.rejectedSpans, batch.length);
      exported += batch.length - rejected;
      lose("refused", rejected);
      if (rejected > 0) complain("refused", `the collector rejected ${rejected} of ${batch.length} spans`);
      else failing = false;
    } else {
      const cause = outcome.kind === "refused" ? "refused" : closed ? "shutdown" : "unreachable";
      lose(cause, batch.length);
      complain(cause, outcome.detail);
    }
    if (waiting.length > 0) plan(waiting.length >= batchSpans ? 0 : lingerMs);
  };
  const flush = (): Promise<void> => {
    if (sending !== undefined || waiting.length === 0) return sending ?? Promise.resolve();
    sending = sendOne().finally(() => {
      sending = undefined;
    });
    return sending;
  };

  return {
    add: (span) => {
      if (closed || waiting.length >= maxSpans) {
        lose(closed ? "shutdown" : "queue_full", 1);
        return;
      }
      waiting.push(span);
      // While a batch is on its way, or waits to be tried again, the spans behind it wait too.
      if (sending !== undefined || tries > 0) return;
      if (waiting.length === batchSpans) {
        cancelTimer?.();
        cancelTimer = undefined;
        plan(0);
      } else plan(lingerMs);
    },
    counts: () => ({ exported, lost: { ...lost }, queued: waiting.length }),
    close: async (timeoutMs) => {
      if (closed) return;
      closed = true;
      cancelTimer?.();
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, timeoutMs);
      });
      const drained = (async () => {
        // INVARIANT: every round takes a batch out, since nothing is retried once `closed`.
        while (waiting.length > 0) await flush();
      })();
      await Promise.race([drained, late]);
      clearTimeout(timer);
      abandoned = true;
      lose("shutdown", waiting.length);
      waiting.length = 0;
    },
  };
}
