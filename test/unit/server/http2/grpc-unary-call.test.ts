import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import type { StreamRefusal } from "../../../../src/telemetry/http2-catalogue.ts";
import { grpcMessage } from "../../../support/h2-frames.ts";
import { createRouterWorld, type RouterWorld } from "../../../support/router-world.ts";

const message = Buffer.from("the bytes of a check");
const whole = grpcMessage(message);
const echoed = { bytes: message };
const gzip = { "grpc-encoding": "gzip" };

const refusals = ({ counts }: RouterWorld): Partial<Record<StreamRefusal, number>> =>
  Object.fromEntries(Object.entries(counts.streamRefusals).filter(([, count]) => count > 0));

describe("a unary call's message", () => {
  it("is the same however its DATA frames are cut, and END_STREAM comes with the last of them or after it", () => {
    const world = createRouterWorld();
    for (let first = 0; first <= whole.length; first++) {
      for (let second = first; second <= whole.length; second++) {
        const call = world.call();
        for (const part of [whole.subarray(0, first), whole.subarray(first, second), whole.subarray(second)]) {
          call.data(part);
          assert.equal(call.stream.answers, 0);
        }
        call.end();
        assert.deepEqual(call.stream.outcome(), echoed);
        assert.equal(call.stream.answers, 1);
      }
    }
    assert.equal(world.inFlight(), 0);
    assert.deepEqual(refusals(world), {});
  });

  it("never reaches the handler when END_STREAM comes at any byte before its end", () => {
    const world = createRouterWorld();
    for (let length = 0; length < whole.length; length++) {
      for (const isByByte of [false, true]) {
        const call = world.call();
        const sent = whole.subarray(0, length);
        for (const part of isByByte ? [...sent].map((byte) => Buffer.from([byte])) : [sent]) call.data(part);
        call.end();
        assert.deepEqual(call.stream.outcome(), {
          code: 12,
          message: length === 0 ? "no request message" : "the request message is cut off",
        });
      }
    }
    assert.deepEqual(world.call({}, { endStream: true }).stream.outcome(), { code: 12, message: "no request message" });
    assert.deepEqual(world.requests, []);
    assert.equal(world.started(), 2 * whole.length + 1);
    assert.equal(world.inFlight(), 0);
    assert.deepEqual(refusals(world), { message: 2 * whole.length + 1 });
  });

  const faults: readonly (readonly [
    what: string,
    body: Buffer,
    lines: Readonly<Record<string, string>>,
    code: number,
    text: RegExp,
    counted: StreamRefusal,
    /** Bytes of the body after which the answer is known. */
    knownAfter: number,
  ])[] = [
    ["a second message", Buffer.concat([whole, whole]), {}, 12, /more than one/, "message", whole.length + 1],
    ["a byte too much", Buffer.concat([whole, Buffer.alloc(1)]), {}, 12, /more than one/, "message", whole.length + 1],
    ["an unknown flag", grpcMessage(message, 2), {}, 13, /unknown compression flag/, "message", 1],
    ["a flag without an encoding", grpcMessage(message, 1), {}, 13, /names no compression/, "compression", 5],
    [
      "a flag with the encoding identity",
      grpcMessage(message, 1),
      { "grpc-encoding": "identity" },
      13,
      /names no compression/,
      "compression",
      5,
    ],
    ["zstd", grpcMessage(message, 1), { "grpc-encoding": "zstd" }, 12, /use gzip or identity/, "compression", 5],
    ["a message over the limit", grpcMessage(Buffer.alloc(1001)), {}, 8, /larger/, "message_size", 5],
    ["a packed message over the limit", grpcMessage(Buffer.alloc(1001), 1), gzip, 8, /larger/, "message_size", 5],
    ["the promise of 4 GiB", Buffer.from([0, 255, 255, 255, 255]), {}, 8, /larger/, "message_size", 5],
  ];
  for (const [what, body, lines, code, text, counted, knownAfter] of faults) {
    it(`is refused for ${what} as soon as that is known, and once`, () => {
      const limits = { maxMessageBytes: 1000 };
      const world = createRouterWorld(undefined, { limits });
      const call = world.call(lines);
      for (const [at, byte] of body.entries()) {
        call.data(Buffer.from([byte]));
        assert.equal(call.stream.answers, at + 1 < knownAfter ? 0 : 1, `after ${at + 1} bytes`);
      }
      call.data(Buffer.alloc(100));
      call.end();
      call.reset();
      const whole = world.send(body, lines);
      for (const stream of [call.stream, whole]) {
        assert.equal(stream.answers, 1);
        const outcome = stream.outcome();
        assert.ok("code" in outcome);
        assert.equal(outcome.code, code);
        assert.match(outcome.message, text);
      }
      assert.deepEqual(world.requests, []);
      assert.deepEqual(refusals(world), { [counted]: 2 });
      assert.equal(world.started(), 2);
      assert.equal(world.inFlight(), 0);
    });
  }

  it("says which encodings are taken when it is refused for its own", () => {
    const stream = createRouterWorld().send(grpcMessage(message, 1), { "grpc-encoding": "br" });
    assert.equal(stream.answer().headers["grpc-accept-encoding"], "identity,gzip");
  });

  it("is taken as it is when only its encoding is unknown, but not used", () => {
    assert.deepEqual(createRouterWorld().send(whole, { "grpc-encoding": "zstd" }).outcome(), echoed);
  });

  it("may have exactly the limit, and is granted what its window does not hold", () => {
    const limits = { maxMessageBytes: 100_000 };
    const rows: readonly (readonly [length: number, granted: number])[] = [
      [0, 0],
      [65_530, 0],
      [65_531, 1],
      [100_000, 100_005 - 65_535],
    ];
    for (const [length, granted] of rows) {
      const world = createRouterWorld(undefined, { limits });
      const body = grpcMessage(Buffer.alloc(length, 3));
      const call = world.call();
      call.data(body.subarray(0, 3));
      assert.equal(call.stream.granted, 0);
      call.data(body.subarray(3, 5));
      assert.equal(call.stream.granted, granted);
      call.data(body.subarray(5));
      assert.equal(call.stream.granted, granted);
      call.end();
      assert.deepEqual(call.stream.outcome(), { bytes: Buffer.alloc(length, 3) });
    }
  });

  it("over the limit is granted nothing", () => {
    const call = createRouterWorld(undefined, { limits: { maxMessageBytes: 70_000 } }).call();
    call.data(grpcMessage(Buffer.alloc(70_001)).subarray(0, 5));
    assert.equal(call.stream.granted, 0);
    assert.equal(call.stream.answers, 1);
  });
});

