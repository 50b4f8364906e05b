import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type MessageFault, MessageParts, sliceWholeMessage } from "../../../../src/server/http2/grpc-message.ts";
import { grpcMessage } from "../../../support/h2-frames.ts";
import { Random } from "../../../support/random.ts";

const message = Buffer.from("a message of some bytes");
const whole = grpcMessage(message);

/** What `MessageParts` makes of these frames. */
function assemble(frames: readonly Uint8Array[], maxBytes = 4096): Buffer | MessageFault {
  const parts = new MessageParts(maxBytes);
  for (const frame of frames) {
    const fault = parts.take(Buffer.from(frame));
    if (fault !== undefined) return fault;
  }
  const finished = parts.finish();
  return typeof finished === "string" ? finished : Buffer.from(finished);
}

describe("a body in one frame", () => {
  it("is the message that it holds, as a view", () => {
    const read = sliceWholeMessage(whole, 4096);
    assert.deepEqual(read, message);
    assert.equal(read?.buffer, whole.buffer);
    assert.deepEqual(sliceWholeMessage(grpcMessage(Buffer.alloc(0)), 0), Buffer.alloc(0));
  });

  it("is looked at again when it is anything else", () => {
    for (let length = 0; length < whole.length; length++) {
      assert.equal(sliceWholeMessage(whole.subarray(0, length), 4096), undefined, `${length} bytes`);
    }
    assert.equal(sliceWholeMessage(Buffer.concat([whole, Buffer.from([0])]), 4096), undefined);
    assert.equal(sliceWholeMessage(grpcMessage(message, 1), 4096), undefined);
    assert.equal(sliceWholeMessage(whole, message.length - 1), undefined);
    assert.deepEqual(sliceWholeMessage(whole, message.length), message);
  });

  it("is never taken by a length of 31 or 32 bits for a short one", () => {
    for (const high of [0x7f, 0x80, 0xff]) {
      const body = Buffer.from([0, high, 0xff, 0xff, 0xff, 1]);
      assert.equal(sliceWholeMessage(body, 2 ** 40), undefined);
      assert.equal(assemble([body]), "message_too_large");
    }
  });
});

describe("a body in several frames", () => {
  it("is the same message when it is split at every byte, in two and in three", () => {
    for (let first = 0; first <= whole.length; first++) {
      for (let second = first; second <= whole.length; second++) {
        const frames = [whole.subarray(0, first), whole.subarray(first, second), whole.subarray(second)];
        assert.deepEqual(assemble(frames), message, `${first}, ${second}`);
      }
    }
  });

  it("is the same message when each frame has one byte, with empty ones in between", () => {
    const frames = [...whole].flatMap((byte) => [Buffer.alloc(0), Buffer.from([byte])]);
    assert.deepEqual(assemble(frames), message);
  });

  it("is the same message for lengths around every power of two, split at random", () => {
    const random = new Random(7);
    for (let bits = 0; bits <= 14; bits++) {
      for (const length of [2 ** bits - 1, 2 ** bits, 2 ** bits + 1]) {
        const bytes = Buffer.from(Array.from({ length }, (_, i) => (i * 7 + bits) & 0xff));
        const body = grpcMessage(bytes);
        const frames: Buffer[] = [];
        for (let at = 0; at < body.length; ) {
          const end = Math.min(body.length, at + 1 + random.below(1 + Math.ceil(body.length / 4)));
          frames.push(body.subarray(at, end));
          at = end;
        }
        assert.deepEqual(assemble(frames, 20_000), bytes, `${length}`);
      }
    }
  });

  it("keeps nothing of a frame but a message that lies whole in it", () => {
    const tail = Buffer.from(whole.subarray(5));
    const parts = new MessageParts(4096);
    parts.take(whole.subarray(0, 5));
    parts.take(tail);
    assert.equal((parts.finish() as Uint8Array).buffer, tail.buffer);

    const copied = new MessageParts(4096);
    const [first, second] = [Buffer.from(whole.subarray(0, 10)), Buffer.from(whole.subarray(10))];
    copied.take(first);
    copied.take(second);
    first.fill(0);
    second.fill(0);
    assert.deepEqual(Buffer.from(copied.finish() as Uint8Array), message);
  });

  it("takes memory as bytes come, not as they are promised", () => {
    const parts = new MessageParts(2 ** 32);
    const promised = Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1]);
    const before = process.memoryUsage().arrayBuffers;
    assert.equal(parts.take(promised), undefined);
    assert.ok(process.memoryUsage().arrayBuffers - before < 1024 * 1024);
    assert.equal(parts.length, 2 ** 32 - 1);
    assert.equal(parts.finish(), "message_cut_off");
  });

  it("says whether the message is packed, and how long it is, once the prefix is whole", () => {
    const parts = new MessageParts(4096);
    const packed = grpcMessage(message, 1);
    for (let at = 0; at < 5; at++) {
      assert.equal(parts.length, undefined);
      parts.take(packed.subarray(at, at + 1));
    }
    assert.equal(parts.length, message.length);
    assert.equal(parts.isCompressed, true);
  });

  const faults: readonly (readonly [what: string, body: Buffer, maxBytes: number, fault: MessageFault])[] = [
    ["nothing", Buffer.alloc(0), 4096, "message_missing"],
    ["a second message", Buffer.concat([whole, whole]), 4096, "second_message"],
    ["an empty second message", Buffer.concat([whole, grpcMessage(Buffer.alloc(0))]), 4096, "second_message"],
    ["a byte too much", Buffer.concat([whole, Buffer.from([0])]), 4096, "second_message"],
    ["a byte after an empty message", Buffer.concat([Buffer.alloc(5), Buffer.from([0])]), 4096, "second_message"],
    ["a message over the limit", whole, message.length - 1, "message_too_large"],
    ["the promise of one over the limit", Buffer.from([0, 0, 0, 0x10, 1]), 4096, "message_too_large"],
    ["the promise of the longest", Buffer.from([0, 0xff, 0xff, 0xff, 0xff]), 4096, "message_too_large"],
    ["an unknown flag", grpcMessage(message, 2), 4096, "flag_unknown"],
    ["the highest flag", grpcMessage(message, 255), 4096, "flag_unknown"],
    ...Array.from(
      { length: whole.length - 1 },
      (_, i) => [`${i + 1} bytes of it`, whole.subarray(0, i + 1), 4096, "message_cut_off"] as const,
    ),
  ];
  for (const [what, body, maxBytes, fault] of faults) {
    it(`is refused for ${what}: ${fault}, however it is split`, () => {
      assert.equal(assemble([body], maxBytes), fault);
      assert.equal(
        assemble(
          [...body].map((byte) => Buffer.from([byte])),
          maxBytes,
        ),
        fault,
      );
      for (let at = 0; at <= body.length; at++) {
        assert.equal(assemble([body.subarray(0, at), body.subarray(at)], maxBytes), fault);
      }
    });
  }
});
