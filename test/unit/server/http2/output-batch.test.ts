import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OutputBatch } from "../../../../src/server/http2/output-batch.ts";

const create = () => {
  const written: Buffer[] = [];
  let begun = 0;
  let unsentBytes = 0;
  const output = {
    write: (bytes: Buffer) => {
      written.push(bytes);
    },
    end: () => undefined,
    destroy: () => undefined,
    get unsentBytes() {
      return unsentBytes;
    },
  };
  const batch = new OutputBatch(output, () => begun++);
  const put = (text: string) => {
    batch.room(text.length);
    batch.at += batch.bytes.write(text, batch.at, "latin1");
  };
  return {
    batch,
    written,
    put,
    begun: () => begun,
    setUnsent: (bytes: number) => {
      unsentBytes = bytes;
    },
  };
};

describe("a batch of output", () => {
  it("leaves as one write, and tells when one begins", () => {
    const { batch, written, put, begun } = create();
    batch.flush();
    assert.deepEqual([written.length, begun()], [0, 0]);
    put("a");
    put("b");
    assert.equal(batch.backlogBytes, 2);
    batch.flush();
    put("c");
    batch.flush();
    batch.flush();
    assert.deepEqual(written.map(String), ["ab", "c"]);
    assert.equal(begun(), 2);
    assert.equal(batch.writtenBytes, 3);
    assert.equal(batch.backlogBytes, 0);
  });

  it("never changes what was written, though all connections share their slabs", () => {
    const worlds = [create(), create(), create()];
    const expected = worlds.map(() => "");
    for (let round = 0; round < 2000; round++) {
      for (const [i, { put }] of worlds.entries()) {
        const text = `${i}:${round};`.repeat(1 + ((round * 7 + i) % 40));
        put(text);
        expected[i] += text;
      }
      for (const [i, { batch }] of worlds.entries()) if ((round + i) % 3 !== 0) batch.flush();
    }
    for (const [i, { batch, written }] of worlds.entries()) {
      batch.flush();
      assert.equal(Buffer.concat(written).toString("latin1"), expected[i]);
    }
  });

  it("that grows over a slab leaves in several writes, in order", () => {
    const { batch, written, put } = create();
    const parts = Array.from({ length: 40 }, (_, i) => String.fromCharCode(65 + i).repeat(16_000));
    for (const part of parts) put(part);
    batch.flush();
    assert.ok(written.length > 1 && written.length < 10);
    assert.equal(Buffer.concat(written).toString("latin1"), parts.join(""));
  });

  it("knows what the kernel has not taken, as of the last write or look", () => {
    const { batch, put, setUnsent } = create();
    put("abc");
    setUnsent(3);
    batch.flush();
    assert.equal(batch.backlogBytes, 3);
    put("de");
    assert.equal(batch.backlogBytes, 5);
    setUnsent(1);
    batch.look();
    assert.equal(batch.backlogBytes, 3);
  });

  it("is copied out of its slab where it may wait for long", () => {
    const { batch, written, put, setUnsent } = create();
    setUnsent(1);
    put("first");
    batch.flush();
    put("second");
    batch.flush();
    assert.ok((written[0]?.buffer.byteLength ?? 0) >= 64 * 1024);
    assert.equal(written[1]?.buffer.byteLength, "second".length);
  });
});
