import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { CheckHandler } from "../../../src/authz/check-handler.ts";
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import { type CheckServer, openCheckServer } from "../../../src/server/check-server.ts";
import { createHealth, type Health } from "../../../src/server/health.ts";
import type { Http2Counts } from "../../../src/server/http2/counts.ts";
import type { Http2Limits } from "../../../src/server/http2/limits.ts";
import { createLineRateListener, type LineRateListener } from "../../../src/server/line-rate-listener.ts";
import { parseListenAddress } from "../../../src/server/listen-address.ts";
import { CHECK_PATH } from "../../../src/server/listener.ts";
import type { Peer } from "../../../src/server/peer.ts";
import { END_HEADERS, END_STREAM, FRAME, frame, grpcMessage, headerBlock } from "../../support/h2-frames.ts";
import { openRawPeer, type RawPeer, type RawPeerOptions } from "../../support/h2-raw-peer.ts";
import { createManualClock } from "../../support/manual-clock.ts";
import { echo } from "../../support/open-check-server.ts";
import { until } from "../../support/until.ts";

const MESSAGE = Buffer.from([0x0a, 0x00]);
const WATCH = "/grpc.health.v1.Health/Watch";
const head = (stream: number, path = CHECK_PATH): Buffer =>
  frame(FRAME.HEADERS, END_HEADERS, stream, headerBlock(path));
const last = (stream: number, message: Uint8Array = MESSAGE): Buffer =>
  frame(FRAME.DATA, END_STREAM, stream, grpcMessage(message));
const check = (stream: number): Buffer => Buffer.concat([head(stream), last(stream)]);
const lastStreamOf = ({ payload }: { payload: Buffer }): number => payload.readUInt32BE(0);
const isGoaway = ({ type }: { type: number }): boolean => type === FRAME.GOAWAY;

interface World {
  readonly server: CheckServer;
  readonly listener: LineRateListener;
  readonly http2: Http2Counts;
  readonly health: Health;
  readonly faults: unknown[];
  dial(options?: RawPeerOptions): RawPeer;
}

/** A listener on 127.0.0.1 whose peers `toPeer` may change, gone when the test is. */
async function makeWorld(
  t: TestContext,
  options: {
    limits?: Partial<Http2Limits>;
    handler?: CheckHandler;
    random?: () => number;
    clock?: Clock;
    toPeer?: (peer: Peer) => Peer;
  } = {},
): Promise<World> {
  const health = createHealth();
  const faults: unknown[] = [];
  const { handler = echo, limits = {}, clock = systemClock, toPeer = (peer) => peer, random } = options;
  const listener = createLineRateListener({
    handler,
    clock,
    health,
    limits,
    onFault: (error) => faults.push(error),
    ...(random === undefined ? {} : { random }),
  });
  const address = parseListenAddress("127.0.0.1:0");
  assert.ok(address.ok);
  const opened = await openCheckServer({
    addresses: [address.value],
    listener: { handler, clock, health, onFault: () => undefined },
    createListener: () => ({
      ...listener,
      take: (socket, peer) => listener.take(socket, toPeer(peer)),
    }),
  });
  assert.ok(opened.ok);
  const server = opened.value;
  t.after(() => server.close());
  return {
    server,
    listener,
    http2: listener.http2,
    health,
    faults,
    dial: (peerOptions) => {
      const peer = openRawPeer(server.acceptors[0]?.text ?? "", peerOptions);
      t.after(() => peer.socket.destroy());
      return peer;
    },
  };
}

