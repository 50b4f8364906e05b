import assert from "node:assert/strict";
import { connect } from "node:http2";
import { connect as connectSocket } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import type { CheckCall } from "../../src/authz/check-handler.ts";
import { systemClock } from "../../src/base/clock.ts";
import { status } from "../../src/base/grpc.ts";
import { CHECK_PATH } from "../../src/server/listener.ts";
import { createGrpcPeer } from "../support/grpc-peer.ts";
import { echo, makeFolder, openTestServer } from "../support/open-check-server.ts";
import { until } from "../support/until.ts";

const request = Buffer.from([0x0a, 0x00]);
const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === "::1"));

/** One gRPC call written by hand: frames and headers as given. */
async function rawCall(
  address: string,
  body: Buffer,
  headers: Record<string, string> = {},
): Promise<{ status?: string; message?: string; http?: number }> {
  const session = connect(`http://${address}`);
  try {
    return await new Promise((resolve, reject) => {
      session.on("error", reject);
      const stream = session.request({
        ":method": "POST",
        ":path": CHECK_PATH,
        "content-type": "application/grpc",
        te: "trailers",
        ...headers,
      });
      let http: number | undefined;
      const seen: Record<string, string> = {};
      stream.on("response", (head) => {
        http = head[":status"];
        for (const name of ["grpc-status", "grpc-message"]) if (typeof head[name] === "string") seen[name] = head[name];
      });
      stream.on("trailers", (tail) => {
        for (const name of ["grpc-status", "grpc-message"]) if (typeof tail[name] === "string") seen[name] = tail[name];
      });
      stream.on("error", reject);
      stream.on("close", () =>
        resolve({
          ...(seen["grpc-status"] === undefined ? {} : { status: seen["grpc-status"] }),
          ...(seen["grpc-message"] === undefined ? {} : { message: seen["grpc-message"] }),
          ...(http === undefined ? {} : { http }),
        }),
      );
      stream.resume();
      stream.end(body);
    });
  } finally {
    session.destroy();
  }
}

const frame = (message: Buffer, compressed = 0): Buffer => {
  const head = Buffer.alloc(5);
  head[0] = compressed;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
};

describe("a check", () => {
  for (const where of ["127.0.0.1:0", "localhost:0", "unix", ...(hasIpv6 ? ["[::1]:0"] : [])]) {
    it(`gives the handler the bytes and the caller its answer: ${where}`, async (t) => {
      const calls: CheckCall[] = [];
      const cancelled: boolean[] = [];
      const address = where === "unix" ? `unix:${join(makeFolder(t), "check.sock")}` : where;
      const { connect: open } = await openTestServer(
        t,
        (bytes, call) => {
          calls.push(call);
          cancelled.push(call.cancelled());
          return { kind: "message", bytes: new Uint8Array(Buffer.concat([bytes, bytes])) };
        },
        { addresses: [address] },
      );
      assert.deepEqual(await open().call(CHECK_PATH, request), { bytes: Buffer.concat([request, request]) });
      assert.equal(calls.length, 1);
      assert.equal(calls[0]?.deadlineMs, Number.POSITIVE_INFINITY);
      assert.deepEqual(cancelled, [false]);
      assert.equal(calls[0]?.pep.verified, false);
      assert.match(
        calls[0]?.pep.address ?? "",
        where === "unix" ? /^unix$/ : where.startsWith("[") ? /^::1$/ : /^(127\.0\.0\.1|::1)$/,
      );
    });
  }

  it("serves TCP and a unix socket at once, and tells their callers apart", async (t) => {
    const peps: string[] = [];
    const { server } = await openTestServer(
      t,
      (bytes, call) => {
        peps.push(call.pep.address);
        return { kind: "message", bytes };
      },
      { addresses: ["127.0.0.1:0", `unix:${join(makeFolder(t), "check.sock")}`] },
    );
    for (const acceptor of server.acceptors) {
      const peer = createGrpcPeer(acceptor.text);
      t.after(() => peer.close());
      assert.deepEqual(await peer.call(CHECK_PATH, request), { bytes: request });
    }
    assert.deepEqual(peps, ["127.0.0.1", "unix"]);
  });

  it("carries an empty message both ways", async (t) => {
    const { connect: open } = await openTestServer(t, echo);
    assert.deepEqual(await open().call(CHECK_PATH, Buffer.alloc(0)), { bytes: Buffer.alloc(0) });
  });

  it("hands over the deadline in monotonic milliseconds", async (t) => {
    let leftMs = 0;
    const { connect: open } = await openTestServer(t, (bytes, call) => {
      leftMs = call.deadlineMs - systemClock.monotonicMs();
      return { kind: "message", bytes };
    });
    await open().call(CHECK_PATH, request, { deadlineMs: 30_000 });
    assert.ok(leftMs > 20_000 && leftMs <= 30_001, `${leftMs}`);
  });

  it("ends with the handler's status when that is its answer", async (t) => {
    const { connect: open } = await openTestServer(t, () => ({
      kind: "status",
      code: status.UNKNOWN,
      message: "50% \ud800 gone",
    }));
    const ended = await open().call(CHECK_PATH, request);
    assert.deepEqual(ended, { code: status.UNKNOWN, details: "50% \ufffd gone" });
  });

  it("ends a handler's fault in INTERNAL without its text, and goes on", async (t) => {
    let first = true;
    const {
      connect: open,
      faults,
      server,
    } = await openTestServer(t, (bytes) => {
      if (!first) return { kind: "message", bytes };
      first = false;
      throw new Error("the token was s3cret");
    });
    const peer = open();
    assert.deepEqual(await peer.call(CHECK_PATH, request), { code: status.INTERNAL, details: "internal error" });
    assert.deepEqual(await peer.call(CHECK_PATH, request), { bytes: request });
    assert.equal(faults.length, 1);
    assert.equal(server.listener.faults, 1);
  });

  it("never answers OK without a message", async (t) => {
    const { connect: open, faults } = await openTestServer(t, () => ({ kind: "status", code: 0, message: "" }));
    assert.deepEqual(await open().call(CHECK_PATH, request), { code: status.INTERNAL, details: "internal error" });
    assert.equal(faults.length, 1);
  });

  it("answers 200 callers at once", async (t) => {
    const { connect: open, server } = await openTestServer(t, echo);
    const peers = Array.from({ length: 200 }, () => open());
    const ended = await Promise.all(peers.map((peer, i) => peer.call(CHECK_PATH, Buffer.from([i % 256, i >> 8]))));
    ended.forEach((end, i) => {
      assert.deepEqual(end, { bytes: Buffer.from([i % 256, i >> 8]) });
    });
    assert.equal(server.acceptors[0]?.accepted, 200);
    assert.equal(server.listener.connections, 200);
  });

  for (const path of [
    "/envoy.service.auth.v2.Authorization/Check",
    "/envoy.service.auth.v3.Authorization/check",
    "/no.such.Service/Check",
    "/",
  ]) {
    it(`does not implement ${path}`, async (t) => {
      const { connect: open } = await openTestServer(t, echo);
      const ended = await open().call(path, request);
      assert.equal("code" in ended && ended.code, status.UNIMPLEMENTED);
    });
  }
});

