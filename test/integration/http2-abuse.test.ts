// Floods: every limit of src/server/http2/limits.ts that counts frames or bytes, attacked over a real socket with ordinary checks
// beside it on another connection. Each attack ends with the reason that it has earned, and nobody else pays for it.
// Peers that are slow, silent or gone are in http2-stalls.test.ts.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import type { Http2Limits } from "../../src/server/http2/limits.ts";
import type { ConnectionEnd, StreamRefusal } from "../../src/telemetry/http2-catalogue.ts";
import { assertEcho } from "../support/h2-cases.ts";
import {
  ACK,
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  goaway,
  grpcMessage,
  hpackInteger,
  hpackString,
  literal,
  literals,
  PADDED,
  ping,
  priority,
  repeat,
  resetStream,
  SETTING,
  settings,
  uint32,
  windowUpdate,
} from "../support/h2-frames.ts";
import {
  answerOf,
  CHECK_BLOCK,
  CHECK_FIELDS,
  check,
  head,
  type LineRateServer,
  lastData,
  MESSAGE,
  openLineRate,
  WAIT,
} from "../support/line-rate.ts";
import { startOrdinaryChecks } from "../support/ordinary-checks.ts";
import { until } from "../support/until.ts";

const BODY = grpcMessage(MESSAGE);
const NO_BYTES = Buffer.alloc(0);
const SETTINGS_ACK = frame(FRAME.SETTINGS, ACK, 0);
// No timeout may end an attack before the limit that is attacked.
const LIMITS: Partial<Http2Limits> = {
  maxResetsPerSecond: 50,
  maxControlFramesPerSecond: 200,
  maxConcurrentStreams: 100,
  requestTimeoutMs: 60_000,
  writeTimeoutMs: 60_000,
  keepAliveTimeMs: 60_000,
};

const ends = ({ http2 }: LineRateServer): Partial<Record<ConnectionEnd, number>> => seen(http2.connectionEnds);
const refusals = ({ http2 }: LineRateServer): Partial<Record<StreamRefusal, number>> => seen(http2.streamRefusals);
const seen = <Name extends string>(counts: Record<Name, number>): Partial<Record<Name, number>> =>
  Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0)) as Partial<Record<Name, number>>;

type Flood = readonly [name: string, reason: ConnectionEnd, bytes: Buffer, limits?: Partial<Http2Limits>];

/** Streams 1, 3, 5, … */
const each = (count: number, make: (stream: number) => readonly Uint8Array[]): Buffer =>
  repeat(count, (at) => Buffer.concat(make(2 * at + 1)));
const withLength = (length: string): Buffer => literals([...CHECK_FIELDS, ["content-length", length]]);

const resets: readonly Flood[] = [
  ["opens and resets", "reset_flood", each(5000, (id) => [head(id), resetStream(id)])],
  ["asks and resets before the answer", "reset_flood", each(5000, (id) => [check(id, WAIT), resetStream(id)])],
  [
    "opens, sends a part and resets",
    "reset_flood",
    each(5000, (id) => [head(id), frame(FRAME.DATA, 0, id, BODY.subarray(0, 4)), resetStream(id, 0)]),
  ],
  // CVE-2025-8671: what makes the server reset costs the same work, and concurrent streams never count up.
  ["makes us reset: WINDOW_UPDATE of 0", "reset_flood", each(5000, (id) => [check(id, WAIT), windowUpdate(id, 0)])],
  [
    "makes us reset: a window that overflows",
    "reset_flood",
    each(5000, (id) => [check(id, WAIT), windowUpdate(id, 2 ** 31 - 1)]),
  ],
  [
    "makes us reset: DATA on a half-closed stream",
    "reset_flood",
    each(5000, (id) => [check(id, WAIT), lastData(id, BODY)]),
  ],
  ["makes us reset: HEADERS on a half-closed stream", "reset_flood", each(5000, (id) => [check(id, WAIT), head(id)])],
  ["makes us reset: PRIORITY on itself", "reset_flood", each(5000, (id) => [check(id, WAIT), priority(id, id)])],
  [
    "makes us reset: PRIORITY of four bytes",
    "reset_flood",
    each(5000, (id) => [check(id, WAIT), frame(FRAME.PRIORITY, 0, id, Buffer.alloc(4))]),
  ],
  [
    "makes us reset: a content-length that is too small",
    "reset_flood",
    each(5000, (id) => [check(id, MESSAGE, withLength("3"))]),
  ],
  [
    "makes us reset: a content-length that is too large",
    "reset_flood",
    each(5000, (id) => [check(id, MESSAGE, withLength("3000"))]),
  ],
  ["makes us reset: a malformed header", "reset_flood", each(5000, (id) => [head(id, literals([["X", "1"]]))])],
  [
    "makes us reset: trailers that end nothing",
    "reset_flood",
    each(5000, (id) => [head(id), head(id, literals([["x", "1"]]))]),
  ],
  [
    "makes us reset: more than the window",
    "reset_flood",
    each(120, (id) => [
      head(id),
      frame(FRAME.DATA, 0, id, grpcMessage(Buffer.alloc(65_530)).subarray(0, 16_384)),
      repeat(3, () => frame(FRAME.DATA, 0, id, Buffer.alloc(16_384))),
    ]),
  ],
  ["resets one stream again and again", "reset_flood", Buffer.concat([check(1), repeat(20_000, () => resetStream(1))])],
  [
    "makes us refuse: more streams than it may have",
    "reset_flood",
    Buffer.concat([SETTINGS_ACK, each(5000, (id) => [head(id)])]),
  ],
];

