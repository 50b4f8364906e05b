import assert from "node:assert/strict";
import { connect } from "node:http2";
import { it } from "node:test";
import { CHECK_PATH } from "../../src/server/listener.ts";
import { echo, openTestServer } from "../support/open-check-server.ts";
import { until } from "../support/until.ts";

const HEADERS = { ":method": "POST", "content-type": "application/grpc", te: "trailers" };

it("counts checks from their headers to their reply, cancelled ones and those of cut connections too", async (t) => {
  const { server, address } = await openTestServer(t, echo);
  const count = (): number => server.listener.checksInFlight;
  const session = connect(`http://${address}`);
  session.on("error", () => undefined);
  t.after(() => session.destroy());
  const streams = Array.from({ length: 4 }, () => {
    const stream = session.request({ ...HEADERS, ":path": CHECK_PATH });
    return stream.on("error", () => undefined).resume();
  });
  const health = session.request({ ...HEADERS, ":path": "/grpc.health.v1.Health/Watch" });
  health.on("error", () => undefined).resume();
  await until(() => count() === 4);
  streams[0]?.end(Buffer.from([0, 0, 0, 0, 0]));
  await until(() => count() === 3);
  streams[1]?.close(8);
  await until(() => count() === 2);
  session.destroy();
  await until(() => count() === 0);
  assert.equal(server.listener.faults, 0);
});

it("is zero again after calls that never reach the handler", async (t) => {
  const { server, connect: open, address } = await openTestServer(t, echo, { limits: { maxMessageBytes: 1024 } });
  const peer = open();
  await peer.call(CHECK_PATH, Buffer.alloc(2000));
  await peer.call(CHECK_PATH, Buffer.from([0x0a, 0x00]));
  const session = connect(`http://${address}`);
  t.after(() => session.destroy());
  const stream = session.request({ ...HEADERS, ":path": CHECK_PATH, "grpc-timeout": "1n" });
  stream.on("error", () => undefined).resume();
  stream.end();
  await new Promise((resolve) => stream.on("close", resolve));
  await until(() => server.listener.checksInFlight === 0);
  assert.equal(server.listener.checksInFlight, 0);
});
