import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createHttp2Counts } from "../../../../src/server/http2/counts.ts";
import { type BytesHolder, createUnfinishedBytes } from "../../../../src/server/http2/unfinished-bytes.ts";

const world = (maxBytes: number, failToRelease = false) => {
  const counts = createHttp2Counts();
  const unfinished = createUnfinishedBytes(maxBytes, counts);
  const evicted: string[] = [];
  const holder = (name: string) => {
    const it: BytesHolder & { heldBytes: number; hold(bytes: number): void } = {
      heldBytes: 0,
      hold: (bytes) => {
        it.heldBytes += bytes;
        unfinished.hold(it, bytes);
      },
      evict: () => {
        evicted.push(name);
        if (!failToRelease) it.hold(-it.heldBytes);
      },
    };
    return it;
  };
  return { counts, unfinished, evicted, holder };
};

describe("unfinished bytes", () => {
  it("are the sum over all holders", () => {
    const { counts, holder } = world(100);
    const [a, b] = [holder("a"), holder("b")];
    a.hold(10);
    b.hold(20);
    a.hold(-4);
    assert.equal(counts.unfinishedBytes, 26);
  });

  it("evict nobody up to the limit, nor before they are settled", () => {
    const { unfinished, evicted, holder } = world(30);
    const [a, b] = [holder("a"), holder("b")];
    a.hold(10);
    b.hold(20);
    unfinished.settle();
    a.hold(1);
    assert.deepEqual(evicted, []);
    a.hold(-1);
    unfinished.settle();
    assert.deepEqual(evicted, []);
  });

  it("evict the largest, and only as many as must go", () => {
    const { counts, unfinished, evicted, holder } = world(30);
    for (const [name, bytes] of [
      ["a", 5],
      ["b", 22],
      ["c", 7],
      ["d", 23],
    ] as const) {
      holder(name).hold(bytes);
    }
    unfinished.settle();
    assert.deepEqual(evicted, ["d", "b"]);
    assert.equal(counts.unfinishedBytes, 12);
  });

  it("end even when nobody lets go", () => {
    const { unfinished, evicted, holder } = world(3, true);
    holder("a").hold(5);
    holder("b").hold(6);
    unfinished.settle();
    assert.deepEqual(evicted, ["b", "a"]);
  });
});

describe("counts", () => {
  it("begin at zero for every reason", () => {
    const counts = createHttp2Counts();
    const all = [...Object.values(counts.connectionEnds), ...Object.values(counts.streamRefusals)];
    assert.ok(all.length > 20 && all.every((count) => count === 0));
    assert.equal(counts.unfinishedBytes, 0);
  });
});
