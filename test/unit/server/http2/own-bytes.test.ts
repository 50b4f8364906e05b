import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { copyOf } from "../../../../src/server/http2/own-bytes.ts";

describe("a copy that is kept", () => {
  it("says the same, shares nothing and has nothing beside it, at any size", () => {
    for (const length of [0, 1, 25, 4095, 4096, 70_000]) {
      const chunk = Buffer.alloc(length + 10, 7);
      const own = copyOf(chunk.subarray(5, 5 + length));
      chunk.fill(0);
      assert.deepEqual(own, Buffer.alloc(length, 7));
      assert.equal(own.buffer.byteLength, length);
    }
  });
});