describe("a connection of the line-rate listener", () => {
  it("is asked to leave when it has been idle, and not before", async (t) => {
    const { dial, http2, listener } = await makeWorld(t, { limits: { idleTimeoutMs: 200 } });
    const peer = dial();
    for (let stream = 1; stream < 9; stream += 2) {
      peer.send(check(stream));
      await peer.answer(stream);
    }
    const notice = await peer.frame("a notice", isGoaway);
    assert.equal(lastStreamOf(notice), 2 ** 31 - 1);
    // What the peer had sent before it read that is still answered.
    peer.send(check(9));
    assert.equal((await peer.answer(9)).data.length, 5 + MESSAGE.length);
    assert.equal(await peer.goodbye(), 0);
    await until(() => listener.connections === 0);
    assert.equal(http2.connectionEnds.idle, 1);
  });

  it("is not idle while a stream is open", async (t) => {
    let answer = (): void => undefined;
    const handler: CheckHandler = (bytes) =>
      new Promise((resolve) => {
        answer = () => resolve({ kind: "message", bytes });
      });
    const { dial, http2 } = await makeWorld(t, { handler, limits: { idleTimeoutMs: 50 } });
    const [busy, idle] = [dial(), dial()];
    busy.send(check(1));
    await busy.settled();
    await idle.goodbye();
    assert.equal(busy.frames.some(isGoaway), false);
    answer();
    await busy.answer(1);
    await busy.goodbye();
    assert.equal(http2.connectionEnds.idle, 2);
  });

  for (const [chance, tenths] of [
    [0, 9],
    [0.5, 10],
    [0.999999, 11],
  ] as const) {
    it(`is asked to leave at ${tenths} tenths of its age when chance says ${chance}`, async (t) => {
      const clock = createManualClock();
      let looks = 0;
      const monotonicMs = (): number => {
        looks++;
        return clock.monotonicMs();
      };
      const { dial, http2 } = await makeWorld(t, {
        clock: { unixMs: clock.unixMs, monotonicMs },
        random: () => chance,
        limits: { maxConnectionAgeMs: 100_000, keepAliveTimeMs: 1e9, idleTimeoutMs: 40 },
      });
      // Idle connections would leave by themselves: one with an open stream does not.
      const peer = dial();
      peer.send(head(1, WATCH), last(1, Buffer.alloc(0)));
      await peer.frame("a state", ({ type }) => type === FRAME.DATA);
      clock.advanceMs(tenths * 10_000 - 100);
      await peer.settled();
      // In silence, only sweeps look at the clock.
      const before = looks;
      await until(() => looks >= before + 3);
      await peer.settled();
      assert.equal(peer.frames.some(isGoaway), false);
      clock.advanceMs(100);
      assert.equal(lastStreamOf(await peer.frame("a notice", isGoaway)), 2 ** 31 - 1);
      await peer.frame("the last GOAWAY", (seen) => isGoaway(seen) && lastStreamOf(seen) === 1);
      assert.equal(http2.connectionEnds.max_age, 1);
    });
  }

  it("is pinged when it is silent, and cut when it does not answer", async (t) => {
    const { dial, http2 } = await makeWorld(t, { limits: { keepAliveTimeMs: 40, keepAliveTimeoutMs: 40 } });
    const [mute, alive] = [dial({ acks: false }), dial()];
    assert.equal(await mute.goodbye(), "no goaway");
    alive.send(check(1));
    await alive.answer(1);
    assert.equal(http2.connectionEnds.keep_alive, 1);
    assert.equal(alive.isClosed, false);
  });

  it("is told once that its peer may not ask, and leaves after the refusal", async (t) => {
    let refusal: string | undefined;
    const { dial, http2 } = await makeWorld(t, { toPeer: (peer) => ({ ...peer, refusal: () => refusal }) });
    const peer = dial();
    peer.send(check(1));
    assert.equal((await peer.answer(1)).data.length, 5 + MESSAGE.length);
    refusal = "not any more";
    peer.send(check(3), check(5));
    for (const stream of [3, 5]) {
      const { blocks } = await peer.answer(stream);
      assert.deepEqual([blocks[0]?.["grpc-status"], blocks[0]?.["grpc-message"]], ["16", refusal]);
    }
    assert.equal(await peer.goodbye(), 0);
    assert.equal(peer.frames.filter(isGoaway).length, 2);
    assert.equal(http2.connectionEnds.peer_refused, 1);
    assert.equal(http2.streamRefusals.peer_refused, 2);
  });

  it("leaves when its peer's time has come, or when a review finds that it may not ask", async (t) => {
    const reasons: string[] = [];
    const { dial, http2, listener } = await makeWorld(t, {
      toPeer: (peer) =>
        reasons.length === 0
          ? { ...peer, leave: { afterMs: 30, graceMs: 50 } }
          : { ...peer, refusal: () => reasons[1] },
    });
    assert.equal(await dial().goodbye(), 0);
    assert.equal(http2.connectionEnds.max_age, 1);
    reasons.push("review");
    const peer = dial();
    await peer.settled();
    await listener.review();
    reasons.push("no");
    await listener.review();
    assert.equal(await peer.goodbye(), 0);
    assert.equal(http2.connectionEnds.peer_refused, 1);
  });
});

describe("a fault of the handler", () => {
  it("is counted and told, and ends nothing but its call", async (t) => {
    const { dial, faults, listener } = await makeWorld(t, {
      handler: () => {
        throw new Error("broken");
      },
    });
    const peer = dial();
    peer.send(check(1));
    assert.equal((await peer.answer(1)).blocks[0]?.["grpc-status"], "13");
    assert.equal(listener.faults, 1);
    assert.equal(faults.length, 1);
    assert.equal(listener.checksInFlight, 0);
    await peer.settled();
  });
});