const closedOnce = Buffer.concat([check(1), head(3), resetStream(3), lastData(3, BODY)]);
const controls: readonly Flood[] = [
  ["more streams than it may have, as if it had not been told", "control_flood", each(5000, (id) => [head(id)])],
  [
    "empty DATA of a closed stream",
    "control_flood",
    Buffer.concat([closedOnce, repeat(20_000, () => frame(FRAME.DATA, 0, 3, NO_BYTES))]),
  ],
  [
    "HEADERS of a stream that was reset",
    "control_flood",
    Buffer.concat([head(1), windowUpdate(1, 0), repeat(5000, () => head(1))]),
  ],
  ["SETTINGS", "control_flood", repeat(20_000, () => settings())],
  [
    "SETTINGS of 2,730 settings",
    "control_flood",
    repeat(250, () => settings(...Array.from({ length: 2730 }, (_, at) => [SETTING.INITIAL_WINDOW_SIZE, at] as const))),
  ],
  ["acknowledgements of SETTINGS", "control_flood", repeat(20_000, () => frame(FRAME.SETTINGS, ACK, 0))],
  ["PING", "control_flood", repeat(20_000, () => ping())],
  ["answers to PING", "control_flood", repeat(20_000, () => ping(Buffer.alloc(8), ACK))],
  ["GOAWAY", "control_flood", repeat(20_000, () => goaway(0))],
  ["PRIORITY of idle streams", "control_flood", each(20_000, (id) => [priority(id, 0)])],
  ["unknown frames", "control_flood", repeat(20_000, () => frame(0x42, 0, 0))],
  ["unknown frames of 16 KiB", "control_flood", repeat(400, () => frame(0x42, 0, 0, Buffer.alloc(16_384)))],
  ["empty DATA", "control_flood", Buffer.concat([head(1), repeat(20_000, () => frame(FRAME.DATA, 0, 1, NO_BYTES))])],
  [
    "DATA of nothing but padding",
    "control_flood",
    Buffer.concat([
      head(1),
      repeat(250, () => frame(FRAME.DATA, PADDED, 1, Buffer.concat([Buffer.from([100]), Buffer.alloc(100)]))),
    ]),
  ],
  ["WINDOW_UPDATE of 1 on the connection", "control_flood", repeat(20_000, () => windowUpdate(0, 1))],
  [
    "WINDOW_UPDATE of 1 on a stream",
    "control_flood",
    Buffer.concat([check(1, WAIT), repeat(20_000, () => windowUpdate(1, 1))]),
  ],
  [
    "WINDOW_UPDATE of 1 on a stream whose answer waits for it",
    "control_flood",
    Buffer.concat([
      settings([SETTING.INITIAL_WINDOW_SIZE, 0]),
      check(1, answerOf(100_000)),
      repeat(20_000, () => windowUpdate(1, 1)),
    ]),
  ],
  [
    "windows that open and close while 50 answers wait",
    "control_flood",
    Buffer.concat([
      settings([SETTING.INITIAL_WINDOW_SIZE, 0]),
      each(50, (id) => [check(id, answerOf(10_000))]),
      repeat(5000, (at) => settings([SETTING.INITIAL_WINDOW_SIZE, at % 2])),
    ]),
  ],
  [
    "WINDOW_UPDATE of a closed stream",
    "control_flood",
    Buffer.concat([check(1), repeat(20_000, () => windowUpdate(1, 1000))]),
  ],
];

