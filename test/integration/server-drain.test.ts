import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { connect } from "node:http2";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { status } from "../../src/base/grpc.ts";
import { CHECK_PATH } from "../../src/server/listener.ts";
import { createGrpcPeer } from "../support/grpc-peer.ts";
import { createH2Peer } from "../support/h2-peer.ts";
import { echo, makeFolder, openTestServer } from "../support/open-check-server.ts";

const request = Buffer.from([0x0a, 0x00]);

/** Calls `call` from `width` loops without a pause until `stop`; keeps what was not a success. */
function startLoad(
  call: () => Promise<string>,
  width: number,
): { count(): number; reached(count: number): Promise<void>; stop(): Promise<string[]> } {
  let count = 0;
  let running = true;
  const failures: string[] = [];
  let waiting: { count: number; resolve: () => void }[] = [];
  const loop = async () => {
    while (running) {
      const ended = await call();
      count++;
      if (ended !== "ok") failures.push(ended);
      for (const waiter of waiting) if (count >= waiter.count) waiter.resolve();
      waiting = waiting.filter((waiter) => count < waiter.count);
    }
  };
  const loops = Promise.all(Array.from({ length: width }, loop));
  return {
    count: () => count,
    reached: (wanted) => new Promise((resolve) => waiting.push({ count: wanted, resolve })),
    stop: async () => {
      running = false;
      await loops;
      return failures;
    },
  };
}

async function drainUnderLoad(
  t: TestContext,
  makeCall: (addresses: readonly string[]) => () => Promise<string>,
  peers: number,
  toAddress: (name: string) => string = () => "127.0.0.1:0",
): Promise<void> {
  const old = await openTestServer(t, echo, { addresses: [toAddress("old")] });
  const next = await openTestServer(t, echo, { addresses: [toAddress("next")] });
  const loads = Array.from({ length: peers }, () => startLoad(makeCall([old.address, next.address]), 16));
  await Promise.all(loads.map((load) => load.reached(200)));
  const drained = await old.server.drain({ lameDuckMs: 50, graceMs: 10_000 });
  await Promise.all(loads.map((load) => load.reached(load.count() + 200)));
  const failures = (await Promise.all(loads.map((load) => load.stop()))).flat();
  assert.deepEqual(failures, []);
  assert.deepEqual(drained, { cut: 0 });
  assert.equal(old.server.listener.connections, 0);
  assert.ok((next.server.acceptors[0]?.accepted ?? 0) >= peers);
}