describe("what is relayed", () => {
  it("may have 64 KiB a message, for it is only names", async (t) => {
    const { dial, faults } = await makeWorld(t);
    const peer = dial();
    const large = Buffer.alloc(64 * 1024 + 1);
    peer.send(head(1, WATCH));
    for (let at = 0; at < large.length + 5; at += 16_384) {
      peer.send(frame(FRAME.DATA, 0, 1, grpcMessage(large).subarray(at, at + 16_384)));
      await peer.settled();
    }
    const { blocks } = await peer.answer(1);
    assert.equal(blocks.at(-1)?.["grpc-status"], "8");
    peer.send(check(3));
    assert.equal((await peer.answer(3)).data.length, 5 + MESSAGE.length);
    assert.deepEqual(faults, []);
  });

  it("is Watch alone where no services were added, and counts among a connection's streams", async (t) => {
    const { dial, http2 } = await makeWorld(t, { limits: { maxConcurrentStreams: 2 } });
    const peer = dial();
    peer.send(head(1, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"));
    assert.equal((await peer.answer(1)).blocks[0]?.["grpc-status"], "12");
    for (const stream of [3, 5, 7]) peer.send(head(stream, WATCH), last(stream, Buffer.alloc(0)));
    // REFUSED_STREAM.
    assert.equal((await peer.answer(7)).resetCode, 7);
    assert.equal(http2.streamRefusals.concurrent_streams, 1);
  });

  it("is gone with its connection", async (t) => {
    const { dial, health, listener } = await makeWorld(t);
    const peer = dial();
    peer.send(head(1, WATCH), last(1, Buffer.alloc(0)));
    await peer.frame("a state", ({ type }) => type === FRAME.DATA);
    peer.socket.resetAndDestroy();
    await until(() => listener.connections === 0);
    health.drain();
    const next = dial();
    next.send(head(1, WATCH), last(1, Buffer.alloc(0)));
    const { payload } = await next.frame("a state", ({ type }) => type === FRAME.DATA);
    assert.deepEqual(payload, grpcMessage(Buffer.from([8, 2])));
  });
});

describe("a drain of the line-rate listener", () => {
  it("answers checks that wait, ends watches, and counts its reason", async (t) => {
    let answer = (): void => undefined;
    const handler: CheckHandler = (bytes) =>
      new Promise((resolve) => {
        answer = () => resolve({ kind: "message", bytes });
      });
    const { dial, server, listener, http2 } = await makeWorld(t, { handler });
    const peer = dial();
    peer.send(head(1, WATCH), last(1, Buffer.alloc(0)), check(3));
    await peer.frame("a state", ({ type }) => type === FRAME.DATA);
    assert.equal(listener.checksInFlight, 1);
    const drained = server.drain({ lameDuckMs: 0, graceMs: 20_000 });
    assert.deepEqual((await peer.answer(1)).blocks.at(-1)?.["grpc-status"], "14");
    answer();
    assert.equal((await peer.answer(3)).data.length, 5 + MESSAGE.length);
    // A watch that comes between the notice and the end is ended too, and holds nothing up.
    peer.send(head(5, WATCH), last(5, Buffer.alloc(0)));
    assert.equal((await peer.answer(5)).blocks.at(-1)?.["grpc-status"], "14");
    assert.deepEqual(await drained, { cut: 0 });
    assert.equal(listener.connections, 0);
    assert.equal(http2.connectionEnds.drain, 1);
  });

  it("ends the first watch that ever comes when it comes too late", async (t) => {
    const { dial, server } = await makeWorld(t);
    const peer = dial();
    await peer.settled();
    const drained = server.drain({ lameDuckMs: 0, graceMs: 20_000 });
    await peer.frame("a notice", isGoaway);
    peer.send(head(1, WATCH), last(1, Buffer.alloc(0)));
    assert.equal((await peer.answer(1)).blocks[0]?.["grpc-status"], "14");
    assert.deepEqual(await drained, { cut: 0 });
  });

  it("destroys what is handed over after the end", async (t) => {
    const { dial, listener, server } = await makeWorld(t);
    const peer = dial();
    await peer.settled();
    listener.close();
    assert.equal(await peer.goodbye(), "no goaway");
    assert.equal(await dial().goodbye(), "no goaway");
    assert.equal(listener.connections, 0);
    await server.close();
  });
});
