import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { systemClock } from "../../../../src/base/clock.ts";
import { createHttp2Counts, type Http2Counts } from "../../../../src/server/http2/counts.ts";
import { encodeHeaderBlock } from "../../../../src/server/http2/header-block.ts";
import { DEFAULT_LIMITS, type Http2Limits } from "../../../../src/server/http2/limits.ts";
import { SocketConnection } from "../../../../src/server/http2/socket-connection.ts";
import type { Http2Stream, OpenStream } from "../../../../src/server/http2/stream.ts";
import { createUnfinishedBytes } from "../../../../src/server/http2/unfinished-bytes.ts";
import { createUnverifiedPeer } from "../../../../src/server/peer.ts";
import {
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  headerBlock,
  repeat,
  windowUpdate,
} from "../../../support/h2-frames.ts";
import { openRawPeer, type RawPeer, type RawPeerOptions } from "../../../support/h2-raw-peer.ts";
import { until } from "../../../support/until.ts";

const HEADERS = encodeHeaderBlock([{ name: ":status", value: "200" }]);
const TRAILERS = encodeHeaderBlock([{ name: "grpc-status", value: "0" }]);
const MIB = 1024 * 1024;
const request = (stream: number): Buffer => frame(FRAME.HEADERS, END_HEADERS | END_STREAM, stream, headerBlock("/x"));
/** A frame that no peer may send: WINDOW_UPDATE by nothing. */
const BAD = windowUpdate(0, 0);

interface World {
  readonly connection: SocketConnection;
  readonly ours: Socket;
  readonly peer: RawPeer;
  readonly counts: Http2Counts;
  readonly faults: unknown[];
  /** How often the connection's socket was told to write. */
  writes(): number;
  /** How often the end of the socket was told. */
  closes(): number;
}

/** A connection over TCP whose streams `open` takes. */
async function makeWorld(
  t: TestContext,
  open: OpenStream,
  options: { limits?: Partial<Http2Limits>; lingerMs?: number; peer?: RawPeerOptions } = {},
): Promise<World> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const peer = openRawPeer(`127.0.0.1:${(server.address() as { port: number }).port}`, options.peer);
  const ours = await accepted;
  t.after(() => {
    ours.destroy();
    peer.socket.destroy();
  });
  const counts = createHttp2Counts();
  const faults: unknown[] = [];
  let closes = 0;
  let writes = 0;
  const write = ours.write.bind(ours);
  Object.defineProperty(ours, "write", {
    value: (bytes: Buffer) => {
      writes++;
      return write(bytes);
    },
    writable: true,
  });
  const connection = new SocketConnection(ours, {
    peer: createUnverifiedPeer("127.0.0.1"),
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    open,
    clock: systemClock,
    unfinished: createUnfinishedBytes(DEFAULT_LIMITS.maxUnfinishedBytes, counts),
    counts,
    onFault: (error) => faults.push(error),
    onClose: () => {
      closes++;
    },
    ...(options.lingerMs === undefined ? {} : { lingerMs: options.lingerMs }),
  });
  return { connection, ours, peer, counts, faults, writes: () => writes, closes: () => closes };
}

/** Answers each request at once with a message of `bytes`. */
const answering =
  (bytes: number): OpenStream =>
  (stream) => {
    stream.reply(HEADERS, Buffer.alloc(bytes, 7), TRAILERS);
    return undefined;
  };

/** Keeps each stream open, and notes the ones that were reset. */
function keeping(): { open: OpenStream; streams: Http2Stream[]; resets: number[] } {
  const streams: Http2Stream[] = [];
  const resets: number[] = [];
  return {
    streams,
    resets,
    open: (stream) => {
      streams.push(stream);
      return { onData: () => undefined, onEnd: () => undefined, onReset: () => void resets.push(stream.id) };
    },
  };
}

