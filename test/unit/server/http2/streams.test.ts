import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ServerStream } from "../../../../src/server/http2/server-stream.ts";
import { Streams } from "../../../../src/server/http2/streams.ts";

// Only the identifier matters here.
const stream = (id: number) => ({ id }) as unknown as ServerStream;

describe("the streams of a connection", () => {
  it("are found while they are open, newest or not", () => {
    const streams = new Streams();
    const all = [1, 3, 5, 9].map(stream);
    for (const one of all) streams.add(one);
    for (const one of all) assert.equal(streams.get(one.id), one);
    assert.equal(streams.get(7), undefined);
    assert.deepEqual(streams.list(), all);
    assert.deepEqual([streams.openCount, streams.highestId], [4, 9]);
    for (const [i, one] of [all[3], all[0], all[2], all[1]].entries()) {
      streams.remove(one as ServerStream, false);
      assert.equal(streams.get(one?.id ?? 0), undefined);
      assert.equal(streams.openCount, 3 - i);
    }
    assert.deepEqual(streams.list(), []);
    assert.equal(streams.highestId, 9);
  });

  it("are known by how they were closed", () => {
    const streams = new Streams();
    const [a, b] = [stream(1), stream(3)];
    streams.add(a);
    streams.add(b);
    streams.remove(a, false);
    streams.remove(b, true);
    streams.remember(9, true);
    assert.deepEqual(
      [1, 3, 5, 7, 9].map((id) => streams.closed(id)),
      ["completed", "reset", "forgotten", "forgotten", "reset"],
    );
    assert.equal(streams.highestId, 9);
    streams.remember(1, true);
    assert.equal(streams.closed(1), "reset", "a stream error on a closed stream");
  });

  it("are forgotten in the end, so that memory is flat", () => {
    const streams = new Streams();
    for (let id = 1; id < 1001; id += 2) {
      const one = stream(id);
      streams.add(one);
      streams.remove(one, id % 4 === 1);
    }
    assert.equal(streams.closed(1), "forgotten");
    assert.equal(streams.closed(997), "reset");
    assert.equal(streams.closed(999), "completed");
  });

  it("that GOAWAY named last stay the last, whatever comes after", () => {
    const streams = new Streams();
    streams.add(stream(5));
    assert.equal(streams.lastId, 5);
    streams.admitNoMore();
    streams.remember(11, true);
    assert.deepEqual([streams.lastId, streams.highestId], [5, 11]);
  });
});
