import type { LossCause } from "../../src/audit/event-fields.ts";
import { type AuditQueue, type AuditQueueOptions, createAuditQueue } from "../../src/audit/queue.ts";
import type { AuditSink } from "../../src/audit/sinks.ts";

/** A queue before a sink that answers when the test says so, with timers that the test runs. */
export interface QueueWorld {
  readonly queue: AuditQueue;
  /** What the sink has taken. */
  text(): string;
  /** Sizes of the writes that the sink was asked for. */
  readonly asked: number[];
  /** Answers the write in the air: takes `bytes` (all unless told), or refuses it. */
  take(bytes?: number): Promise<void>;
  refuse(code: string): Promise<void>;
  /** Runs the timers that wait now; returns their delays. */
  tick(): Promise<readonly number[]>;
  readonly lost: (readonly [LossCause, number])[];
  readonly sinkErrors: unknown[];
  readonly reopened: { count: number; fails: boolean };
  readonly closed: { count: number };
}

/** Lets promises that are settled run their continuations. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Creates the world; events are `event N\n`, gaps `gap CAUSE FROM-TO COUNT\n`. */
export function createQueueWorld(options: Partial<AuditQueueOptions> = {}): QueueWorld {
  let taken = "";
  let answer: { bytes: Uint8Array; resolve(count: number): void; reject(error: Error): void } | undefined;
  let timers: { run: () => void; delayMs: number }[] = [];
  const asked: number[] = [];
  const lost: (readonly [LossCause, number])[] = [];
  const sinkErrors: unknown[] = [];
  const reopened = { count: 0, fails: false };
  const closed = { count: 0 };
  const sink: AuditSink = {
    write: (parts) =>
      new Promise((resolve, reject) => {
        const bytes = Buffer.concat(parts);
        asked.push(bytes.length);
        answer = { bytes, resolve, reject };
      }),
    reopen: () => {
      if (reopened.fails) throw new Error("cannot reopen");
      reopened.count++;
    },
    close: async () => {
      closed.count++;
    },
  };
  const queue = createAuditQueue({
    sink,
    maxEvents: 1_000,
    maxBytes: 1_000_000,
    lingerMs: 5,
    schedule: (run, delayMs) => {
      const timer = { run, delayMs };
      timers.push(timer);
      return () => {
        timers = timers.filter((each) => each !== timer);
      };
    },
    toGapLine: ({ cause, fromSeq, toSeq, count }) => `gap ${cause} ${fromSeq}-${toSeq} ${count}\n`,
    onLost: (cause, seq) => lost.push([cause, seq]),
    onSinkError: (error) => sinkErrors.push(error),
    ...options,
  });
  const take = async (bytes?: number): Promise<void> => {
    if (answer === undefined) throw new Error("no write is in the air");
    const { bytes: offered, resolve } = answer;
    const count = bytes ?? offered.length;
    taken += Buffer.from(offered.subarray(0, count)).toString("latin1");
    answer = undefined;
    resolve(count);
    await settled();
  };
  return {
    queue,
    text: () => taken,
    asked,
    take,
    refuse: async (code) => {
      if (answer === undefined) throw new Error("no write is in the air");
      const { reject } = answer;
      answer = undefined;
      reject(Object.assign(new Error(code), { code }));
      await settled();
    },
    tick: async () => {
      const due = timers;
      timers = [];
      for (const { run } of due) run();
      await settled();
      return due.map(({ delayMs }) => delayMs);
    },
    lost,
    sinkErrors,
    reopened,
    closed,
  };
}
