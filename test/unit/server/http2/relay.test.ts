import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { Server, type ServerUnaryCall, type ServerWritableStream, status } from "../../../../src/base/grpc.ts";
import { createHealth, type Health } from "../../../../src/server/health.ts";
import { addHealthService, type HealthService } from "../../../../src/server/health-service.ts";
import { ERROR_CODE } from "../../../../src/server/http2/error-code.ts";
import { createRelay, type Relay, type RelayOptions } from "../../../../src/server/http2/relay.ts";
import type { StreamReceiver } from "../../../../src/server/http2/stream.ts";
import { createUnverifiedPeer } from "../../../../src/server/peer.ts";
import { type AwaitedStream, createAwaitedStream, toHeaderList } from "../../../support/awaited-stream.ts";
import { createManualClock } from "../../../support/manual-clock.ts";
import { Random } from "../../../support/random.ts";
import { until } from "../../../support/until.ts";

const WATCH = "/grpc.health.v1.Health/Watch";
const pass = (bytes: Buffer): Buffer => bytes;
const message = (bytes: Uint8Array): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
};
const EMPTY = message(Buffer.alloc(0));
const headersOf = (path: string, more: readonly (readonly [string, string])[] = []) =>
  toHeaderList([
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "pdp"],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
    ...more,
  ]);

interface World {
  readonly relay: Relay;
  readonly health: Health;
  readonly faults: unknown[];
  readonly servers: Server[];
  service(): HealthService | undefined;
  /** Opens a stream on the connection of `peer`; the receiver is there when the relay took it. */
  open(path: string, more?: readonly (readonly [string, string])[], stream?: AwaitedStream): Opened;
}

interface Opened {
  readonly stream: AwaitedStream;
  readonly receiver: StreamReceiver;
}

/** A relay to a server with health and methods of the test's own. */
function makeWorld(
  t: TestContext,
  addMethods: (server: Server) => void = () => undefined,
  maxStreams = 256,
  rate: Pick<RelayOptions, "maxStreamsPerSecond" | "clock"> = {},
): World {
  const health = createHealth();
  const faults: unknown[] = [];
  const servers: Server[] = [];
  let service: HealthService | undefined;
  const createServer = (): Server => {
    const server = new Server();
    service = addHealthService(server, health, Number.POSITIVE_INFINITY);
    addMethods(server);
    servers.push(server);
    return server;
  };
  const relay = createRelay(createServer, {
    maxStreams,
    maxStreamsPerSecond: 1_000_000,
    ...rate,
    onFault: (error) => faults.push(error),
  });
  t.after(() => relay.close());
  return {
    relay,
    health,
    faults,
    servers,
    service: () => service,
    open: (path, more, stream = createAwaitedStream()) => {
      const receiver = relay.open(stream, headersOf(path, more), false);
      assert.ok(receiver !== undefined);
      return { stream, receiver };
    },
  };
}

/** Opens a Watch of the server as a whole, and waits for its first message. */
async function watch(world: World, stream = createAwaitedStream()): Promise<Opened> {
  const opened = world.open(WATCH, [], stream);
  opened.receiver.onData(EMPTY);
  opened.receiver.onEnd();
  await stream.until(() => stream.dataBytes >= 7);
  return opened;
}

