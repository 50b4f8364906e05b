// Peers that are slow, silent, deaf or gone, over real sockets with ordinary checks beside them: what they hold is bounded and let
// go in time, whatever the moment. Floods are in http2-abuse.test.ts.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, it } from "node:test";
import type { ConnectionEnd, StreamRefusal } from "../../src/telemetry/http2-catalogue.ts";
import { assertEcho } from "../support/h2-cases.ts";
import {
  FRAME,
  frame,
  grpcMessage,
  literals,
  MAGIC,
  PREFACE,
  ping,
  repeat,
  resetStream,
  SETTING,
  settings,
  uint32,
  windowUpdate,
} from "../support/h2-frames.ts";
import { openRawPeer, type SeenFrame, toTarget } from "../support/h2-raw-peer.ts";
import {
  answerOf,
  behave,
  CHECK_BLOCK,
  CHECK_FIELDS,
  check,
  head,
  type LineRateServer,
  lastData,
  loadTestMaterial,
  MESSAGE,
  openLineRate,
  WAIT,
} from "../support/line-rate.ts";
import { startOrdinaryChecks } from "../support/ordinary-checks.ts";
import { until } from "../support/until.ts";

const BODY = grpcMessage(MESSAGE);
const KIB = 1024;
const seen = <Name extends string>(counts: Record<Name, number>): Partial<Record<Name, number>> =>
  Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0)) as Partial<Record<Name, number>>;
const ends = ({ http2 }: LineRateServer): Partial<Record<ConnectionEnd, number>> => seen(http2.connectionEnds);
const refusals = ({ http2 }: LineRateServer): Partial<Record<StreamRefusal, number>> => seen(http2.streamRefusals);

