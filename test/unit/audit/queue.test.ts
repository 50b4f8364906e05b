import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createQueueWorld, type QueueWorld } from "../../support/audit-world.ts";

const push = ({ queue }: QueueWorld, ...seqs: readonly number[]): void => {
  for (const seq of seqs) queue.push(`event ${seq}\n`, seq);
};

describe("writing", () => {
  it("is one write for all events of a pause", async () => {
    const world = createQueueWorld();
    push(world, 1, 2, 3);
    assert.deepEqual(await world.tick(), [5]);
    await world.take();
    assert.equal(world.text(), "event 1\nevent 2\nevent 3\n");
    assert.equal(world.asked.length, 1);
    const { written, queuedEvents, queuedBytes } = world.queue.stats();
    assert.deepEqual({ written, queuedEvents, queuedBytes }, { written: 3, queuedEvents: 0, queuedBytes: 0 });
  });
  it("has one write in the air, and what comes meanwhile waits for the next pause", async () => {
    const world = createQueueWorld();
    push(world, 1);
    await world.tick();
    push(world, 2, 3);
    assert.deepEqual(await world.tick(), []);
    await world.take();
    assert.equal(world.asked.length, 1);
    assert.deepEqual(await world.tick(), [5]);
    await world.take();
    assert.equal(world.text(), "event 1\nevent 2\nevent 3\n");
  });
  it("goes on with the rest when the sink takes a part", async () => {
    const world = createQueueWorld();
    push(world, 1, 2);
    await world.tick();
    await world.take(3);
    assert.equal(world.queue.stats().written, 0);
    await world.take(8);
    await world.take();
    assert.equal(world.text(), "event 1\nevent 2\n");
    assert.deepEqual(world.asked, [16, 13, 5]);
    assert.equal(world.queue.stats().written, 2);
  });
  it("writes all chunks that wait at once, up to 4 MiB, and goes on at once with the rest", async () => {
    const world = createQueueWorld({ maxEvents: 1_000_000, maxBytes: 16 * 1_048_576 });
    const seqs = Array.from({ length: 400_000 }, (_, i) => i + 1);
    push(world, ...seqs.slice(0, 20_000));
    await world.tick();
    assert.ok((world.asked[0] ?? 0) > 3 * 65_536, "several chunks are one write");
    // What comes during a write is not written into the chunks that the sink reads from.
    for (const seq of seqs.slice(20_000)) push(world, seq);
    await world.take();
    assert.equal(world.asked.length, 2);
    // A part of what it was offered, in the middle of its third chunk.
    await world.take(150_000);
    while (world.queue.stats().queuedBytes > 0) {
      await world.tick();
      await world.take();
    }
    assert.equal(world.text(), seqs.map((seq) => `event ${seq}\n`).join(""));
    assert.ok(Math.max(...world.asked) <= 64 * 65_536);
    assert.equal(world.queue.stats().written, 400_000);
  });
});