describe("a relayed stream", () => {
  it("is long-lived, and tells a watcher of each change", async (t) => {
    const world = makeWorld(t);
    assert.equal(world.servers.length, 0);
    const { stream, receiver } = await watch(world);
    assert.equal(receiver.isLongLived, true);
    assert.deepEqual(stream.valuesOf(":status"), ["200"]);
    assert.deepEqual(stream.valuesOf("content-type"), ["application/grpc+proto"]);
    world.health.drain();
    await stream.until(() => stream.dataBytes >= 14);
    assert.deepEqual(stream.data, Buffer.concat([message(Buffer.from([8, 1])), message(Buffer.from([8, 2]))]));
    assert.equal(world.servers.length, 1);
    assert.equal(world.relay.streams, 1);
  });

  it("sends headers before data, also where several begin at once", async (t) => {
    const world = makeWorld(t);
    const opened = [1, 3, 5, 7].map((id) => world.open(WATCH, [], createAwaitedStream(id)));
    for (const { receiver } of opened) {
      receiver.onData(EMPTY);
      receiver.onEnd();
    }
    for (const { stream } of opened) {
      await stream.until(() => stream.dataBytes >= 7);
      assert.deepEqual(
        stream.sent.map(({ kind }) => kind),
        ["headers", "data"],
      );
    }
  });

  it("ends with the server's status in trailers", async (t) => {
    const world = makeWorld(t);
    const { stream } = await watch(world);
    world.service()?.end();
    const last = await stream.ended();
    assert.ok(last.kind === "headers" && last.endStream);
    assert.deepEqual(stream.valuesOf("grpc-status"), [`${status.UNAVAILABLE}`]);
    assert.deepEqual(stream.valuesOf("grpc-message"), ["draining"]);
    await until(() => world.relay.streams === 0 && world.relay.lines === 0);
  });

  it("ends with headers alone when that is the answer", async (t) => {
    const world = makeWorld(t);
    const { stream, receiver } = world.open("/no.such.Service/Method");
    receiver.onData(EMPTY);
    receiver.onEnd();
    const last = await stream.ended();
    assert.equal(stream.sent.length, 1);
    assert.ok(last.kind === "headers" && last.endStream);
    assert.deepEqual(stream.valuesOf("grpc-status"), [`${status.UNIMPLEMENTED}`]);
    await until(() => world.relay.streams === 0);
  });

  it("is opened without a body where there is none", async (t) => {
    const world = makeWorld(t);
    const stream = createAwaitedStream();
    assert.ok(world.relay.open(stream, headersOf(WATCH), true) !== undefined);
    await stream.ended();
    assert.deepEqual(stream.valuesOf("grpc-status"), [`${status.UNIMPLEMENTED}`]);
  });

  it("carries metadata, binary metadata and the deadline, both ways", async (t) => {
    const seen: (readonly [unknown, unknown, unknown])[] = [];
    const world = makeWorld(t, (server) =>
      server.register(
        "/test/Meta",
        (call: ServerUnaryCall<Buffer, Buffer>, reply: (error: null, bytes: Buffer) => void) => {
          seen.push([call.metadata.get("a"), call.metadata.get("b-bin"), call.getDeadline()]);
          call.sendMetadata(call.metadata);
          reply(null, call.request);
        },
        pass,
        pass,
        "unary",
      ),
    );
    const { stream, receiver } = world.open("/test/Meta", [
      ["a", "1"],
      ["b-bin", Buffer.from([0, 255]).toString("base64")],
      ["grpc-timeout", "60S"],
    ]);
    receiver.onData(message(Buffer.from("x")));
    receiver.onEnd();
    await stream.ended();
    const [[a, bin, deadline] = []] = seen;
    assert.deepEqual([a, bin], [["1"], [Buffer.from([0, 255])]]);
    const leftMs = new Date(deadline as Date).getTime() - Date.now();
    assert.ok(leftMs > 50_000 && leftMs <= 60_000, `${leftMs}`);
    assert.deepEqual(stream.valuesOf("a"), ["1"]);
    assert.deepEqual(
      stream.valuesOf("b-bin").map((text) => Buffer.from(text, "base64")),
      [Buffer.from([0, 255])],
    );
    assert.deepEqual(stream.valuesOf("grpc-status"), ["0"]);
    assert.deepEqual(stream.data, message(Buffer.from("x")));
  });

  it("is cancelled inside when its peer resets it, and counts no more", async (t) => {
    const world = makeWorld(t);
    const { stream, receiver } = await watch(world);
    assert.equal(world.service()?.watches, 1);
    const before = stream.sent.length;
    receiver.onReset();
    assert.equal(world.relay.streams, 0);
    await until(() => world.service()?.watches === 0 && world.relay.lines === 0);
    assert.equal(stream.sent.length, before);
    assert.deepEqual(world.faults, []);
  });

  it("is reset when the server inside goes, with a code that says so", async (t) => {
    const world = makeWorld(t);
    const { stream } = await watch(world);
    world.servers[0]?.forceShutdown();
    const last = await stream.ended();
    assert.ok(last.kind === "reset" && last.code !== ERROR_CODE.NO_ERROR, JSON.stringify(last));
    assert.equal(world.relay.streams, 0);
    assert.deepEqual(world.faults, []);
  });

  it("is over when the answer is whole before the request", async (t) => {
    const world = makeWorld(t);
    const { stream, receiver } = world.open("/no.such.Service/Method");
    receiver.onData(EMPTY);
    const last = await stream.ended();
    assert.ok(last.kind === "headers");
    await until(() => world.relay.streams === 0 && world.relay.lines === 0);
    assert.equal(stream.sent.length, 1);
  });
});