// Timeouts are looked at about once a second: these tests wait for real time, so they wait side by side.
describe("a peer that does not read", { concurrency: 8 }, () => {
  const SIZE = 64 * KIB;
  const limits = { maxUnsentBytes: 256 * KIB, writeTimeoutMs: 300, maxConcurrentStreams: 1000 };

  it("is not read from while its answers wait in the kernel, and is closed when they do not move", async (t) => {
    const server = await openLineRate(t, { limits, unix: true });
    const ordinary = await startOrdinaryChecks(server.address);
    const deaf = server.dial({ deaf: true });
    deaf.send(settings([SETTING.INITIAL_WINDOW_SIZE, 2 ** 31 - 1]), windowUpdate(0, 2 ** 31 - 1 - 65_535));
    deaf.send(repeat(900, (at) => check(2 * at + 1, answerOf(SIZE))));
    await until(
      () => server.http2.connectionEnds.slow_reader === 1,
      () => "it is closed",
    );
    await ordinary.stop();
    assert.deepEqual(ends(server), { slow_reader: 1 });
    assert.deepEqual(server.faults, []);
  });

  it("leaves no more than the limit in memory", async (t) => {
    let large = 0;
    const server = await openLineRate(t, {
      limits: { ...limits, writeTimeoutMs: 60_000 },
      unix: true,
      handler: (bytes, call) => {
        if (bytes.length > 2) large++;
        return behave(bytes, call);
      },
    });
    const deaf = server.dial({ deaf: true });
    deaf.send(settings([SETTING.INITIAL_WINDOW_SIZE, 2 ** 31 - 1]), windowUpdate(0, 2 ** 31 - 1 - 65_535));
    for (let at = 0; at < 900; at++) {
      deaf.send(check(2 * at + 1, answerOf(SIZE)));
      // Each in a read of its own: what one batch asks for is always answered.
      await new Promise((resolve) => setImmediate(resolve));
    }
    const ordinary = await startOrdinaryChecks(server.address);
    await ordinary.stop();
    // The limit, what the kernel takes of a unix socket, and one batch.
    assert.ok(large * SIZE < 4 << 20, `${large} of 900 answers were made`);
    assert.deepEqual(ends(server), {});
  });

  it("is not read from either while answers to PING and SETTINGS wait", async (t) => {
    const server = await openLineRate(t, {
      limits: { ...limits, maxControlFramesPerSecond: 100_000_000, writeTimeoutMs: 60_000 },
      unix: true,
    });
    const ordinary = await startOrdinaryChecks(server.address, 17 << 20);
    const deaf = server.dial({ deaf: true });
    deaf.send(repeat(1000, () => Buffer.concat([ping(), settings()])));
    const block = repeat(20_000, () => ping());
    for (let at = 0; at < 40; at++) deaf.send(block);
    // 13 MiB: once nothing is read any more, what is left stays with the sender.
    for (let left = -1; left !== deaf.socket.writableLength; ) {
      left = deaf.socket.writableLength;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.ok(deaf.socket.writableLength > 8 << 20, `${deaf.socket.writableLength} bytes are left`);
    await ordinary.stop();
    assert.deepEqual(ends(server), {});
  });

  it("may close its windows instead: 100 stalled answers are bounded, and closed in time", async (t) => {
    let large = 0;
    const server = await openLineRate(t, {
      limits,
      handler: (bytes, call) => {
        if (bytes.length > 2) large++;
        return behave(bytes, call);
      },
    });
    const ordinary = await startOrdinaryChecks(server.address);
    const stalled = server.dial();
    stalled.send(settings([SETTING.INITIAL_WINDOW_SIZE, 0]));
    await stalled.settled();
    for (let at = 0; at < 100; at++) {
      stalled.send(check(2 * at + 1, answerOf(SIZE)));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await stalled.closed;
    await ordinary.stop();
    assert.ok(large < 20, `${large} of 100 answers of 64 KiB were made, for a limit of 256 KiB`);
    assert.deepEqual(ends(server), { slow_reader: 1 });
  });

  it("may read a byte now and then, for as long as that moves something", async (t) => {
    const server = await openLineRate(t, { limits: { ...limits, writeTimeoutMs: 1500 } });
    const slow = server.dial();
    slow.send(settings([SETTING.INITIAL_WINDOW_SIZE, 0]), check(1));
    await slow.settled();
    for (let at = 0; at < BODY.length; at++) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      slow.send(windowUpdate(1, 1));
    }
    assertEcho(await slow.answer(1));
    assert.deepEqual(ends(server), {});
  });
});

describe("a peer that does not finish", { concurrency: 8 }, () => {
  it("is refused for a message of one byte at a time, and its other checks are answered", async (t) => {
    const server = await openLineRate(t, { limits: { requestTimeoutMs: 400 } });
    const ordinary = await startOrdinaryChecks(server.address);
    const slow = server.dial();
    slow.send(head(1), frame(FRAME.DATA, 0, 1, Buffer.concat([Buffer.from([0]), uint32(1000)])));
    const timer = setInterval(() => {
      if (!slow.isClosed) slow.send(frame(FRAME.DATA, 0, 1, Buffer.alloc(1)));
    }, 100);
    t.after(() => clearInterval(timer));
    await until(
      () => server.http2.streamRefusals.slow_sender === 1,
      () => "it is refused",
    );
    clearInterval(timer);
    slow.send(check(3));
    assertEcho(await slow.answer(3));
    const answer = await slow.answer(1);
    assert.ok(answer.resetCode !== undefined || answer.blocks[0]?.["grpc-status"] !== undefined);
    await ordinary.stop();
    assert.deepEqual([ends(server), refusals(server)], [{}, { slow_sender: 1 }]);
    assert.equal(server.http2.unfinishedBytes, 0);
  });

  it("loses a thousand streams of which each has begun", async (t) => {
    const server = await openLineRate(t, { limits: { requestTimeoutMs: 400, maxResetsPerSecond: 10_000 } });
    const ordinary = await startOrdinaryChecks(server.address);
    const slow = server.dial();
    slow.send(
      repeat(1000, (at) => Buffer.concat([head(2 * at + 1), frame(FRAME.DATA, 0, 2 * at + 1, BODY.subarray(0, 6))])),
    );
    await until(
      () => server.http2.streamRefusals.slow_sender === 1000,
      () => "they are refused",
    );
    await ordinary.stop();
    assert.equal(server.http2.unfinishedBytes, 0);
  });

  for (const [name, bytes, reason] of [
    ["nothing at all", Buffer.alloc(0), "idle"],
    ["a part of the preface", MAGIC.subarray(0, 20), "idle"],
    ["the preface without SETTINGS", MAGIC, "idle"],
    [
      "a header block without its end",
      Buffer.concat([PREFACE, head(1, CHECK_BLOCK.subarray(0, 20), 0)]),
      "continuation_flood",
    ],
    ["a part of a frame's header", Buffer.concat([PREFACE, head(1).subarray(0, 5)]), "keep_alive"],
    ["a part of a frame", Buffer.concat([PREFACE, head(1).subarray(0, 30)]), "keep_alive"],
  ] as const) {
    it(`is closed after ${name}`, async (t) => {
      const keepAliveMs = reason === "keep_alive" ? 400 : 60_000;
      const limits = { requestTimeoutMs: 400, keepAliveTimeMs: keepAliveMs, keepAliveTimeoutMs: keepAliveMs };
      const server = await openLineRate(t, { limits });
      const ordinary = await startOrdinaryChecks(server.address);
      await server.dial({ first: bytes, acks: false }).closed;
      await ordinary.stop();
      assert.deepEqual(ends(server), { [reason]: 1 });
    });
  }

  it("is asked to leave when it is idle", async (t) => {
    const server = await openLineRate(t, { limits: { idleTimeoutMs: 400 } });
    const idle = server.dial();
    idle.send(check(1));
    assertEcho(await idle.answer(1));
    const goaway = await idle.frame("GOAWAY", (each) => each.type === FRAME.GOAWAY);
    assert.equal(goaway.payload.readUInt32BE(4), 0, "NO_ERROR");
    await idle.closed;
    assert.deepEqual(ends(server), { idle: 1 });
  });

  it("is not idle while a check waits", async (t) => {
    const server = await openLineRate(t, { limits: { idleTimeoutMs: 200, requestTimeoutMs: 60_000 } });
    const waiting = server.dial();
    waiting.send(check(1, WAIT));
    const idle = server.dial();
    await idle.closed;
    assert.equal(waiting.isClosed, false);
    assert.deepEqual(ends(server), { idle: 1 });
  });

  it("is closed when it does not answer PING, and not when it does", async (t) => {
    const limits = { keepAliveTimeMs: 300, keepAliveTimeoutMs: 300, idleTimeoutMs: 60_000 };
    const server = await openLineRate(t, { limits });
    const [alive, dead] = [server.dial(), server.dial({ acks: false })];
    await dead.closed;
    assert.ok(dead.frames.some((each) => each.type === FRAME.PING));
    alive.send(check(1));
    assertEcho(await alive.answer(1));
    assert.deepEqual(ends(server), { keep_alive: 1 });
  });
});

describe("a peer that watches", () => {
  const WATCH = literals(
    CHECK_FIELDS.map(([name, value]) => [name, name === ":path" ? "/grpc.health.v1.Health/Watch" : value]),
  );
  const watch = (stream: number): Buffer => check(stream, Buffer.alloc(0), WATCH);

  it("may do so for as long as it likes, and is told of changes", async (t) => {
    const server = await openLineRate(t, {
      limits: { requestTimeoutMs: 200, idleTimeoutMs: 200, writeTimeoutMs: 200 },
    });
    const peer = server.dial();
    peer.send(check(1, Buffer.from("\x0a\x05ready"), WATCH));
    const isData = (value: number) => (each: SeenFrame) => each.type === FRAME.DATA && each.payload.at(-1) === value;
    await peer.frame("SERVING", isData(1));
    // Longer than each of those times, and a sweep.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    server.health.setReady(false);
    await peer.frame("NOT_SERVING", isData(2));
    assert.deepEqual(ends(server), {});
  });

  it("a thousand times at once, is refused most of them, and gives the rest up", async (t) => {
    const server = await openLineRate(t, { limits: { maxResetsPerSecond: 10_000 } });
    const ordinary = await startOrdinaryChecks(server.address);
    const peer = server.dial();
    peer.send(repeat(1000, (at) => watch(2 * at + 1)));
    // The last one has been heard: RESOURCE_EXHAUSTED beyond the 256 that may be open over all connections.
    assert.equal((await peer.answer(1999)).blocks[0]?.["grpc-status"], "8");
    const open = (): number => peer.frames.filter((each) => each.type === FRAME.DATA).length;
    await peer.frame("256 statuses", () => open() >= 256);
    await peer.settled();
    assert.equal(open(), 256);
    peer.send(repeat(1000, (at) => resetStream(2 * at + 1)));
    await peer.settled();
    peer.send(check(2001), watch(2003));
    assertEcho(await peer.answer(2001));
    await peer.frame("a watch again", (each) => each.type === FRAME.DATA && each.stream === 2003);
    await ordinary.stop();
    assert.deepEqual([ends(server), server.faults], [{}, []]);
  });

  it("and resets, over and over, is cut off", async (t) => {
    const server = await openLineRate(t, { limits: { maxResetsPerSecond: 50 } });
    const ordinary = await startOrdinaryChecks(server.address);
    const peer = server.dial();
    peer.send(repeat(5000, (at) => Buffer.concat([watch(2 * at + 1), resetStream(2 * at + 1)])));
    assert.equal(await peer.goodbye(), 0xb);
    await ordinary.stop();
    assert.deepEqual(ends(server), { reset_flood: 1 });
    assert.deepEqual(server.faults, []);
  });

  it("and does not read, and goes: nothing is left", async (t) => {
    const server = await openLineRate(t);
    const peers = Array.from({ length: 20 }, () => server.dial());
    for (const peer of peers) peer.send(repeat(5, (at) => watch(2 * at + 1)));
    await Promise.all(peers.map((peer) => peer.frame("a status", (each) => each.type === FRAME.DATA)));
    for (const peer of peers) peer.socket.resetAndDestroy();
    await until(
      () => server.listener.connections === 0,
      () => "all are gone",
    );
    assert.deepEqual(server.faults, []);
  });
});

describe("a connection's age", { concurrency: 8 }, () => {
  it("ends it without losing a check, give or take a tenth", async (t) => {
    const server = await openLineRate(t, { limits: { maxConnectionAgeMs: 5000 } });
    const begunMs = performance.now();
    const agesMs: number[] = [];
    const peers = Array.from({ length: 30 }, () => server.dial());
    await Promise.all(
      peers.map(async (peer) => {
        let stream = 1;
        const leaving = peer
          .frame("GOAWAY", (each) => each.type === FRAME.GOAWAY)
          .then(() => agesMs.push(performance.now() - begunMs));
        let asked = true;
        void leaving.then(() => {
          asked = false;
        });
        while (asked) {
          peer.send(check(stream));
          assertEcho(await peer.answer(stream));
          stream += 2;
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        // What is sent before the notice has been read is still answered.
        peer.send(check(stream));
        assertEcho(await peer.answer(stream));
        await peer.closed;
      }),
    );
    assert.ok(Math.min(...agesMs) >= 4400, `${Math.min(...agesMs)}`);
    assert.ok(Math.max(...agesMs) <= 7500, `${Math.max(...agesMs)}`);
    assert.ok(Math.max(...agesMs) - Math.min(...agesMs) > 200, "not all at once");
    assert.deepEqual(ends(server), { max_age: 30 });
  });
});

describe("a peer that goes", () => {
  it("at any byte of a conversation, by FIN or by a reset", async (t) => {
    const server = await openLineRate(t);
    const ordinary = await startOrdinaryChecks(server.address);
    const conversation = Buffer.concat([
      PREFACE,
      head(1),
      frame(FRAME.DATA, 0, 1, BODY.subarray(0, 3)),
      check(3, WAIT),
      check(5),
      ping(),
    ]);
    for (let length = 0; length <= conversation.length; length += 1) {
      const socket = connect(toTarget(server.address));
      socket.on("error", () => undefined);
      await new Promise((resolve) => socket.once("connect", resolve));
      await new Promise((resolve) => socket.write(conversation.subarray(0, length), resolve));
      if (length % 2 === 0) socket.resetAndDestroy();
      else socket.destroy();
    }
    await until(
      () => server.listener.connections === 1,
      () => "all are gone",
    );
    await ordinary.stop();
    assert.equal(server.listener.checksInFlight, 0);
    assert.equal(server.http2.unfinishedBytes, 0);
    assert.deepEqual(server.faults, []);
  });

  it("at any frame of an answer that it is being sent", async (t) => {
    const server = await openLineRate(t);
    const ordinary = await startOrdinaryChecks(server.address);
    for (let after = 1; after <= 12; after++) {
      const peer = server.dial();
      peer.send(
        settings([SETTING.INITIAL_WINDOW_SIZE, 1 << 20]),
        windowUpdate(0, 1 << 20),
        check(1, answerOf(150_000)),
      );
      await peer.frame(`frame ${after}`, () => peer.frames.length >= after);
      peer.socket.resetAndDestroy();
    }
    await until(
      () => server.listener.connections === 1,
      () => "all are gone",
    );
    await ordinary.stop();
    assert.deepEqual(server.faults, []);
  });

  it("halfway: what it asked before its FIN is answered", async (t) => {
    const server = await openLineRate(t);
    const peer = openRawPeer(server.address);
    t.after(() => peer.socket.destroy());
    await peer.settled();
    peer.socket.end(check(1));
    assertEcho(await peer.answer(1));
    await peer.closed;
    await until(
      () => server.listener.connections === 0,
      () => "it is gone",
    );
  });

  it("halfway, with a check that waits and half a message: both are let go", async (t) => {
    const server = await openLineRate(t);
    const peer = server.dial();
    await peer.settled();
    peer.socket.end(Buffer.concat([check(1, WAIT), head(3), frame(FRAME.DATA, 0, 3, BODY.subarray(0, 6))]));
    await until(
      () => server.listener.connections === 0,
      () => "it is gone",
    );
    assert.equal(server.listener.checksInFlight, 0);
    assert.equal(server.http2.unfinishedBytes, 0);
  });

  it("in the middle of a TLS handshake, or speaks none", async (t) => {
    const server = await openLineRate(t, { accept: { tls: await loadTestMaterial(t) } });
    for (const bytes of [
      PREFACE,
      Buffer.alloc(500, 0x16),
      Buffer.from("16030100c8010000c40303", "hex"),
      Buffer.alloc(0),
    ]) {
      const socket = connect(toTarget(server.address));
      socket.on("error", () => undefined);
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.resume();
      socket.end(bytes);
      await closed;
    }
    const peer = server.dial({ tls: true });
    peer.send(check(1));
    assertEcho(await peer.answer(1));
    assert.deepEqual(server.faults, []);
  });

  it("while the service drains: every check that was sent is answered", async (t) => {
    const server = await openLineRate(t);
    const peers = Array.from({ length: 20 }, () => server.dial());
    for (const peer of peers) peer.send(head(1));
    await Promise.all(peers.map((peer) => peer.settled()));
    const drained = server.drain({ lameDuckMs: 0, graceMs: 5000 });
    await Promise.all(peers.map((peer) => peer.frame("GOAWAY", (each) => each.type === FRAME.GOAWAY)));
    for (const peer of peers) peer.send(lastData(1, BODY), check(3));
    for (const peer of peers) {
      assertEcho(await peer.answer(1));
      assertEcho(await peer.answer(3));
    }
    assert.deepEqual(await drained, { cut: 0 });
    assert.deepEqual(ends(server), { drain: 20 });
  });
});
