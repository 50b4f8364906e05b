import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type HeaderBlock, HeaderBlocks } from "../../../../src/server/http2/header-blocks.ts";

const END_STREAM = 1;
const END_HEADERS = 4;
const PADDED = 8;
const PRIORITY = 0x20;
const PRIORITY_OF_3 = [0x80, 0, 0, 3, 255];

const create = () => new HeaderBlocks({ maxBlockBytes: 10, maxContinuations: 2 });
const begin = (flags: number, payload: readonly number[], stream = 1) => {
  const bytes = Buffer.from([9, 9, ...payload, 9]);
  return create().begin(bytes, 2, bytes.length - 1, flags, stream);
};
const octetsOf = (block: unknown): number[] => {
  assert.equal(typeof block, "object");
  const { bytes, start, end } = block as HeaderBlock;
  return [...bytes.subarray(start, end)];
};

describe("HEADERS", () => {
  const FINE: readonly [name: string, flags: number, payload: readonly number[], block: readonly number[]][] = [
    ["plain", 0, [1, 2, 3], [1, 2, 3]],
    ["empty", 0, [], []],
    ["padded", PADDED, [2, 1, 0, 0], [1]],
    ["padded by nothing", PADDED, [0, 1], [1]],
    ["nothing but padding", PADDED, [2, 0, 0], []],
    ["with priority", PRIORITY, [...PRIORITY_OF_3, 1], [1]],
    ["with both", PADDED | PRIORITY, [1, ...PRIORITY_OF_3, 7, 0], [7]],
    ["with both and nothing else", PADDED | PRIORITY, [0, ...PRIORITY_OF_3], []],
  ];
  for (const [name, flags, payload, block] of FINE) {
    it(`${name}: the block is what is left`, () => {
      assert.deepEqual(octetsOf(begin(flags | END_HEADERS, payload)), block);
    });
  }

  const FAULTS: readonly [name: string, flags: number, payload: readonly number[], fault: string][] = [
    ["padded without a length", PADDED, [], "frame_size_error"],
    ["padded by more than there is", PADDED, [1], "protocol_error"],
    ["less than a priority", PRIORITY, [0, 0, 0, 0], "frame_size_error"],
    ["padding that reaches into the priority", PADDED | PRIORITY, [1, ...PRIORITY_OF_3], "protocol_error"],
  ];
  for (const [name, flags, payload, fault] of FAULTS) {
    it(`${name}: ${fault}`, () => {
      assert.equal(begin(flags | END_HEADERS, payload), fault);
    });
  }

  it("say whether they end the stream, and whether it depends on itself", () => {
    const plain = begin(END_HEADERS, [1]) as HeaderBlock;
    assert.deepEqual([plain.endStream, plain.dependsOnItself, plain.streamId], [false, false, 1]);
    const end = begin(END_HEADERS | END_STREAM | PRIORITY, PRIORITY_OF_3, 3) as HeaderBlock;
    assert.deepEqual([end.endStream, end.dependsOnItself, end.streamId], [true, true, 3]);
  });
});

describe("CONTINUATION", () => {
  it("adds to the block, which keeps what HEADERS said", () => {
    const blocks = create();
    const chunk = Buffer.from([...PRIORITY_OF_3, 1, 2]);
    assert.equal(blocks.begin(chunk, 0, 7, END_STREAM | PRIORITY, 5), undefined);
    assert.equal(blocks.openStreamId, 5);
    chunk.fill(0);
    assert.equal(blocks.go(Buffer.of(3, 4), 0, 1, 0), undefined);
    assert.equal(blocks.heldBytes, 3);
    const block = blocks.go(Buffer.of(3, 4, 5), 1, 3, END_HEADERS) as HeaderBlock;
    assert.deepEqual(octetsOf(block), [1, 2, 3, 4, 5]);
    assert.deepEqual([block.streamId, block.endStream], [5, true]);
    assert.deepEqual([blocks.openStreamId, blocks.heldBytes], [0, 0]);
  });

  it("may come as often as the limit says for each block, and no more", () => {
    const blocks = create();
    for (const stream of [1, 3]) {
      blocks.begin(Buffer.of(1), 0, 1, 0, stream);
      assert.equal(blocks.go(Buffer.alloc(0), 0, 0, 0), undefined);
      assert.equal(typeof blocks.go(Buffer.alloc(0), 0, 0, END_HEADERS), "object");
    }
    blocks.begin(Buffer.of(1), 0, 1, 0, 5);
    blocks.go(Buffer.alloc(0), 0, 0, 0);
    blocks.go(Buffer.alloc(0), 0, 0, 0);
    assert.equal(blocks.go(Buffer.alloc(0), 0, 0, END_HEADERS), "continuation_flood");
  });

  it("may not make the block larger than the limit", () => {
    const blocks = create();
    assert.equal(blocks.begin(Buffer.alloc(10), 0, 10, 0, 1), undefined);
    assert.equal(blocks.go(Buffer.alloc(1), 0, 1, END_HEADERS), "header_block_size");
    assert.equal(create().begin(Buffer.alloc(11), 0, 11, 0, 1), "header_block_size");
  });
});