describe("a check that the listener ends itself", () => {
  it("takes a message of exactly 4 MiB and refuses one byte more", async (t) => {
    const { connect: open } = await openTestServer(t, (bytes) => ({
      kind: "message",
      bytes: Buffer.from([bytes.length === 4 * 1024 * 1024 ? 1 : 0]),
    }));
    const peer = open();
    assert.deepEqual(await peer.call(CHECK_PATH, Buffer.alloc(4 * 1024 * 1024)), { bytes: Buffer.from([1]) });
    const ended = await peer.call(CHECK_PATH, Buffer.alloc(4 * 1024 * 1024 + 1));
    assert.equal("code" in ended && ended.code, status.RESOURCE_EXHAUSTED);
    assert.deepEqual(await peer.call(CHECK_PATH, Buffer.alloc(4 * 1024 * 1024)), { bytes: Buffer.from([1]) });
  });

  it("has a configurable message limit", async (t) => {
    const { connect: open } = await openTestServer(t, echo, { limits: { maxMessageBytes: 10 } });
    assert.deepEqual(await open().call(CHECK_PATH, Buffer.alloc(10)), { bytes: Buffer.alloc(10) });
    const ended = await open().call(CHECK_PATH, Buffer.alloc(11));
    assert.equal("code" in ended && ended.code, status.RESOURCE_EXHAUSTED);
  });

  it("reads a gzip message, and refuses one that grows beyond the limit", async (t) => {
    const seen: number[] = [];
    const { address } = await openTestServer(t, (bytes) => {
      seen.push(bytes.length);
      return { kind: "message", bytes };
    });
    const gzip = { "grpc-encoding": "gzip" };
    assert.equal((await rawCall(address, frame(gzipSync(Buffer.alloc(1000)), 1), gzip)).status, "0");
    assert.equal(
      (await rawCall(address, frame(gzipSync(Buffer.alloc(64 * 1024 * 1024)), 1), gzip)).status,
      `${status.RESOURCE_EXHAUSTED}`,
    );
    assert.equal((await rawCall(address, frame(Buffer.from("not gzip"), 1), gzip)).status, `${status.INTERNAL}`);
    assert.equal(
      (await rawCall(address, frame(request, 1), { "grpc-encoding": "zstd" })).status,
      `${status.UNIMPLEMENTED}`,
    );
    assert.deepEqual(seen, [1000]);
  });

  it("refuses a call without a message, with two, and one that is not gRPC", async (t) => {
    let calls = 0;
    const { address } = await openTestServer(t, (bytes) => {
      calls++;
      return { kind: "message", bytes };
    });
    assert.equal((await rawCall(address, Buffer.alloc(0))).status, `${status.UNIMPLEMENTED}`);
    assert.equal(
      (await rawCall(address, Buffer.concat([frame(request), frame(request)]))).status,
      `${status.UNIMPLEMENTED}`,
    );
    assert.equal((await rawCall(address, frame(request), { "content-type": "application/json" })).http, 415);
    assert.equal((await rawCall(address, frame(request), { "grpc-timeout": "soon" })).status, `${status.INTERNAL}`);
    assert.equal(calls, 0);
  });

  it("never gives a cut-off message to the handler", async (t) => {
    let calls = 0;
    const { address } = await openTestServer(t, (bytes) => {
      calls++;
      return { kind: "message", bytes };
    });
    const whole = frame(Buffer.alloc(20, 7));
    for (let length = 1; length < whole.length; length++) {
      assert.notEqual((await rawCall(address, whole.subarray(0, length))).status, "0", `${length} bytes`);
    }
    assert.equal(calls, 0);
  });

  it("ends a call whose deadline passes before its message is whole", async (t) => {
    let calls = 0;
    const { address } = await openTestServer(t, (bytes) => {
      calls++;
      return { kind: "message", bytes };
    });
    const session = connect(`http://${address}`);
    t.after(() => session.destroy());
    const code = await new Promise((resolve, reject) => {
      const stream = session.request({
        ":method": "POST",
        ":path": CHECK_PATH,
        "content-type": "application/grpc",
        te: "trailers",
        "grpc-timeout": "20m",
      });
      stream.on("response", (head) => resolve(head["grpc-status"]));
      stream.on("error", reject);
      stream.write(frame(Buffer.alloc(100)).subarray(0, 50));
    });
    assert.equal(code, `${status.DEADLINE_EXCEEDED}`);
    assert.equal(calls, 0);
  });

  it("goes on after a caller has cancelled in the middle of its message", async (t) => {
    let calls = 0;
    const {
      address,
      connect: open,
      faults,
    } = await openTestServer(t, (bytes) => {
      calls++;
      return { kind: "message", bytes };
    });
    const session = connect(`http://${address}`);
    t.after(() => session.destroy());
    for (let i = 0; i < 50; i++) {
      const stream = session.request({
        ":method": "POST",
        ":path": CHECK_PATH,
        "content-type": "application/grpc",
        te: "trailers",
      });
      stream.on("error", () => undefined);
      stream.write(frame(Buffer.alloc(100)).subarray(0, 50));
      stream.close(8);
    }
    assert.deepEqual(await open().call(CHECK_PATH, request), { bytes: request });
    assert.equal(calls, 1);
    assert.deepEqual(faults, []);
  });
});