describe("a drain", () => {
  for (const where of ["TCP", "unix sockets"]) {
    it(`loses no check of peers that send until they see the GOAWAY, over ${where}`, async (t) => {
      const folder = makeFolder(t);
      const made: ReturnType<typeof createH2Peer>[] = [];
      await drainUnderLoad(
        t,
        (addresses) => {
          const peer = createH2Peer(addresses);
          made.push(peer);
          t.after(() => peer.close());
          return () => peer.call(CHECK_PATH, request);
        },
        4,
        where === "TCP" ? undefined : (name) => `unix:${join(folder, name)}.sock`,
      );
      for (const { calls } of made) assert.ok((calls[0] ?? 0) >= 200 && (calls[1] ?? 0) >= 200, `${calls}`);
    });
  }

  it("loses no check of grpc-js clients that know two addresses", async (t) => {
    await drainUnderLoad(
      t,
      (addresses) => {
        const peer = createGrpcPeer(`ipv4:${addresses.join(",")}`, { "grpc.enable_retries": 1 });
        t.after(() => peer.close());
        return async () => {
          const ended = await peer.call(CHECK_PATH, request);
          return "code" in ended ? `${ended.code} ${ended.details}` : "ok";
        };
      },
      3,
    );
  });

  it("answers a call whose message is finished only after the GOAWAY", async (t) => {
    const { server, address } = await openTestServer(t, echo);
    const session = connect(`http://${address}`);
    t.after(() => session.destroy());
    const stream = session.request({
      ":method": "POST",
      ":path": CHECK_PATH,
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.resume();
    const first = createH2Peer([address]);
    t.after(() => first.close());
    stream.write(Buffer.from([0, 0, 0, 0, 2, 1]));
    assert.equal(await first.call(CHECK_PATH, request), "ok");
    const ended = new Promise((resolve, reject) => {
      stream.on("trailers", (headers) => resolve(headers["grpc-status"]));
      stream.on("error", reject);
    });
    session.once("goaway", () => stream.end(Buffer.from([2])));
    assert.deepEqual(await server.drain({ lameDuckMs: 0, graceMs: 10_000 }), { cut: 0 });
    assert.equal(await ended, "0");
  });

  it("goes on serving old and new connections through the lame-duck time, with health not serving", async (t) => {
    const { server, connect: open, health } = await openTestServer(t, echo);
    health.setReady(true);
    const peer = open();
    assert.deepEqual(await peer.call("/grpc.health.v1.Health/Check", Buffer.alloc(0)), { bytes: Buffer.from([8, 1]) });
    const drained = server.drain({ lameDuckMs: 60_000, graceMs: 10_000 });
    assert.deepEqual(await peer.call("/grpc.health.v1.Health/Check", Buffer.alloc(0)), { bytes: Buffer.from([8, 2]) });
    assert.deepEqual(await peer.call(CHECK_PATH, request), { bytes: request });
    assert.deepEqual(await open().call(CHECK_PATH, request), { bytes: request });
    await server.close();
    assert.deepEqual(await drained, { cut: 0 });
  });

  it("cuts what is still open after the grace time", async (t) => {
    const { server, address } = await openTestServer(t, echo);
    const peer = createH2Peer([address]);
    t.after(() => peer.close());
    assert.equal(await peer.call(CHECK_PATH, request), "ok");
    const session = connect(`http://${address}`);
    t.after(() => session.destroy());
    session.on("error", () => undefined);
    const stream = session.request({
      ":method": "POST",
      ":path": CHECK_PATH,
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.on("error", () => undefined);
    await new Promise<void>((resolve) => stream.write(Buffer.from([0, 0, 0, 0, 9]), () => resolve()));
    const closed = new Promise<void>((resolve) => session.on("close", () => resolve()));
    const pinged = new Promise((resolve) => session.ping(resolve));
    await pinged;
    assert.deepEqual(await server.drain({ lameDuckMs: 0, graceMs: 100 }), { cut: 1 });
    await closed;
    assert.equal(server.listener.connections, 0);
  });

  it("ends health watches, so that they don't hold it up", async (t) => {
    const { server, connect: open } = await openTestServer(t, echo);
    const peer = open();
    const seen: Buffer[] = [];
    const identity = (bytes: Buffer): Buffer => bytes;
    const watch = peer.client.makeServerStreamRequest(
      "/grpc.health.v1.Health/Watch",
      identity,
      identity,
      Buffer.alloc(0),
    );
    const ended = new Promise((resolve) => watch.on("error", resolve));
    await new Promise<void>((resolve) => {
      watch.on("data", (bytes: Buffer) => {
        seen.push(bytes);
        resolve();
      });
    });
    assert.deepEqual(await server.drain({ lameDuckMs: 20, graceMs: 10_000 }), { cut: 0 });
    assert.equal(((await ended) as { code: number }).code, status.UNAVAILABLE);
    assert.deepEqual(seen, [Buffer.from([8, 1]), Buffer.from([8, 2])]);
  });

  it("stops accepting, removes the socket file, and is the same drain when asked for twice", async (t) => {
    const path = join(makeFolder(t), "check.sock");
    const { server, connect: open } = await openTestServer(t, echo, { addresses: [`unix:${path}`] });
    assert.deepEqual(await open().call(CHECK_PATH, request), { bytes: request });
    const [first, second] = await Promise.all([
      server.drain({ lameDuckMs: 0, graceMs: 10_000 }),
      server.drain({ lameDuckMs: 0, graceMs: 10_000 }),
    ]);
    assert.deepEqual([first, second], [{ cut: 0 }, { cut: 0 }]);
    assert.equal(existsSync(path), false);
    const ended = await createGrpcPeer(`unix:${path}`).call(CHECK_PATH, request, { deadlineMs: 5000 });
    assert.equal("code" in ended && ended.code, status.UNAVAILABLE);
  });
});
