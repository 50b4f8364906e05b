// A call that its peer resets in the same breath: grpc-js hears of it when it is gone, and must not answer it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CHECK_PATH } from "../../src/server/listener.ts";
import { END_HEADERS, END_STREAM, FRAME, frame, literals, resetStream } from "../support/h2-frames.ts";
import { openRawPeer } from "../support/h2-raw-peer.ts";
import { CHECK_FIELDS } from "../support/line-rate.ts";
import { echo, openTestServer } from "../support/open-check-server.ts";

const changed = (name: string, value: string): Buffer =>
  literals(CHECK_FIELDS.map(([each, old]) => [each, each === name ? value : old] as const));

describe("a call that is reset as soon as it is made does not end the process", () => {
  for (const [what, block] of [
    ["a check", literals(CHECK_FIELDS)],
    ["an unknown method", changed(":path", "/a/b")],
    ["what is no gRPC", changed("content-type", "text/plain")],
    ["a health check", changed(":path", "/grpc.health.v1.Health/Check")],
    ["a watch", changed(":path", "/grpc.health.v1.Health/Watch")],
  ] as const) {
    it(what, async (t) => {
      const { address, connect, faults } = await openTestServer(t, echo);
      const attacker = openRawPeer(address);
      t.after(() => attacker.socket.destroy());
      await attacker.settled();
      for (let id = 1; id < 20; id += 2) {
        attacker.send(frame(FRAME.HEADERS, END_HEADERS | END_STREAM, id, block), resetStream(id));
        await attacker.settled();
      }
      assert.deepEqual(await connect().call(CHECK_PATH, Buffer.alloc(2)), { bytes: Buffer.alloc(2) });
      assert.deepEqual(faults, []);
    });
  }
});