/** Connects, sends `bytes`, and waits until the server has closed the connection. */
function closedByServer(address: string, bytes: Uint8Array | string = ""): Promise<void> {
  const [host = "", port = ""] = address.split(":");
  const socket = connectSocket(Number(port), host);
  return new Promise((resolve) => {
    socket.on("error", () => undefined);
    socket.on("close", () => resolve());
    socket.resume();
    socket.write(bytes);
  });
}

describe("a connection that is not HTTP/2", () => {
  for (const [name, bytes] of [
    ["HTTP/1.1", "GET / HTTP/1.1\r\nhost: x\r\n\r\n"],
    ["a TLS hello", Buffer.from("16030100c8010000c40303", "hex")],
    ["noise", Buffer.alloc(4096, 0xa5)],
    [
      "a preface and a frame of 16 MiB",
      Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Buffer.alloc(9, 0xff)]),
    ],
  ] as const) {
    it(`is closed, and no other one suffers: ${name}`, async (t) => {
      const {
        server,
        address,
        connect: open,
        faults,
      } = await openTestServer(t, echo, { accept: { prefaceTimeoutMs: 50 } });
      const peer = open();
      await peer.call(CHECK_PATH, request);
      await closedByServer(address, bytes);
      assert.deepEqual(await peer.call(CHECK_PATH, request), { bytes: request });
      await until(() => server.listener.connections === 1);
      assert.deepEqual(faults, []);
    });
  }

  it("is closed when it says nothing in time", async (t) => {
    const { server, address } = await openTestServer(t, echo, { accept: { prefaceTimeoutMs: 20 } });
    await closedByServer(address);
    assert.equal(server.acceptors[0]?.refusals.counts.no_preface, 1);
  });

  it("does not count against a peer that speaks and then waits", async (t) => {
    const { server, address, connect: open } = await openTestServer(t, echo, { accept: { prefaceTimeoutMs: 20 } });
    const peer = open();
    await peer.call(CHECK_PATH, request);
    // A silent connection that came later: when its time is up, so is that of the first one.
    await closedByServer(address);
    assert.equal(server.acceptors[0]?.refusals.counts.no_preface, 1);
    assert.deepEqual(await peer.call(CHECK_PATH, request), { bytes: request });
    assert.equal(server.listener.connections, 1);
  });

  it("is refused and counted over the cap", async (t) => {
    const { server, address, connect: open } = await openTestServer(t, echo, { accept: { maxConnections: 1 } });
    const peer = open();
    await peer.call(CHECK_PATH, request);
    await closedByServer(address);
    assert.equal(server.acceptors[0]?.refusals.counts.connection_limit, 1);
    assert.deepEqual(await peer.call(CHECK_PATH, request), { bytes: request });
  });
});