const continuation = (bytes: Uint8Array, flags = 0): Buffer => frame(FRAME.CONTINUATION, flags, 1, bytes);
const headers: readonly Flood[] = [
  [
    "CONTINUATION without end",
    "continuation_flood",
    Buffer.concat([head(1, CHECK_BLOCK, 0), repeat(5000, () => continuation(literal("ab", "b".repeat(100))))]),
  ],
  [
    "CONTINUATION of one byte",
    "continuation_flood",
    Buffer.concat([head(1, CHECK_BLOCK, 0), repeat(5000, () => continuation(Buffer.from([0])))]),
  ],
  [
    "empty CONTINUATION",
    "continuation_flood",
    Buffer.concat([head(1, CHECK_BLOCK, 0), repeat(5000, () => continuation(NO_BYTES))]),
  ],
  [
    "empty CONTINUATION in trailers",
    "continuation_flood",
    Buffer.concat([head(1), head(1, NO_BYTES, END_STREAM), repeat(5000, () => continuation(NO_BYTES))]),
  ],
  [
    "a header block of 100 KiB",
    "header_block_size",
    Buffer.concat([head(1, Buffer.alloc(16_384), 0), repeat(6, () => continuation(Buffer.alloc(16_384)))]),
  ],
];

const codes: Partial<Record<ConnectionEnd, number>> = {
  reset_flood: 0xb,
  control_flood: 0xb,
  continuation_flood: 0xb,
  header_block_size: 0xb,
};

describe("a flood is cut off, counted, and nobody else is harmed", () => {
  for (const [group, floods] of Object.entries({ resets, controls, headers })) {
    describe(group, () => {
      for (const [name, reason, bytes, limits] of floods) {
        it(name, async (t) => {
          const server = await openLineRate(t, { limits: { ...LIMITS, ...limits } });
          const ordinary = await startOrdinaryChecks(server.address, bytes.length);
          const attacker = server.dial({ acks: false });
          attacker.send(bytes);
          const code = await attacker.goodbye();
          await ordinary.stop();
          assert.equal(code, codes[reason]);
          assert.deepEqual(ends(server), { [reason]: 1 });
          await until(
            () => server.listener.connections <= 1,
            () => "the connections are gone",
          );
          assert.equal(server.listener.checksInFlight, 0);
          assert.equal(server.http2.unfinishedBytes, 0);
          assert.deepEqual(server.faults, []);
        });
      }
    });
  }
});

describe("what is no flood", () => {
  it("as many resets as there were answers before", async (t) => {
    const server = await openLineRate(t, { limits: LIMITS });
    const peer = server.dial();
    for (let round = 0; round < 10; round++) {
      const first = round * 200 + 1;
      peer.send(repeat(50, (at) => check(first + 2 * at)));
      await peer.answer(first + 98);
      peer.send(repeat(50, (at) => Buffer.concat([head(first + 100 + 2 * at), resetStream(first + 100 + 2 * at)])));
    }
    peer.send(check(9999));
    assertEcho(await peer.answer(9999));
    assert.deepEqual(ends(server), {});
  });

  it("a WINDOW_UPDATE and a PING for every answer", async (t) => {
    const server = await openLineRate(t, { limits: LIMITS });
    const peer = server.dial();
    for (let at = 0; at < 600; at++) {
      peer.send(check(2 * at + 1), ping(), windowUpdate(0, BODY.length));
      if (at % 50 === 49) await peer.answer(2 * at + 1);
    }
    assertEcho(await peer.answer(1199));
    assert.deepEqual(ends(server), {});
  });

  it("5,000 checks of which each has other headers, large ones, in HPACK's table and beside it", async (t) => {
    const server = await openLineRate(t, { limits: { maxConcurrentStreams: 1000 } });
    const peer = server.dial();
    peer.send(windowUpdate(0, 1_000_000));
    for (let from = 0; from < 5000; from += 500) {
      peer.send(
        repeat(500, (at) => {
          const id = 2 * (from + at) + 1;
          const lines = [literal("x-request-id", `id ${id}`, 0x40), literal("x-large", `${id}`.repeat(500))];
          return check(id, MESSAGE, Buffer.concat([CHECK_BLOCK, ...lines]));
        }),
      );
    }
    assertEcho(await peer.answer(9999));
    assert.equal(peer.frames.filter((each) => each.type === FRAME.DATA).length, 5000);
    assert.deepEqual([ends(server), refusals(server)], [{}, {}]);
  });

  it("20,000 checks as fast as they can be sent", async (t) => {
    const server = await openLineRate(t);
    const peer = server.dial();
    // Windows for all answers at once: 7 bytes each.
    peer.send(windowUpdate(0, 1_000_000));
    let stream = 1;
    for (let round = 0; round < 20; round++) {
      peer.send(repeat(1000, (at) => check(stream + 2 * at)));
      stream += 2000;
    }
    assertEcho(await peer.answer(stream - 2));
    assert.equal(peer.frames.filter((each) => each.type === FRAME.DATA).length, 20_000);
    assert.deepEqual([ends(server), refusals(server)], [{}, {}]);
  });
});