describe("the bytes of a relayed stream", () => {
  /** Waits to be told before it reads on, and says how much it has read. */
  const echoServer = (server: Server): void => {
    server.register(
      "/test/Large",
      (call: ServerWritableStream<Buffer, Buffer>) => {
        const chunk = Buffer.alloc(16_384, 7);
        let left = 256;
        const go = (): void => {
          while (left > 0) {
            left--;
            if (!call.write(chunk)) return void call.once("drain", go);
          }
          call.end();
        };
        go();
      },
      pass,
      pass,
      "serverStream",
    );
    server.register(
      "/test/Length",
      (call: ServerUnaryCall<Buffer, Buffer>, reply: (error: null, bytes: Buffer) => void) =>
        reply(null, Buffer.from(`${call.request.length}`)),
      pass,
      pass,
      "unary",
    );
  };

  it("come in with windows given back as they are taken, never more than came", async (t) => {
    const world = makeWorld(t, echoServer);
    const { stream, receiver } = world.open("/test/Length");
    const body = message(Buffer.alloc(1_000_000));
    const granted = (): number => stream.sent.reduce((sum, what) => sum + (what.kind === "grant" ? what.bytes : 0), 0);
    // As a peer does: never more than the first window and what was granted.
    for (let at = 0; at < body.length; ) {
      const until = Math.min(body.length, 65_535 + granted(), at + 16_384);
      if (until === at) {
        const before = granted();
        await stream.until(() => granted() > before);
        continue;
      }
      receiver.onData(body.subarray(at, until));
      at = until;
      assert.ok(granted() <= at);
    }
    receiver.onEnd();
    await stream.ended();
    assert.deepEqual(stream.data, message(Buffer.from("1000000")));
  });

  it("are not read ahead of a peer that does not take them", async (t) => {
    const world = makeWorld(t, echoServer);
    const stream = createAwaitedStream();
    stream.isFull = true;
    const { receiver } = world.open("/test/Large", [], stream);
    receiver.onData(EMPTY);
    receiver.onEnd();
    const wanted = 256 * (16_384 + 5);
    let drains = 0;
    while (stream.dataBytes < wanted) {
      const before = stream.dataBytes;
      await stream.until(() => stream.dataBytes > before);
      // Whatever comes without being asked for is in by then.
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      assert.ok(stream.dataBytes - before <= 65_536, `${stream.dataBytes - before}`);
      drains++;
      receiver.onDrain?.();
    }
    assert.ok(drains > 10, `${drains}`);
    await stream.ended();
    assert.deepEqual(stream.valuesOf("grpc-status"), ["0"]);
  });

  it("are copied, so that what waits keeps no whole read in memory", async (t) => {
    const world = makeWorld(t, echoServer);
    const { stream, receiver } = world.open("/test/Length");
    const read = message(Buffer.from("abc"));
    receiver.onData(read);
    read.fill(0xff);
    receiver.onEnd();
    await stream.ended();
    assert.deepEqual(stream.data, message(Buffer.from("3")));
  });
});

