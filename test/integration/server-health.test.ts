import assert from "node:assert/strict";
import { connect as connectHttp2 } from "node:http2";
import { describe, it, type TestContext } from "node:test";
import { status } from "../../src/base/grpc.ts";
import type { GrpcPeer } from "../support/grpc-peer.ts";
import { echo, openTestServer } from "../support/open-check-server.ts";

const CHECK = "/grpc.health.v1.Health/Check";
const WATCH = "/grpc.health.v1.Health/Watch";
const ask = (service: string): Buffer => Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]);
const serving = { bytes: Buffer.from([8, 1]) };
const notServing = { bytes: Buffer.from([8, 2]) };
const identity = (bytes: Buffer): Buffer => bytes;

/** A Watch whose messages can be waited for. */
function watch(t: TestContext, peer: GrpcPeer, service: string) {
  const call = peer.client.makeServerStreamRequest(WATCH, identity, identity, ask(service));
  const seen: number[] = [];
  let onMessage: () => void = () => undefined;
  call.on("data", (bytes: Buffer) => {
    seen.push(bytes[1] ?? 0);
    onMessage();
  });
  const ended = new Promise<number>((resolve) =>
    call.on("error", (error) => resolve((error as { code?: number }).code ?? -1)),
  );
  t.after(() => call.cancel());
  return {
    call,
    ended,
    reached: async (count: number): Promise<number[]> => {
      while (seen.length < count) {
        await new Promise<void>((resolve) => {
          onMessage = resolve;
        });
      }
      return seen;
    },
  };
}

describe("gRPC health", () => {
  it("answers for the server, for `ready` and for the service by its name", async (t) => {
    const { connect, health } = await openTestServer(t, echo);
    const peer = connect();
    const names = ["", "ready", "envoy.service.auth.v3.Authorization"];
    const all = () => Promise.all(names.map((name) => peer.call(CHECK, ask(name))));
    assert.deepEqual(await all(), [serving, notServing, notServing]);
    health.setReady(true);
    assert.deepEqual(await all(), [serving, serving, serving]);
    health.drain();
    assert.deepEqual(await all(), [notServing, notServing, notServing]);
  });

  it("does not know other services, and refuses what is no request", async (t) => {
    const { connect } = await openTestServer(t, echo);
    const peer = connect();
    assert.deepEqual(await peer.call(CHECK, ask("other")), { code: status.NOT_FOUND, details: "unknown service" });
    assert.deepEqual(await peer.call(CHECK, Buffer.from([0xff])), {
      code: status.INVALID_ARGUMENT,
      details: "unreadable request",
    });
    const refused = watch(t, peer, "x".repeat(100));
    assert.deepEqual(await refused.reached(1), [3]);
  });

  it("lists every name that it knows", async (t) => {
    const { connect } = await openTestServer(t, echo);
    const ended = await connect().call("/grpc.health.v1.Health/List", Buffer.alloc(0));
    assert.ok("bytes" in ended);
    for (const name of ["ready", "envoy.service.auth.v3.Authorization"]) assert.ok(ended.bytes.includes(name), name);
  });

  it("watches: the state now, then each change, for unknown services too", async (t) => {
    const { connect, health } = await openTestServer(t, echo);
    const peer = connect();
    const ready = watch(t, peer, "ready");
    const unknown = watch(t, peer, "other");
    assert.deepEqual(await ready.reached(1), [2]);
    health.setReady(true);
    assert.deepEqual(await ready.reached(2), [2, 1]);
    health.setReady(false);
    health.setReady(true);
    health.drain();
    assert.equal((await ready.reached(3)).at(-1), 2);
    assert.deepEqual(await unknown.reached(1), [3]);
  });

  it("bounds the watches, and takes new ones when others have gone", async (t) => {
    const { connect, health } = await openTestServer(t, echo, { limits: { maxWatches: 2 } });
    const peer = connect();
    const [first, second] = [watch(t, peer, ""), watch(t, peer, "")];
    await Promise.all([first.reached(1), second.reached(1)]);
    assert.equal(await watch(t, peer, "").ended, status.RESOURCE_EXHAUSTED);
    first.call.cancel();
    assert.equal(await first.ended, status.CANCELLED);
    // The cancellation and this call travel in order on one connection.
    assert.deepEqual(await peer.call(CHECK, ask("")), serving);
    assert.deepEqual(await watch(t, peer, "").reached(1), [1]);
    health.drain();
    assert.deepEqual(await second.reached(2), [1, 2]);
  });

  it("forgets the watches of a connection that is gone", async (t) => {
    const { connect, address } = await openTestServer(t, echo, { limits: { maxWatches: 1 } });
    const gone = connectHttp2(`http://${address}`);
    const stream = gone.request({
      ":method": "POST",
      ":path": WATCH,
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.end(Buffer.alloc(5));
    await new Promise((resolve) => stream.once("data", resolve));
    gone.destroy();
    const next = connect();
    // Until the server has seen the first connection end, it says that there are too many.
    for (;;) {
      const attempt = watch(t, next, "");
      const first = await Promise.race([attempt.reached(1), attempt.ended]);
      if (Array.isArray(first)) return assert.deepEqual(first, [1]);
      assert.equal(first, status.RESOURCE_EXHAUSTED);
    }
  });
});
