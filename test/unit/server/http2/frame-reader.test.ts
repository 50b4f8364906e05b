import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { read31Bits, write32Bits, writeFrameHeader } from "../../../../src/server/http2/frame.ts";
import { FrameReader } from "../../../../src/server/http2/frame-reader.ts";
import { frame, PREFACE } from "../../../support/h2-frames.ts";

/** A reader whose frames are noted; the sink stops after `stopAfter` of them. */
const createReader = (stopAfter = Number.POSITIVE_INFINITY) => {
  const frames: string[] = [];
  const reader = new FrameReader({
    onFrame: (bytes, start, end, type, flags, streamId) => {
      frames.push(`${type} ${flags} ${streamId} ${bytes.toString("latin1", start, end)}`);
      return frames.length < stopAfter;
    },
    onBadPreface: () => frames.push("bad preface"),
    onOversizedFrame: () => frames.push("oversized"),
  });
  return { reader, frames };
};

const BYTES = Buffer.concat([
  PREFACE,
  frame(0, 1, 1, Buffer.from("hello")),
  frame(9, 255, 2 ** 31 + 7, Buffer.alloc(0)),
  frame(200, 0, 2 ** 31 - 1, Buffer.from("world")),
]);
const FRAMES = ["4 0 0 ", "0 1 1 hello", "9 255 7 ", "200 0 2147483647 world"];

describe("the frame reader", () => {
  it("gives the same frames for every two cuts", () => {
    for (let first = 0; first <= BYTES.length; first++) {
      for (let second = first; second <= Math.min(BYTES.length, first + 20); second++) {
        const { reader, frames } = createReader();
        for (const chunk of [BYTES.subarray(0, first), BYTES.subarray(first, second), BYTES.subarray(second)]) {
          assert.equal(reader.read(chunk, 0), chunk.length);
        }
        assert.deepEqual(frames, FRAMES, `cut at ${first} and ${second}`);
        assert.equal(reader.heldBytes, 0);
      }
    }
  });

  it("stops where the sink wants no more, and goes on from there, wherever the chunk is cut", () => {
    for (let cut = 0; cut <= BYTES.length; cut++) {
      const { reader, frames } = createReader(2);
      for (const chunk of [BYTES.subarray(0, cut), BYTES.subarray(cut)]) {
        for (let at = 0; at < chunk.length; ) {
          const before = frames.length;
          at = reader.read(chunk, at);
          if (frames.length >= 2) assert.ok(frames.length - before <= 1 || before < 2);
        }
      }
      assert.deepEqual(frames, FRAMES);
    }
  });

  it("holds a frame that is cut, as large as it will be, and no more", () => {
    const { reader } = createReader();
    reader.read(PREFACE, 0);
    const long = frame(0, 0, 1, Buffer.alloc(16_384));
    reader.read(long.subarray(0, 5), 0);
    assert.equal(reader.heldBytes, 9);
    reader.read(long.subarray(5, 10), 0);
    assert.equal(reader.heldBytes, 16_393);
    reader.read(long.subarray(10), 0);
    assert.equal(reader.heldBytes, 0);
  });

  it("keeps what it cut from changing with the chunk", () => {
    const { reader, frames } = createReader();
    const chunk = Buffer.from(BYTES.subarray(0, 45));
    reader.read(chunk, 0);
    chunk.fill(0);
    reader.read(BYTES, 45);
    assert.deepEqual(frames, FRAMES);
  });

  it("refuses a frame over 16384 octets by its header, and reads nothing after it, wherever that is cut", () => {
    const bytes = Buffer.concat([PREFACE, frame(0, 0, 1, Buffer.alloc(16_385)), frame(6, 0, 0, Buffer.alloc(8))]);
    for (let cut = PREFACE.length; cut <= PREFACE.length + 9; cut++) {
      const { reader, frames } = createReader();
      reader.read(bytes.subarray(0, cut), 0);
      reader.read(bytes.subarray(cut), 0);
      reader.read(bytes, 0);
      assert.deepEqual(frames, ["4 0 0 ", "oversized"], `cut at ${cut}`);
    }
  });

  it("refuses what is not HTTP/2 at its first wrong octet, once", () => {
    const { reader, frames } = createReader();
    reader.read(Buffer.from("PR"), 0);
    assert.deepEqual(frames, []);
    reader.read(Buffer.from("Oxy"), 0);
    reader.read(BYTES, 0);
    assert.deepEqual(frames, ["bad preface"]);
  });
});

describe("frame headers", () => {
  it("are written as they are read", () => {
    const bytes = Buffer.alloc(20);
    assert.equal(writeFrameHeader(bytes, 3, 0xfedcba, 9, 0x2d, 0x7fffffff), 12);
    assert.deepEqual(bytes.subarray(3, 12), Buffer.from("fedcba092d7fffffff", "hex"));
    assert.equal(read31Bits(bytes, 8), 0x7fffffff);
    assert.equal(write32Bits(bytes, 0, 0xffffffff), 4);
    assert.equal(read31Bits(bytes, 0), 0x7fffffff);
  });
});
