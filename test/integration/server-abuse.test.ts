import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { CHECK_PATH } from "../../src/server/listener.ts";
import { END_HEADERS, FRAME, frame, headerBlock, PREFACE } from "../support/h2-frames.ts";
import { echo, openTestServer } from "../support/open-check-server.ts";
import { until } from "../support/until.ts";

const request = Buffer.from([0x0a, 0x00]);
const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const repeat = (count: number, make: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => make(i)));
const headers = headerBlock(CHECK_PATH);

/** An open socket to the server that has sent its preface; gone with the test. */
function dial(t: TestContext, address: string): { socket: Socket; closed: Promise<void>; received(): number } {
  const [host = "", port = ""] = address.split(":");
  const socket = connect(Number(port), host);
  t.after(() => socket.destroy());
  socket.on("error", () => undefined);
  let bytes = 0;
  socket.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  socket.write(PREFACE);
  return { socket, closed, received: () => bytes };
}

describe("a peer that floods", () => {
  const floods: [name: string, bytes: Buffer][] = [
    [
      "opens and resets 20000 calls",
      repeat(20_000, (i) =>
        Buffer.concat([
          frame(FRAME.HEADERS, END_HEADERS, 2 * i + 1, headers),
          frame(FRAME.RST_STREAM, 0, 2 * i + 1, number(8)),
        ]),
      ),
    ],
    [
      "never ends a header block",
      Buffer.concat([
        frame(FRAME.HEADERS, 0, 1, headers),
        repeat(5000, () =>
          frame(FRAME.CONTINUATION, 0, 1, Buffer.concat([Buffer.from([0x00, 1, 97, 100]), Buffer.alloc(100, 98)])),
        ),
      ]),
    ],
    ["sends 20000 SETTINGS", repeat(20_000, () => frame(FRAME.SETTINGS, 0, 0, Buffer.alloc(0)))],
    ["sends a frame larger than it may", frame(FRAME.DATA, 0, 1, Buffer.alloc(20_000))],
    ["sends data for a call that it never opened", frame(FRAME.DATA, 0, 1, Buffer.alloc(10))],
    ["opens a call with an even number", frame(FRAME.HEADERS, END_HEADERS, 2, headers)],
    ["sends a header block that is none", frame(FRAME.HEADERS, END_HEADERS, 1, Buffer.alloc(50, 0xff))],
    ["gives back a window that overflows", repeat(2, () => frame(FRAME.WINDOW_UPDATE, 0, 0, number(2 ** 31 - 1)))],
  ];
  for (const [name, bytes] of floods) {
    it(`is cut off, and others are served: ${name}`, async (t) => {
      // grpc-js: after a rapid reset Node stops reading but leaves the socket open: there it is the keep-alive PING that ends it.
      const limits = { keepAliveTimeMs: 300, keepAliveTimeoutMs: 300 };
      const { address, connect: open, faults, server } = await openTestServer(t, echo, { limits });
      const peer = open();
      await peer.call(CHECK_PATH, request);
      const { socket, closed } = dial(t, address);
      socket.write(bytes);
      await closed;
      assert.deepEqual(await peer.call(CHECK_PATH, request), { bytes: request });
      // The peer may see the end before the server has read that the peer has gone too.
      await until(() => server.listener.connections === 1);
      assert.deepEqual(faults, []);
    });
  }

  it("cannot have more calls open than the limit, nor harm others with those", async (t) => {
    const { address, connect: open, server } = await openTestServer(t, echo, { limits: { maxConcurrentStreams: 10 } });
    const { socket, received } = dial(t, address);
    socket.write(repeat(200, (i) => frame(FRAME.HEADERS, END_HEADERS, 2 * i + 1, headers)));
    assert.deepEqual(await open().call(CHECK_PATH, request), { bytes: request });
    assert.ok(received() > 0);
    assert.ok(server.listener.connections <= 2);
  });

  it("may hold 300 idle connections", async (t) => {
    const { address, connect: open } = await openTestServer(t, echo);
    const idle = Array.from({ length: 300 }, () => dial(t, address));
    await Promise.all(idle.map(({ socket }) => new Promise((resolve) => socket.once("data", resolve))));
    assert.deepEqual(await open().call(CHECK_PATH, request), { bytes: request });
  });
});
