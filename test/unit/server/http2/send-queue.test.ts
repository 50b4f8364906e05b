import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SendQueue } from "../../../../src/server/http2/send-queue.ts";

const EMPTY = Buffer.alloc(0);

describe("what waits to be sent", () => {
  it("comes out as it went in, in pieces of any size", () => {
    for (let size = 1; size < 20; size++) {
      const queue = new SendQueue();
      queue.add(Buffer.from("abc"), Buffer.from("defgh"));
      queue.add(EMPTY, EMPTY);
      queue.add(EMPTY, Buffer.from("i"));
      let text = "";
      while (queue.waitingBytes > 0) {
        const piece = queue.take(size);
        assert.ok(piece.length > 0 && piece.length <= size);
        text += Buffer.from(piece).toString();
        assert.equal(queue.waitingBytes, 9 - text.length);
      }
      assert.equal(text, "abcdefghi");
    }
  });

  it("is a copy", () => {
    const queue = new SendQueue();
    const bytes = Buffer.from("abc");
    queue.add(bytes, EMPTY);
    bytes.fill(0);
    assert.equal(Buffer.from(queue.take(9)).toString(), "abc");
  });

  it("knows that something has moved", () => {
    const queue = new SendQueue();
    queue.add(Buffer.from("abc"), EMPTY);
    queue.moved = false;
    queue.take(1);
    assert.equal(queue.moved, true);
  });
});
