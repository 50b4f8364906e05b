// A bounded FIFO of audit lines before a slow sink, kept as bytes: a push copies one line into a chunk and never waits or throws.
// What does not fit is lost, counted by cause and announced in the trail itself, in place, as soon as a line is accepted again.
// Order is kept: a refused write is tried again, with a growing pause, before anything that came later.

import type { AuditLoss } from "./event.ts";
import { MAX_LINE_BYTES } from "./event.ts";
import type { LossCause } from "./event-fields.ts";
import { createLosses } from "./losses.ts";
import type { AuditSink } from "./sinks.ts";

/** Bounds and ports of a queue. */
export interface AuditQueueOptions {
  readonly sink: AuditSink;
  readonly maxEvents: number;
  readonly maxBytes: number;
  /** Pause between the first waiting event and the write, so that one write carries many; 0 means the next tick. */
  readonly lingerMs: number;
  /** Runs something later, once; returns what cancels it. */
  readonly schedule: (run: () => void, delayMs: number) => () => void;
  /** The line that announces a loss; at most `MAX_LINE_BYTES` of ASCII. */
  readonly toGapLine: (loss: AuditLoss) => string;
  /** Called when a run of losses begins; must not throw. */
  readonly onLost: (cause: LossCause, seq: number) => void;
  /** Called for every write or reopening that failed; must not throw. */
  readonly onSinkError: (error: unknown) => void;
}

/** Counters of a queue. */
export interface AuditQueueStats {
  /** Events that the sink has taken. */
  readonly written: number;
  readonly lost: Readonly<Record<LossCause, number>>;
  readonly sinkErrors: number;
  readonly queuedEvents: number;
  readonly queuedBytes: number;
}

/** The queue of one sink. */
export interface AuditQueue {
  /** Takes one line of printable ASCII with its line feed, of the event `seq`; counts it as lost when there is no room. */
  push(line: string, seq: number): void;
  /** Counts one event as lost that never became a line. */
  lose(cause: LossCause, seq: number): void;
  /** Writes everything now; false when that did not end within `timeoutMs`. */
  flush(timeoutMs: number): Promise<boolean>;
  /** Opens the sink anew before the next write; a line of which only a part was written starts again. */
  reopen(): void;
  /** Flushes, counts what is left as lost, and closes the sink; later events are lost with cause `shutdown`. */
  close(timeoutMs: number): Promise<boolean>;
  stats(): AuditQueueStats;
}

/** Lines side by side: `used` bytes are filled, `written` of them are with the sink; they hold `events`, numbered from … to. */
interface Chunk {
  readonly bytes: Buffer;
  used: number;
  written: number;
  events: number;
  fromSeq: number;
  toSeq: number;
}

const createChunk = (): Chunk => ({
  bytes: Buffer.allocUnsafeSlow(CHUNK_BYTES),
  used: 0,
  written: 0,
  events: 0,
  fromSeq: 0,
  toSeq: 0,
});

const CHUNK_BYTES = 65_536;
const SPARE_CHUNKS = 4;
// PERF: a write ends in a later turn, and a busy turn makes more lines than a chunk holds: one chunk at a time, the queue would fill
// up although the disk has nothing to do.
const MAX_WRITE_CHUNKS = 64;
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 5_000;
const LINE_FEED = 0x0a;