describe("a relay", () => {
  it("bounds its streams over all connections, and takes new ones when others have gone", async (t) => {
    const world = makeWorld(t, () => undefined, 2);
    const first = await watch(world);
    await watch(world);
    const refused = createAwaitedStream();
    assert.equal(world.relay.open(refused, headersOf(WATCH), false), undefined);
    assert.deepEqual(refused.valuesOf("grpc-status"), [`${status.RESOURCE_EXHAUSTED}`]);
    assert.deepEqual(refused.valuesOf(":status"), ["200"]);
    first.receiver.onReset();
    await watch(world);
    assert.equal(world.relay.streams, 2);
  });

  it("takes as many as may be open at once, and then so many a second: each costs as much as hundreds of checks", async (t) => {
    const clock = createManualClock();
    const world = makeWorld(t, () => undefined, 4, { clock, maxStreamsPerSecond: 2 });
    const comeAndGo = (): boolean => {
      const stream = createAwaitedStream();
      const receiver = world.relay.open(stream, headersOf(WATCH), false);
      receiver?.onReset();
      if (receiver === undefined) assert.deepEqual(stream.valuesOf("grpc-status"), [`${status.RESOURCE_EXHAUSTED}`]);
      return receiver !== undefined;
    };
    const admitted = (): number => Array.from({ length: 10 }, comeAndGo).filter(Boolean).length;
    assert.equal(admitted(), 6);
    assert.equal(admitted(), 0);
    clock.advanceMs(1000);
    assert.equal(admitted(), 2);
    clock.advanceMs(60_000);
    assert.equal(admitted(), 6);
    await until(() => world.relay.streams === 0 && world.relay.lines === 0);
  });

  it("gives each connection one of its own inside, while it has streams", async (t) => {
    const world = makeWorld(t);
    const [mine, yours] = [createUnverifiedPeer("10.0.0.1"), createUnverifiedPeer("10.0.0.2")];
    const streams = [
      await watch(world, createAwaitedStream(1, mine)),
      await watch(world, createAwaitedStream(3, mine)),
      await watch(world, createAwaitedStream(1, yours)),
    ];
    assert.equal(world.relay.lines, 2);
    streams[0]?.receiver.onReset();
    streams[1]?.receiver.onReset();
    await until(() => world.relay.lines === 1);
    streams[2]?.receiver.onReset();
    await until(() => world.relay.lines === 0);
    assert.equal(world.servers.length, 1);
  });

  it("keeps others' streams when one connection opens and resets thousands", async (t) => {
    const world = makeWorld(t);
    const { stream: kept } = await watch(world);
    const hostile = createUnverifiedPeer("10.0.0.1");
    // One that stays open keeps the connection inside, so that all resets meet the same one.
    const stay = createAwaitedStream(1, hostile);
    assert.ok(world.relay.open(stay, headersOf(WATCH), false) !== undefined);
    for (let i = 0; i < 1500; i++) {
      const stream = createAwaitedStream(2 * i + 3, hostile);
      const receiver = world.relay.open(stream, headersOf(WATCH), false);
      receiver?.onData(EMPTY);
      receiver?.onReset();
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    // nghttp2 has stopped reading by now: the connection inside is given up before Node keeps streams without bound.
    assert.equal((await stay.ended()).kind, "reset");
    await until(() => world.relay.lines === 1 && world.service()?.watches === 1);
    world.health.drain();
    await kept.until(() => kept.dataBytes >= 14);
    assert.equal(kept.isOpen, true);
    assert.equal(world.relay.streams, 1);
  });

  it("resets a stream whose headers the server inside does not take, and goes on", async (t) => {
    const world = makeWorld(t);
    const lines = Array.from({ length: 400 }, (_, i) => [`x-${i}`, "v"] as const);
    const { stream, receiver } = world.open(WATCH, lines);
    receiver.onData(EMPTY);
    receiver.onEnd();
    await stream.ended();
    await until(() => world.relay.streams === 0);
    await watch(world);
  });

  it("ends what is open when it is closed, and takes nothing more", async (t) => {
    const world = makeWorld(t);
    const { stream } = await watch(world);
    world.relay.close();
    assert.equal((await stream.ended()).kind, "reset");
    const late = createAwaitedStream();
    assert.equal(world.relay.open(late, headersOf(WATCH), false), undefined);
    assert.equal(late.isOpen, false);
    await until(() => world.relay.lines === 0 && world.relay.streams === 0);
  });

  it("survives whatever order its streams begin, send, end and are reset in", async (t) => {
    const random = new Random(7);
    const world = makeWorld(t, () => undefined, 40);
    const paths = [WATCH, WATCH, "/grpc.health.v1.Health/Check", "/no.such.Service/Method", "*"];
    const parts = [EMPTY, EMPTY.subarray(0, 3), message(Buffer.from([0xff])), Buffer.alloc(3000, 0xff)];
    const peers = Array.from({ length: 6 }, (_, at) => createUnverifiedPeer(`10.0.0.${at}`));
    let open: Opened[] = [];
    for (let step = 0; step < 3000; step++) {
      const at = open[random.below(Math.max(1, open.length))];
      if (at === undefined || random.chance(40)) {
        const stream = createAwaitedStream(step, random.pick(peers));
        stream.isFull = random.chance(20);
        const endStream = random.chance(10);
        const receiver = world.relay.open(stream, headersOf(random.pick(paths)), endStream);
        // What has ended its request is only reset, if anything.
        if (receiver !== undefined && !endStream) open.push({ stream, receiver });
      } else if (!at.stream.isOpen) open = open.filter((one) => one !== at);
      else
        switch (random.below(5)) {
          case 0:
          case 1:
            at.receiver.onData(random.pick(parts));
            break;
          case 2:
            at.receiver.onEnd();
            open = open.filter((one) => one !== at);
            break;
          case 3:
            at.receiver.onReset();
            open = open.filter((one) => one !== at);
            break;
          default:
            at.stream.isFull = false;
            at.receiver.onDrain?.();
        }
      assert.ok(world.relay.streams <= 40);
      if (random.chance(20)) await new Promise((resolve) => setImmediate(resolve));
    }
    for (const { receiver } of open) receiver.onReset();
    world.service()?.end();
    await until(() => world.relay.streams === 0 && world.relay.lines === 0 && world.service()?.watches === 0);
    assert.deepEqual(world.faults, []);
  });
});