describe("a socket under an HTTP/2 connection", () => {
  it("answers a read batch of 50 requests in one write", async (t) => {
    const { peer, writes, counts } = await makeWorld(t, answering(10));
    await peer.settled();
    const before = writes();
    peer.send(repeat(50, (i) => request(2 * i + 1)));
    assert.equal((await peer.answer(99)).data.length, 15);
    assert.equal(writes() - before, 1);
    assert.equal(peer.frames.filter(({ type }) => type === FRAME.DATA).length, 50);
    assert.equal(counts.connectionEnds.protocol_error, 0);
  });

  it("lets other connections have their turn while there is much to read", async (t) => {
    let opened = 0;
    const answer = answering(0);
    const busy = await makeWorld(
      t,
      (stream, ...rest) => {
        opened++;
        return answer(stream, ...rest);
      },
      { limits: { maxUnsentBytes: 64 * MIB } },
    );
    const before: number[] = [];
    const other = await makeWorld(t, (stream, ...rest) => {
      before.push(opened);
      return answer(stream, ...rest);
    });
    await Promise.all([busy.peer.settled(), other.peer.settled()]);
    const bytes = request(1).length;
    const requests = Math.ceil((2 * MIB) / bytes);
    busy.peer.send(
      windowUpdate(0, 2 ** 30),
      repeat(requests, (i) => request(2 * i + 1)),
    );
    other.peer.send(request(1));
    assert.equal((await other.peer.answer(1)).data.length, 5);
    assert.equal((await busy.peer.answer(2 * requests - 1)).data.length, 5);
    assert.equal(opened, requests);
    assert.ok((before[0] ?? 0) * bytes <= 3 * 64 * 1024, `${before[0]} of ${requests} requests went before`);
  });

  it("begins so many requests in a turn, however many lie in one read, and the rest in the next ones", async (t) => {
    let opened = 0;
    const answer = answering(0);
    const { ours, peer, counts } = await makeWorld(t, (stream, ...rest) => {
      opened++;
      return answer(stream, ...rest);
    });
    await peer.settled();
    peer.send(windowUpdate(0, 2 ** 30));
    await peer.settled();
    ours.emit(
      "data",
      repeat(1000, (i) => request(2 * i + 1)),
    );
    assert.equal(opened, 256);
    // What TLS has read already.
    ours.emit("data", request(2001));
    assert.equal(opened, 256);
    assert.ok(ours.isPaused());
    assert.equal(counts.unfinishedBytes, 0);
    const steps = new Set<number>();
    while (opened < 1001) {
      await new Promise((resolve) => setImmediate(resolve));
      steps.add(opened - 256);
    }
    for (const step of steps) assert.ok(step % 256 === 0 || step === 1001 - 256, `${step}`);
    assert.ok(steps.size >= 3, `${steps.size}`);
    assert.equal((await peer.answer(2001)).data.length, 5);
    await until(() => !ours.isPaused());
    assert.equal(counts.connectionEnds.protocol_error, 0);
  });

  it("stops reading for a turn after 64 KiB in however small pieces, as TLS gives them", async (t) => {
    const { ours, peer } = await makeWorld(t, answering(0));
    await peer.settled();
    const piece = Buffer.concat(
      [FRAME.PING, 0x55].map((type) => frame(type, 1, 0, Buffer.alloc(type === 6 ? 8 : 1000))),
    );
    let read = 0;
    for (; !ours.isPaused() && read < MIB; read += piece.length) ours.emit("data", piece);
    assert.ok(read >= 64 * 1024 && read <= 66 * 1024, `${read}`);
    await until(() => !ours.isPaused());
    peer.send(request(1));
    assert.equal((await peer.answer(1)).data.length, 5);
  });

  it("sends what is larger than any buffer, as the peer takes it", async (t) => {
    const { peer } = await makeWorld(t, answering(5 * MIB));
    peer.send(windowUpdate(0, 2 ** 30), request(1), windowUpdate(1, 2 ** 30));
    assert.equal((await peer.answer(1)).data.length, 5 * MIB + 5);
  });

  it("does not read from a peer that does not read, and goes on when it does", async (t) => {
    let opened = 0;
    const answer = answering(16_000);
    const limits = { maxUnsentBytes: 64 * 1024, maxConcurrentStreams: 100_000 };
    const open: OpenStream = (stream, list, endStream) => {
      opened++;
      return answer(stream, list, endStream);
    };
    const { ours, peer } = await makeWorld(t, open, { limits, peer: { deaf: true } });
    peer.send(windowUpdate(0, 2 ** 30));
    const count = 5000;
    peer.send(repeat(count, (i) => request(2 * i + 1)));
    await until(() => ours.isPaused());
    assert.ok(opened < count, `${opened}`);
    assert.ok(ours.writableLength < 2 * MIB, `${ours.writableLength}`);
    let bytes = 0;
    peer.socket.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    await until(() => bytes >= count * 16_000);
    assert.equal(opened, count);
    assert.equal(ours.isPaused(), false);
  });

  it("has drains told also where the limit is below what a socket calls full", async (t) => {
    const { peer } = await makeWorld(t, answering(100_000), { limits: { maxUnsentBytes: 1 } });
    peer.send(windowUpdate(0, 2 ** 30));
    for (let stream = 1; stream < 40; stream += 2) {
      peer.send(request(stream), windowUpdate(stream, 100_000));
      assert.equal((await peer.answer(stream)).data.length, 100_005);
    }
  });

  it("tells open streams when the peer resets the connection", async (t) => {
    const kept = keeping();
    const { ours, peer, closes } = await makeWorld(t, kept.open);
    peer.send(request(1), request(3));
    await until(() => kept.streams.length === 2);
    peer.socket.resetAndDestroy();
    await until(() => closes() > 0);
    assert.deepEqual(kept.resets, [1, 3]);
    assert.equal(closes(), 1);
    assert.equal(ours.destroyed, true);
    for (const stream of kept.streams) {
      assert.equal(stream.isOpen, false);
      stream.reply(HEADERS, Buffer.alloc(1), TRAILERS);
    }
  });

  it("ends with a peer that closes its side", async (t) => {
    const kept = keeping();
    const { peer, closes } = await makeWorld(t, kept.open);
    peer.send(request(1));
    await until(() => kept.streams.length === 1);
    peer.socket.end();
    await until(() => closes() > 0);
    assert.deepEqual(kept.resets, [1]);
  });
});