/** Creates an empty queue before `sink`. */
export function createAuditQueue(options: AuditQueueOptions): AuditQueue {
  const { sink, schedule } = options;
  const losses = createLosses(options.onLost);
  const chunks: Chunk[] = [];
  const spare: Chunk[] = [];
  let state: "idle" | "waiting" | "writing" | "closed" = "idle";
  let cancelWait = (): void => undefined;
  let waiters: (() => void)[] = [];
  /** Chunks at the head that the sink is reading from. */
  let inTheAir = 0;
  let queuedEvents = 0;
  let queuedBytes = 0;
  let written = 0;
  let sinkErrors = 0;
  let pauseMs = 0; // 0 while the sink takes what it is given
  let closing = false;
  let reopening = false;

  const append = (line: string, seq: number | undefined): void => {
    let tail = chunks.at(-1);
    // A chunk that the sink is reading from is left alone.
    const taken = chunks.length === inTheAir;
    if (tail === undefined || taken || tail.used + line.length > CHUNK_BYTES) {
      tail = spare.pop() ?? createChunk();
      chunks.push(tail);
    }
    tail.used += tail.bytes.write(line, tail.used, "latin1");
    queuedBytes += line.length;
    if (seq === undefined) return;
    if (tail.events++ === 0) tail.fromSeq = seq;
    tail.toSeq = seq;
    queuedEvents++;
  };
  const announce = (): void => {
    for (const loss of losses.take()) append(options.toGapLine(loss), undefined);
  };
  const wake = (delayMs: number): void => {
    if (state !== "idle") return;
    state = "waiting";
    cancelWait = schedule(drain, delayMs);
  };
  const settle = (): void => {
    const settled = waiters;
    waiters = [];
    for (const resolve of settled) resolve();
  };
  const reopenSink = (): void => {
    reopening = false;
    try {
      sink.reopen();
    } catch (error) {
      sinkErrors++;
      options.onSinkError(error);
      return;
    }
    const head = chunks[0];
    if (head === undefined || head.written === 0) return;
    // The old file keeps a torn line; the new one gets it whole.
    const lineStart = head.bytes.lastIndexOf(LINE_FEED, head.written - 1) + 1;
    queuedBytes += head.written - lineStart;
    head.written = lineStart;
  };
  const advance = (bytes: number): void => {
    queuedBytes -= bytes;
    let left = bytes;
    for (let head = chunks[0]; head !== undefined && left > 0; head = chunks[0]) {
      const step = Math.min(left, head.used - head.written);
      head.written += step;
      left -= step;
      if (head.written < head.used) return;
      chunks.shift();
      written += head.events;
      queuedEvents -= head.events;
      head.used = 0;
      head.written = 0;
      head.events = 0;
      if (spare.length < SPARE_CHUNKS) spare.push(head);
    }
  };

  const drain = (): void => {
    state = "idle";
    if (reopening) reopenSink();
    if (losses.pending() && pauseMs === 0) announce();
    if (chunks.length === 0) {
      settle();
      return;
    }
    state = "writing";
    const parts = chunks.slice(0, MAX_WRITE_CHUNKS).map((chunk) => chunk.bytes.subarray(chunk.written, chunk.used));
    inTheAir = parts.length;
    sink.write(parts).then(
      (bytes) => afterWrite(bytes, undefined),
      (error: unknown) => afterWrite(0, error),
    );
  };
  const afterWrite = (bytes: number, error: unknown): void => {
    if (state === "closed") return;
    state = "idle";
    const before = chunks.length;
    const offered = inTheAir;
    inTheAir = 0;
    if (error === undefined && bytes > 0) {
      pauseMs = 0;
      advance(bytes);
      const isWhole = before - chunks.length === offered;
      // PERF: a little that came during the write waits for company; a full chunk, or someone who waits, does not.
      if (isWhole && chunks.length === 1 && waiters.length === 0 && !reopening) wake(options.lingerMs);
      else drain();
      return;
    }
    sinkErrors++;
    options.onSinkError(error ?? new Error("audit sink: nothing was written"));
    pauseMs = pauseMs === 0 ? FIRST_PAUSE_MS : Math.min(pauseMs * 2, MAX_PAUSE_MS);
    wake(pauseMs);
  };

  const hasRoom = (lineBytes: number): boolean =>
    !closing &&
    queuedEvents < options.maxEvents &&
    queuedBytes + lineBytes <= options.maxBytes &&
    lineBytes <= MAX_LINE_BYTES;
  const flush = async (timeoutMs: number): Promise<boolean> => {
    if (state === "closed" || (chunks.length === 0 && !losses.pending())) return true;
    const settled = new Promise<boolean>((resolve) => {
      const cancel = schedule(() => resolve(false), timeoutMs);
      waiters.push(() => {
        cancel();
        resolve(true);
      });
    });
    if (state === "waiting") {
      cancelWait();
      state = "idle";
    }
    if (state === "idle") drain();
    return settled;
  };
  const lose = (cause: LossCause, seq: number): void => losses.add({ cause, fromSeq: seq, toSeq: seq, count: 1 });

  // A disk that hangs must not hold up the end of the process.
  const closeSink = (timeoutMs: number): Promise<void> =>
    new Promise((resolve) => {
      const cancel = schedule(resolve, timeoutMs);
      void sink
        .close()
        .catch(options.onSinkError)
        .finally(() => {
          cancel();
          resolve();
        });
    });

  return {
    lose,
    flush,
    push: (line, seq) => {
      if (!hasRoom(line.length)) {
        lose(closing ? "shutdown" : pauseMs > 0 ? "sink_error" : "queue_full", seq);
        return;
      }
      if (losses.pending()) announce();
      append(line, seq);
      // PERF: one write for everything that comes within the pause, not one per decision.
      wake(options.lingerMs);
    },
    reopen: () => {
      reopening = true;
      if (state === "waiting") cancelWait();
      if (state === "waiting" || state === "idle") drain();
    },
    close: async (timeoutMs) => {
      closing = true;
      const complete = await flush(timeoutMs);
      if (state === "closed") return complete;
      const isWriting = state === "writing";
      cancelWait();
      state = "closed";
      for (const { events, fromSeq, toSeq } of chunks) {
        if (events > 0) losses.add({ cause: "shutdown", fromSeq, toSeq, count: events });
      }
      chunks.length = 0;
      queuedEvents = 0;
      queuedBytes = 0;
      settle();
      // A descriptor that a write still uses must not be closed: its number could be another file's by then.
      if (!isWriting) await closeSink(timeoutMs);
      return complete;
    },
    stats: () => ({ written, lost: losses.totals(), sinkErrors, queuedEvents, queuedBytes }),
  };
}