describe("HPACK bombs", () => {
  it("one big entry, named thousands of times, is refused for its size, and the connection goes on", async (t) => {
    const server = await openLineRate(t, { limits: LIMITS });
    const ordinary = await startOrdinaryChecks(server.address);
    const peer = server.dial();
    const bomb = Buffer.concat([CHECK_BLOCK, Buffer.alloc(8000, 0xbe)]);
    // 4,000 bytes in the table, 8,000 times: 32 MB a request.
    peer.send(check(1, MESSAGE, Buffer.concat([CHECK_BLOCK, literal("x", "a".repeat(4000), 0x40)])));
    assertEcho(await peer.answer(1));
    const begunMs = performance.now();
    peer.send(
      repeat(40, (at) => check(2 * at + 3, MESSAGE, bomb)),
      check(101),
    );
    assertEcho(await peer.answer(101));
    assert.ok(performance.now() - begunMs < 2000);
    await ordinary.stop();
    assert.deepEqual([ends(server), refusals(server)], [{}, { header_list: 40 }]);
    assert.deepEqual(server.faults, []);
  });

  it("table sizes by the thousand in one block are read as fast as they come", async (t) => {
    const server = await openLineRate(t, { limits: LIMITS });
    const ordinary = await startOrdinaryChecks(server.address);
    const peer = server.dial();
    const sizes = repeat(4000, (at) => hpackInteger(0x20, 5, at % 2 === 0 ? 0 : 4096));
    const begunMs = performance.now();
    peer.send(each(100, (id) => [check(id, MESSAGE, Buffer.concat([sizes, CHECK_BLOCK]))]));
    assertEcho(await peer.answer(199));
    assert.ok(performance.now() - begunMs < 2000);
    await ordinary.stop();
    assert.deepEqual(ends(server), {});
  });

  it("entries that push each other out, 4,000 in a block", async (t) => {
    const server = await openLineRate(t, { limits: { ...LIMITS, maxHeaderListBytes: 1 << 20 } });
    const ordinary = await startOrdinaryChecks(server.address);
    const peer = server.dial();
    const block = Buffer.concat([CHECK_BLOCK, repeat(4000, () => literal("a", "b", 0x40))]);
    const send = (stream: number) => {
      peer.send(head(stream, block.subarray(0, 16_384), 0));
      peer.send(frame(FRAME.CONTINUATION, END_HEADERS, stream, block.subarray(16_384)), lastData(stream, BODY));
    };
    for (let at = 0; at < 100; at++) send(2 * at + 1);
    assertEcho(await peer.answer(199));
    await ordinary.stop();
    assert.deepEqual(ends(server), {});
  });

  it("integers of a thousand bytes", async (t) => {
    const server = await openLineRate(t, { limits: LIMITS });
    const peer = server.dial();
    peer.send(head(1, Buffer.concat([CHECK_BLOCK, Buffer.from([0x7f]), Buffer.alloc(1000, 0x80), Buffer.from([0])])));
    assert.equal(await peer.goodbye(), 0x9);
    assert.deepEqual(ends(server), { compression_error: 1 });
  });

  it("a header list of 40 KB is refused on its stream", async (t) => {
    const server = await openLineRate(t, { limits: LIMITS });
    const peer = server.dial();
    const block = Buffer.concat([CHECK_BLOCK, Buffer.from([0x00]), hpackString("x"), hpackString("a".repeat(40_000))]);
    peer.send(
      head(1, block.subarray(0, 16_000), 0),
      frame(FRAME.CONTINUATION, 0, 1, block.subarray(16_000, 32_000)),
      frame(FRAME.CONTINUATION, END_HEADERS, 1, block.subarray(32_000)),
      lastData(1, BODY),
      check(3),
    );
    assertEcho(await peer.answer(3));
    assert.deepEqual([ends(server), refusals(server)], [{}, { header_list: 1 }]);
  });
});

