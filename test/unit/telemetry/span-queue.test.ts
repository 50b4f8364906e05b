import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SendOutcome } from "../../../src/telemetry/otlp-http.ts";
import { createSpanQueue, type SpanQueue, type SpanQueueOptions } from "../../../src/telemetry/span-queue.ts";

interface World {
  readonly queue: SpanQueue;
  /** The batches that were sent, in order. */
  readonly sent: (readonly string[])[];
  readonly failures: string[];
  /** Answers the oldest batch that waits for an answer. */
  answer(outcome: SendOutcome): Promise<void>;
  /** Runs the timers that wait; returns their delays. */
  tick(): Promise<readonly number[]>;
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const taken: SendOutcome = { kind: "taken", rejectedSpans: 0 };
const retry: SendOutcome = { kind: "retry", detail: "refused connection" };

function world(options: Partial<SpanQueueOptions> = {}): World {
  const sent: (readonly string[])[] = [];
  const failures: string[] = [];
  const answers: ((outcome: SendOutcome) => void)[] = [];
  let timers: { run: () => void; delayMs: number }[] = [];
  const queue = createSpanQueue({
    send: (spans) => {
      sent.push(spans);
      return new Promise((resolve) => answers.push(resolve));
    },
    onFailure: (cause, detail) => failures.push(`${cause}: ${detail}`),
    schedule: (run, delayMs) => {
      const timer = { run, delayMs };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    maxSpans: 5,
    batchSpans: 3,
    ...options,
  });
  return {
    queue,
    sent,
    failures,
    answer: async (outcome) => {
      answers.shift()?.(outcome);
      await settled();
    },
    tick: async () => {
      const due = timers;
      timers = [];
      for (const { run } of due) run();
      await settled();
      return due.map(({ delayMs }) => delayMs);
    },
  };
}
const add = ({ queue }: World, ...spans: readonly string[]): void => {
  for (const span of spans) queue.add(span);
};
const none = { queue_full: 0, unreachable: 0, refused: 0, shutdown: 0 };

describe("batches", () => {
  it("let spans wait for others, but a full one goes at once", async () => {
    const w = world();
    add(w, "a", "b");
    assert.deepEqual(await w.tick(), [1_000]);
    assert.deepEqual(w.sent, [["a", "b"]]);
    await w.answer(taken);
    add(w, "c", "d", "e");
    assert.deepEqual(await w.tick(), [0]);
    await w.answer(taken);
    assert.deepEqual(w.sent.at(-1), ["c", "d", "e"]);
    assert.deepEqual(w.queue.counts(), { exported: 5, lost: none, queued: 0 });
    assert.deepEqual(await w.tick(), []);
  });
  it("go one at a time, in order, with what came meanwhile behind them", async () => {
    const w = world();
    add(w, "a", "b", "c", "d");
    await w.tick();
    add(w, "e");
    assert.deepEqual(await w.tick(), []);
    assert.deepEqual(w.sent, [["a", "b", "c"]]);
    await w.answer(taken);
    assert.deepEqual(await w.tick(), [1_000]);
    assert.deepEqual(w.sent.at(-1), ["d", "e"]);
  });
});

describe("losses", () => {
  it("are the newest spans when the queue is full, whatever waits for the collector", async () => {
    const w = world();
    add(w, "a", "b", "c");
    await w.tick();
    add(w, "d", "e", "f", "g");
    assert.deepEqual(w.queue.counts(), { exported: 0, lost: { ...none, queue_full: 2 }, queued: 5 });
    await w.answer(taken);
    assert.deepEqual(w.queue.counts(), { exported: 3, lost: { ...none, queue_full: 2 }, queued: 2 });
  });
  it("come after three tries of an unreachable collector, which are announced once", async () => {
    const w = world();
    add(w, "a");
    const delays: (readonly number[])[] = [];
    for (let i = 0; i < 3; i++) {
      delays.push(await w.tick());
      await w.answer(retry);
    }
    assert.deepEqual(delays, [[1_000], [1_000], [5_000]]);
    assert.deepEqual(w.sent, [["a"], ["a"], ["a"]]);
    assert.deepEqual(w.queue.counts().lost, { ...none, unreachable: 1 });
    assert.deepEqual(w.failures, ["retry: refused connection"]);
    assert.deepEqual(await w.tick(), []);
  });
  it("do not come when a later try succeeds, and the next failure is announced again", async () => {
    const w = world();
    add(w, "a");
    await w.tick();
    await w.answer(retry);
    add(w, "b", "c");
    assert.deepEqual(await w.tick(), [1_000]);
    assert.deepEqual(w.sent.at(-1), ["a", "b", "c"]);
    await w.answer(taken);
    assert.deepEqual(w.queue.counts(), { exported: 3, lost: none, queued: 0 });
    add(w, "d");
    await w.tick();
    await w.answer(retry);
    assert.equal(w.failures.length, 2);
  });
  it("are what the collector refuses, whole or in part", async () => {
    const w = world();
    add(w, "a", "b", "c");
    await w.tick();
    await w.answer({ kind: "taken", rejectedSpans: 2 });
    add(w, "d");
    await w.tick();
    await w.answer({ kind: "refused", detail: "the collector answered 400" });
    assert.deepEqual(w.queue.counts(), { exported: 1, lost: { ...none, refused: 3 }, queued: 0 });
    assert.deepEqual(w.failures, ["refused: the collector rejected 2 of 3 spans"]);
  });
  it("are never more than there were, whatever the collector says it rejected", async () => {
    const w = world();
    add(w, "a");
    await w.tick();
    await w.answer({ kind: "taken", rejectedSpans: 9_999 });
    assert.deepEqual(w.queue.counts(), { exported: 0, lost: { ...none, refused: 1 }, queued: 0 });
  });
});

describe("closing", () => {
  it("sends what waits, batch by batch, and takes no more", async () => {
    const w = world();
    add(w, "a", "b", "c", "d");
    const closed = w.queue.close(1_000);
    await settled();
    await w.answer(taken);
    await w.answer(taken);
    await closed;
    add(w, "late");
    assert.deepEqual(w.sent, [["a", "b", "c"], ["d"]]);
    assert.deepEqual(w.queue.counts(), { exported: 4, lost: { ...none, shutdown: 1 }, queued: 0 });
  });
  it("tries nothing twice", async () => {
    const w = world();
    add(w, "a", "b", "c", "d");
    const closed = w.queue.close(1_000);
    await settled();
    await w.answer(retry);
    await w.answer(retry);
    await closed;
    assert.deepEqual(w.queue.counts(), { exported: 0, lost: { ...none, shutdown: 4 }, queued: 0 });
  });
  it("ends while a failed batch waits for its next try", async () => {
    const w = world();
    add(w, "a");
    await w.tick();
    await w.answer(retry);
    const closed = w.queue.close(1_000);
    await settled();
    await w.answer(taken);
    await closed;
    assert.equal(w.queue.counts().exported, 1);
  });
  it("does not wait for a collector that never answers, nor count its late answer", async () => {
    const w = world();
    add(w, "a", "b");
    await w.queue.close(1);
    assert.deepEqual(w.queue.counts(), { exported: 0, lost: { ...none, shutdown: 2 }, queued: 0 });
    await w.answer(taken);
    assert.deepEqual(w.queue.counts(), { exported: 0, lost: { ...none, shutdown: 2 }, queued: 0 });
    await w.queue.close(1);
  });
});