describe("the end of a connection", () => {
  it("lets the peer read the GOAWAY though it goes on sending", async (t) => {
    const { peer, closes, counts } = await makeWorld(t, keeping().open);
    let failed = false;
    peer.socket.on("error", () => {
      failed = true;
    });
    await peer.settled();
    peer.send(BAD, Buffer.alloc(4 * MIB));
    assert.equal(await peer.goodbye(), 1);
    assert.equal(failed, false);
    await until(() => closes() === 1);
    assert.equal(counts.connectionEnds.protocol_error, 1);
  });

  it("gives a peer that never closes its side a limited time", async (t) => {
    const { ours, peer, closes } = await makeWorld(t, keeping().open, { lingerMs: 30 });
    peer.socket.allowHalfOpen = true;
    peer.send(BAD);
    await until(() => closes() === 1);
    assert.equal(ours.destroyed, true);
  });

  it("gives a peer that goes on sending for ever a limited number of bytes", async (t) => {
    const { ours, peer, closes } = await makeWorld(t, keeping().open, { lingerMs: 600_000 });
    peer.socket.allowHalfOpen = true;
    peer.send(BAD);
    const chunk = Buffer.alloc(MIB);
    const pour = (error?: Error | null): void => {
      if (!error) peer.socket.write(chunk, pour);
    };
    pour();
    await until(() => closes() === 1);
    assert.ok(ours.bytesRead > 16 * MIB && ours.bytesRead < 32 * MIB, `${ours.bytesRead}`);
  });

  it("waits for open streams when it is asked to finish, and has told which ones it takes", async (t) => {
    const kept = keeping();
    const { connection, peer, closes } = await makeWorld(t, kept.open);
    peer.send(request(1));
    await until(() => kept.streams.length === 1);
    connection.sendGoawayNotice();
    const notice = await peer.frame("a notice", ({ type }) => type === FRAME.GOAWAY);
    assert.equal(notice.payload.readUInt32BE(0), 2 ** 31 - 1);
    peer.send(request(3));
    await until(() => kept.streams.length === 2);
    connection.finish(60_000, "drain");
    const last = await peer.frame("the last GOAWAY", (seen) => seen.type === FRAME.GOAWAY && seen !== notice);
    assert.equal(last.payload.readUInt32BE(0), 3);
    for (const stream of kept.streams) stream.reply(HEADERS, Buffer.alloc(1), TRAILERS);
    assert.equal((await peer.answer(3)).data.length, 6);
    assert.equal(await peer.goodbye(), 0);
    await until(() => closes() === 1);
    assert.deepEqual(kept.resets, []);
  });

  it("cuts what is still open after the grace time", async (t) => {
    const kept = keeping();
    const { connection, peer, closes, counts } = await makeWorld(t, kept.open);
    peer.send(request(1));
    await until(() => kept.streams.length === 1);
    connection.finish(20, "max_age");
    await peer.closed;
    await until(() => closes() === 1);
    assert.deepEqual(kept.resets, [1]);
    assert.equal(counts.connectionEnds.max_age, 1);
  });

  it("may come again, and late, without harm", async (t) => {
    const { connection, peer, closes, faults } = await makeWorld(t, keeping().open);
    await peer.settled();
    connection.cut("drain");
    connection.cut("drain");
    connection.end();
    connection.finish(1, "idle");
    connection.sendGoawayNotice();
    connection.write(Buffer.from("late"));
    await until(() => closes() === 1);
    await peer.closed;
    assert.deepEqual(faults, []);
  });
});