describe("streams and messages", () => {
  it("refuses streams beyond the limit, and takes as many as the limit says", async (t) => {
    const server = await openLineRate(t, { limits: { maxConcurrentStreams: 10, maxResetsPerSecond: 1000 } });
    const peer = server.dial();
    peer.send(each(50, (id) => [head(id)]));
    await peer.settled();
    const refused = peer.frames.filter((frame) => frame.type === FRAME.RST_STREAM);
    assert.deepEqual(
      refused.map((frame) => frame.stream),
      Array.from({ length: 40 }, (_, at) => 21 + 2 * at),
    );
    assert.ok(refused.every((frame) => frame.payload.readUInt32BE(0) === 0x7));
    peer.send(each(10, (id) => [lastData(id, BODY)]));
    for (let id = 1; id < 20; id += 2) assertEcho(await peer.answer(id));
    peer.send(check(101));
    assertEcho(await peer.answer(101));
    assert.deepEqual([ends(server), refusals(server)], [{}, { concurrent_streams: 40 }]);
  });

  it("closes who holds the most when unfinished messages are too many, and never a neighbour", async (t) => {
    const server = await openLineRate(t, { limits: { maxUnfinishedBytes: 2 << 20 } });
    const ordinary = await startOrdinaryChecks(server.address);
    const modest = server.dial();
    const message = Buffer.alloc(50_000, 7);
    const half = grpcMessage(message).subarray(0, 16_384);
    modest.send(windowUpdate(0, 1_000_000), head(1), windowUpdate(1, 1_000_000), frame(FRAME.DATA, 0, 1, half));
    await modest.settled();
    assert.ok(server.http2.unfinishedBytes >= 16_000, `${server.http2.unfinishedBytes}`);
    const attacker = server.dial();
    attacker.send(each(1024, (id) => [head(id), frame(FRAME.DATA, 0, id, half)]));
    assert.equal(await attacker.goodbye(), 0xb);
    await until(
      () => server.http2.unfinishedBytes < 20_000,
      () => "the attacker's bytes are let go",
    );
    const rest = grpcMessage(message).subarray(16_384);
    modest.send(
      repeat(3, (at) => frame(FRAME.DATA, at === 2 ? END_STREAM : 0, 1, rest.subarray(at * 16_384, (at + 1) * 16_384))),
    );
    assertEcho(await modest.answer(1), message);
    await ordinary.stop();
    assert.equal(server.http2.unfinishedBytes, 0);
    assert.deepEqual(ends(server), { unfinished_bytes: 1 });
  });

  it("closes the largest of many connections that hold a little each", async (t) => {
    const server = await openLineRate(t, { limits: { maxUnfinishedBytes: 1 << 20 } });
    const ordinary = await startOrdinaryChecks(server.address);
    const half = grpcMessage(Buffer.alloc(50_000)).subarray(0, 16_384);
    const attackers = Array.from({ length: 30 }, () => server.dial());
    for (const attacker of attackers) attacker.send(each(4, (id) => [head(id), frame(FRAME.DATA, 0, id, half)]));
    // Each holds 64 KiB: no more than 16 of them at once.
    await until(
      () => server.http2.connectionEnds.unfinished_bytes >= 14,
      () => "enough of them are closed",
    );
    assert.ok(server.http2.unfinishedBytes <= 1 << 20);
    await ordinary.stop();
    assert.deepEqual(Object.keys(ends(server)), ["unfinished_bytes"]);
    assert.ok(attackers.filter((attacker) => !attacker.isClosed).length >= 10);
  });

  it("inflates a hundred bombs of gzip without keeping what they hold", async (t) => {
    const server = await openLineRate(t, { limits: { maxMessageBytes: 100_000 } });
    const ordinary = await startOrdinaryChecks(server.address);
    const peer = server.dial();
    const bomb = grpcMessage(gzipSync(Buffer.alloc(15 << 20)), 1);
    const block = literals([...CHECK_FIELDS, ["grpc-encoding", "gzip"]]);
    peer.send(each(100, (id) => [head(id, block), lastData(id, bomb)]));
    for (let id = 1; id < 200; id += 2) assert.equal((await peer.answer(id)).blocks[0]?.["grpc-status"], "8");
    await ordinary.stop();
    assert.deepEqual([ends(server), refusals(server)], [{}, { message_size: 100 }]);
  });

  it("refuses ten thousand messages by their prefix, and answers the rest", async (t) => {
    const server = await openLineRate(t, { limits: { maxResetsPerSecond: 100_000 } });
    const ordinary = await startOrdinaryChecks(server.address);
    const peer = server.dial();
    const prefix = Buffer.concat([Buffer.from([0]), uint32(2 ** 32 - 1)]);
    peer.send(
      each(10_000, (id) => [head(id), lastData(id, prefix)]),
      check(20_001),
    );
    assertEcho(await peer.answer(20_001));
    await ordinary.stop();
    assert.equal(refusals(server).message_size, 10_000);
  });
});