describe("a packed message", () => {
  it("is unpacked, in one frame or by the byte", async () => {
    const world = createRouterWorld();
    const body = grpcMessage(gzipSync(message), 1);
    const one = world.send(body, gzip);
    const call = world.call(gzip);
    for (const byte of body) call.data(Buffer.from([byte]));
    call.end();
    await Promise.all([one.answered(), call.stream.answered()]);
    assert.deepEqual([one.outcome(), call.stream.outcome()], [echoed, echoed]);
    assert.equal(world.inFlight(), 0);
  });

  it("may also come unpacked, whatever is announced", () => {
    assert.deepEqual(createRouterWorld().send(whole, gzip).outcome(), echoed);
  });

  const rows: readonly (readonly [what: string, packed: Buffer, code: number, counted: StreamRefusal])[] = [
    ["is a bomb", gzipSync(Buffer.alloc(1_000_000)), 8, "message_size"],
    ["is a byte over the limit", gzipSync(Buffer.alloc(10_001)), 8, "message_size"],
    ["is no gzip", Buffer.from("not gzip"), 13, "compression"],
    ["is cut off", gzipSync(message).subarray(0, -1), 13, "compression"],
    ["is empty", Buffer.alloc(0), 13, "compression"],
  ];
  for (const [what, packed, code, counted] of rows) {
    it(`never reaches the handler when it ${what}: ${code}`, async () => {
      const world = createRouterWorld(undefined, { limits: { maxMessageBytes: 10_000 } });
      const stream = world.send(grpcMessage(packed, 1), gzip);
      await stream.answered();
      const outcome = stream.outcome();
      assert.equal("code" in outcome && outcome.code, code);
      assert.deepEqual(refusals(world), { [counted]: 1 });
      assert.deepEqual(world.requests, []);
      assert.equal(world.inFlight(), 0);
    });
  }

  it("waits no longer than its call, so that calls which are reset leave room for others", async () => {
    const world = createRouterWorld();
    const large = grpcMessage(Buffer.alloc(2 * 1024 * 1024, 0xff), 1);
    for (let round = 0; round < 10; round++) {
      const calls = Array.from({ length: 4 }, () => world.call(gzip));
      for (const call of calls) {
        call.data(large);
        call.end();
      }
      for (const call of calls) call.reset();
    }
    const stream = world.send(grpcMessage(gzipSync(message), 1), gzip);
    await stream.answered();
    assert.deepEqual(stream.outcome(), echoed);
    assert.deepEqual(refusals(world), {});
  });

  it("is forgotten when its call ends while it is unpacked", async () => {
    const world = createRouterWorld();
    const body = grpcMessage(gzipSync(message), 1);
    const [reset, late] = [world.call(gzip), world.call({ ...gzip, "grpc-timeout": "5m" })];
    for (const call of [reset, late]) {
      call.data(body);
      call.end();
    }
    reset.reset();
    world.clock.advanceMs(5);
    assert.equal(reset.stream.answers, 0);
    assert.deepEqual(late.stream.outcome(), { code: 4, message: "Deadline exceeded" });
    const last = world.send(body, gzip);
    await last.answered();
    assert.equal(world.requests.length, 1);
    assert.equal(late.stream.answers, 1);
    assert.equal(world.inFlight(), 0);
  });
});