describe("a sink that refuses", () => {
  it("gets the same bytes again after growing pauses, in order", async () => {
    const world = createQueueWorld();
    push(world, 1);
    await world.tick();
    const pauses: number[] = [];
    for (let i = 0; i < 9; i++) {
      await world.refuse("ENOSPC");
      push(world, i + 2);
      pauses.push(...(await world.tick()));
    }
    assert.deepEqual(pauses, [50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    assert.equal(world.queue.stats().sinkErrors, 9);
    assert.equal(world.sinkErrors.length, 9);
    await world.take();
    assert.equal(world.text(), Array.from({ length: 10 }, (_, i) => `event ${i + 1}\n`).join(""));
    assert.deepEqual(world.lost, []);
  });
  it("that takes nothing without an error is a refusal too", async () => {
    const world = createQueueWorld();
    push(world, 1);
    await world.tick();
    await world.take(0);
    assert.equal(world.queue.stats().sinkErrors, 1);
    assert.deepEqual(await world.tick(), [50]);
  });
  it("starts with the short pause again after a success", async () => {
    const world = createQueueWorld();
    push(world, 1);
    await world.tick();
    await world.refuse("EAGAIN");
    await world.tick();
    await world.refuse("EAGAIN");
    await world.tick();
    await world.take();
    push(world, 2);
    await world.tick();
    await world.refuse("EAGAIN");
    assert.deepEqual(await world.tick(), [50]);
  });
});

describe("loss", () => {
  it("is counted, reported once a run, and announced in its place in the trail", async () => {
    const world = createQueueWorld({ maxEvents: 2 });
    push(world, 1, 2, 3, 4, 5);
    assert.deepEqual(world.lost, [["queue_full", 3]]);
    await world.tick();
    await world.take();
    assert.equal(world.queue.stats().lost.queue_full, 3);
    push(world, 6);
    await world.tick();
    await world.take();
    assert.equal(world.text(), "event 1\nevent 2\ngap queue_full 3-5 3\nevent 6\n");
  });
  it("is announced even when no event follows", async () => {
    const world = createQueueWorld({ maxEvents: 1 });
    push(world, 1, 2);
    await world.tick();
    await world.take();
    assert.equal(world.text(), "event 1\ngap queue_full 2-2 1\n");
  });
  it("by bytes comes as soon as the bytes are used up", () => {
    const world = createQueueWorld({ maxBytes: 20 });
    push(world, 1, 2, 3);
    const { queuedBytes, lost } = world.queue.stats();
    assert.deepEqual({ queuedBytes, lost: lost.queue_full }, { queuedBytes: 16, lost: 1 });
  });
  it("of a line that is too long does not stop the others", async () => {
    const world = createQueueWorld();
    push(world, 1);
    world.queue.push(`${"x".repeat(20_000)}\n`, 2);
    push(world, 3);
    await world.tick();
    await world.take();
    assert.equal(world.text(), "event 1\ngap queue_full 2-2 1\nevent 3\n");
  });
  it("behind a refusing sink has the sink as its cause", async () => {
    const world = createQueueWorld({ maxEvents: 1 });
    push(world, 1);
    await world.tick();
    await world.refuse("ENOSPC");
    push(world, 2, 3);
    assert.deepEqual(world.lost, [["sink_error", 2]]);
    await world.tick();
    await world.take();
    await world.tick();
    await world.take();
    assert.equal(world.text(), "event 1\ngap sink_error 2-3 2\n");
  });
  it("of several causes is announced by cause, in the order of the first number", async () => {
    const world = createQueueWorld({ maxEvents: 1 });
    push(world, 1);
    await world.tick();
    world.queue.lose("internal", 2);
    push(world, 3);
    world.queue.lose("internal", 4);
    await world.refuse("ENOSPC");
    push(world, 5);
    await world.tick();
    await world.take();
    await world.take();
    assert.equal(world.text(), "event 1\ngap internal 2-4 2\ngap queue_full 3-3 1\ngap sink_error 5-5 1\n");
  });
});

describe("flush", () => {
  it("does not wait for the pause, and ends when everything is written", async () => {
    const world = createQueueWorld();
    push(world, 1);
    const flushed = world.queue.flush(1_000);
    await world.take();
    assert.equal(await flushed, true);
    assert.deepEqual(await world.tick(), []);
  });
  it("of an empty queue ends at once", async () => {
    assert.equal(await createQueueWorld().queue.flush(1_000), true);
  });
  it("tries a refusing sink at once", async () => {
    const world = createQueueWorld();
    push(world, 1);
    await world.tick();
    await world.refuse("EAGAIN");
    const flushed = world.queue.flush(1_000);
    await world.take();
    assert.equal(await flushed, true);
  });
  it("gives up when its time is over", async () => {
    const world = createQueueWorld();
    push(world, 1);
    const flushed = world.queue.flush(1_000);
    assert.deepEqual(await world.tick(), [1_000]);
    assert.equal(await flushed, false);
    assert.equal(world.queue.stats().queuedEvents, 1);
  });
});

describe("reopening", () => {
  it("happens at once when nothing is in the air", () => {
    const world = createQueueWorld();
    world.queue.reopen();
    assert.equal(world.reopened.count, 1);
  });
  it("waits for the write in the air", async () => {
    const world = createQueueWorld();
    push(world, 1);
    await world.tick();
    push(world, 2);
    world.queue.reopen();
    assert.equal(world.reopened.count, 0);
    await world.take();
    assert.equal(world.reopened.count, 1);
    await world.take();
    assert.equal(world.text(), "event 1\nevent 2\n");
  });
  it("writes a torn line whole into the new file", async () => {
    const world = createQueueWorld();
    push(world, 1, 2);
    await world.tick();
    await world.take(11);
    await world.refuse("ENOSPC");
    world.queue.reopen();
    await world.take();
    assert.equal(world.text(), "event 1\nevent 2\n".replace("event 2", "eveevent 2"));
    assert.deepEqual(world.queue.stats().queuedBytes, 0);
  });
  it("that fails is counted and keeps the old file", async () => {
    const world = createQueueWorld();
    world.reopened.fails = true;
    world.queue.reopen();
    assert.equal(world.queue.stats().sinkErrors, 1);
    push(world, 1);
    await world.tick();
    await world.take();
    assert.equal(world.text(), "event 1\n");
  });
});

describe("closing", () => {
  it("writes what waits, closes the sink, and loses what comes later", async () => {
    const world = createQueueWorld();
    push(world, 1);
    const closing = world.queue.close(1_000);
    push(world, 2);
    await world.take();
    await world.take();
    assert.equal(await closing, true);
    push(world, 3);
    assert.equal(world.closed.count, 1);
    assert.equal(world.text(), "event 1\ngap shutdown 2-2 1\n");
    assert.equal(world.queue.stats().lost.shutdown, 2);
  });
  it("counts what a stuck sink leaves behind, and does not close under a write", async () => {
    const world = createQueueWorld();
    push(world, 1, 2);
    await world.tick();
    push(world, 3);
    const closing = world.queue.close(1_000);
    await world.tick();
    assert.equal(await closing, false);
    const { lost, queuedEvents, queuedBytes } = world.queue.stats();
    assert.deepEqual(
      { shutdown: lost.shutdown, queuedEvents, queuedBytes },
      { shutdown: 3, queuedEvents: 0, queuedBytes: 0 },
    );
    assert.equal(world.closed.count, 0);
    await world.take();
    assert.equal(world.asked.length, 1);
  });
  it("twice is the same as once", async () => {
    const world = createQueueWorld();
    assert.equal(await world.queue.close(1_000), true);
    assert.equal(await world.queue.close(1_000), true);
    assert.equal(world.closed.count, 1);
  });
});

it("accounts for every event and keeps their order, whatever the sink does", async () => {
  const step = fc.oneof(
    fc.constant({ do: "push" as const }),
    fc.constant({ do: "push" as const }),
    fc.record({ do: fc.constant("take" as const), bytes: fc.integer({ min: 1, max: 40 }) }),
    fc.constant({ do: "refuse" as const }),
    fc.constant({ do: "tick" as const }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 120 }), async (steps) => {
      const world = createQueueWorld({ maxEvents: 5, maxBytes: 60 });
      let seq = 0;
      let answers = 0;
      for (const each of steps) {
        const inTheAir = world.asked.length > answers;
        if (each.do === "push") push(world, ++seq);
        else if (each.do === "tick") await world.tick();
        else if (inTheAir && each.do === "refuse") {
          answers++;
          await world.refuse("EIO");
        } else if (inTheAir && each.do === "take") {
          const offered = world.asked.at(-1) ?? 0;
          answers++;
          await world.take(Math.min(each.bytes, offered));
        }
        const { written, lost, queuedEvents } = world.queue.stats();
        assert.equal(written + queuedEvents + lost.queue_full + lost.sink_error, seq);
        assert.ok(queuedEvents <= 5);
      }
      const flushed = world.queue.flush(1_000);
      for (; world.asked.length > answers; answers++) await world.take();
      assert.equal(await flushed, true);

      // Read the trail as an auditor does: each number once, as an event or within a gap, in order.
      let last = 0;
      let announced = 0;
      for (const line of world.text().split("\n").slice(0, -1)) {
        const [kind, first = "", range = "", count = ""] = line.split(" ");
        if (kind === "event") {
          assert.ok(Number(first) > last, line);
          last = Number(first);
        } else {
          assert.ok(Number(range.split("-")[0]) > last, line);
          announced += Number(count);
        }
      }
      const { written, lost } = world.queue.stats();
      assert.equal(announced, lost.queue_full + lost.sink_error);
      assert.equal(written + announced, seq);
    }),
    { seed: 1, numRuns: 150 },
  );
});