describe("a unary call's deadline", () => {
  it("ends a call whose message does not come in time", () => {
    const world = createRouterWorld();
    const call = world.call({ "grpc-timeout": "20m" });
    call.data(whole.subarray(0, 10));
    world.clock.advanceMs(19);
    assert.equal(call.stream.answers, 0);
    world.clock.advanceMs(1);
    assert.deepEqual(call.stream.outcome(), { code: 4, message: "Deadline exceeded" });
    call.data(whole.subarray(10));
    call.end();
    assert.equal(call.stream.answers, 1);
    assert.deepEqual(world.requests, []);
    assert.equal(world.inFlight(), 0);
  });

  it("ends a health call too", () => {
    const world = createRouterWorld();
    const call = world.call({ ":path": "/grpc.health.v1.Health/Check", "grpc-timeout": "20m" });
    world.clock.advanceMs(20);
    assert.deepEqual(call.stream.outcome(), { code: 4, message: "Deadline exceeded" });
  });

  it("does nothing to a call that was answered or reset", () => {
    const world = createRouterWorld();
    const answered = world.send(whole, { "grpc-timeout": "20m" });
    const reset = world.call({ "grpc-timeout": "20m" });
    reset.reset();
    world.clock.advanceMs(100);
    assert.equal(answered.answers, 1);
    assert.equal(reset.stream.answers, 0);
    assert.equal(world.inFlight(), 0);
  });

  it("is forgotten with its call: nothing waits for what was answered, refused or reset", () => {
    const world = createRouterWorld();
    world.call({ "grpc-timeout": "10m" });
    world.send(whole, { "grpc-timeout": "500m" });
    world.send(Buffer.alloc(3), { "grpc-timeout": "600m" });
    world.call({ "grpc-timeout": "700m" }).reset();
    assert.equal(world.clock.timers.nextMs, 10);
    world.clock.advanceMs(10);
    assert.equal(world.clock.timers.pending, 0);
    assert.equal(world.inFlight(), 0);
  });

  it("is told to the handler, from when the headers came", () => {
    const world = createRouterWorld();
    world.clock.advanceMs(1000);
    const call = world.call({ "grpc-timeout": "30S" });
    world.clock.advanceMs(5);
    call.data(whole);
    call.end();
    assert.equal(world.calls[0]?.receivedMs, 1000);
    assert.equal(world.calls[0]?.deadlineMs, 31_000);
    world.send(whole);
    assert.equal(world.calls[1]?.deadlineMs, Number.POSITIVE_INFINITY);
  });

  it("is INTERNAL when it cannot be read, from the headers alone", () => {
    for (const text of ["soon", "", "123456789m"]) {
      const world = createRouterWorld();
      const call = world.call({ "grpc-timeout": text });
      assert.equal(call.receiver, undefined);
      assert.deepEqual(call.stream.outcome(), { code: 13, message: "unreadable grpc-timeout" });
      assert.equal(world.inFlight(), 0);
      assert.deepEqual(refusals(world), { message: 1 });
    }
  });
});
