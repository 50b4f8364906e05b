import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FLAG, FRAME_TYPE } from "../../../src/server/http2/frame.ts";
import { type ClientFrame, clientFrame, toBytes, words } from "../../fuzz/client-frame.ts";
import { Finding, ServerWatch } from "../../fuzz/server-watch.ts";

const { DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION } = FRAME_TYPE;
const { ACK, END_STREAM, END_HEADERS } = FLAG;

const settings = clientFrame(SETTINGS, 0, 0);
const headers = (id: number, flags: number = END_HEADERS): ClientFrame =>
  clientFrame(HEADERS, flags, id, Buffer.of(0x88));
const trailers = (id: number): ClientFrame =>
  clientFrame(HEADERS, END_HEADERS | END_STREAM, id, Buffer.from("0001610162", "hex"));
const data = (id: number, bytes: number, flags = 0): ClientFrame => clientFrame(DATA, flags, id, Buffer.alloc(bytes));
const reset = (id: number, code: number): ClientFrame => clientFrame(RST_STREAM, 0, id, words(code));
const goaway = (id: number, code: number): ClientFrame => clientFrame(GOAWAY, 0, 0, words(id, code));

/** A client has sent a request on streams 1 and 3, and its end on 1. */
function watching(...more: ClientFrame[]): ServerWatch {
  const watch = new ServerWatch(0, true);
  watch.sending(
    toBytes([
      clientFrame(SETTINGS, 0, 0),
      headers(1, END_HEADERS | END_STREAM),
      headers(3),
      clientFrame(PING, 0, 0, Buffer.from("pingpong")),
      ...more,
    ]),
  );
  watch.read();
  return watch;
}

const legal: readonly (readonly [name: string, frames: readonly ClientFrame[], sent?: readonly ClientFrame[]])[] = [
  ["a whole answer", [settings, headers(1), data(1, 10), trailers(1)]],
  ["an answer without trailers", [settings, headers(1), data(1, 10, END_STREAM)]],
  ["headers alone", [settings, headers(1, END_HEADERS | END_STREAM)]],
  ["a block of two frames", [settings, headers(1, 0), clientFrame(CONTINUATION, END_HEADERS, 1)]],
  ["an answer to an unfinished request", [settings, headers(3), trailers(3), reset(3, 0)]],
  ["acknowledgements", [settings, clientFrame(SETTINGS, ACK, 0), clientFrame(PING, ACK, 0, Buffer.from("pingpong"))]],
  ["windows", [settings, clientFrame(WINDOW_UPDATE, 0, 0, words(9)), clientFrame(WINDOW_UPDATE, 0, 3, words(9))]],
  ["a graceful end", [settings, goaway(0x7fff_ffff, 0), goaway(3, 0), headers(1), trailers(1)]],
  [
    "as much as a widened window holds",
    [settings, headers(3), data(3, 16_384), data(3, 16_384), data(3, 16_384), data(3, 16_384)],
    [clientFrame(WINDOW_UPDATE, 0, 0, words(9)), clientFrame(WINDOW_UPDATE, 0, 3, words(1))],
  ],
];

const illegal: readonly (readonly [name: string, frames: readonly ClientFrame[], sent?: readonly ClientFrame[]])[] = [
  ["anything before SETTINGS", [headers(1)]],
  ["an acknowledgement before SETTINGS", [clientFrame(SETTINGS, ACK, 0)]],
  ["SETTINGS twice", [settings, settings]],
  ["two acknowledgements of one SETTINGS", [settings, clientFrame(SETTINGS, ACK, 0), clientFrame(SETTINGS, ACK, 0)]],
  ["an acknowledgement of another PING", [settings, clientFrame(PING, ACK, 0, Buffer.from("pongping"))]],
  ["a stream that was never opened", [settings, headers(5)]],
  ["DATA before headers", [settings, data(1, 1)]],
  ["DATA after the end", [settings, headers(1), trailers(1), data(1, 1)]],
  ["headers after the end", [settings, headers(1), trailers(1), headers(1)]],
  ["trailers that do not end", [settings, headers(1), headers(1)]],
  ["a pseudo-header in trailers", [settings, headers(1), headers(1, END_HEADERS | END_STREAM)]],
  ["headers without a status", [settings, trailers(1)]],
  ["a block that cannot be decoded", [settings, clientFrame(HEADERS, END_HEADERS, 1, Buffer.of(0x80))]],
  ["a frame within a block", [settings, headers(1, 0), data(1, 1)]],
  ["a frame that is too large", [settings, headers(1), data(1, 16_385)]],
  ["DATA after RST_STREAM", [settings, headers(1), reset(1, 2), data(1, 1)]],
  ["RST_STREAM twice", [settings, reset(1, 2), reset(1, 2)]],
  ["NO_ERROR before the answer", [settings, reset(3, 0)]],
  ["NO_ERROR for a request that has ended", [settings, headers(1), trailers(1), reset(1, 0)]],
  ["a window that grows by nothing", [settings, clientFrame(WINDOW_UPDATE, 0, 0, words(0))]],
  ["anything after GOAWAY with an error", [settings, goaway(3, 1), headers(1)]],
  ["GOAWAY for a stream that was never opened", [settings, goaway(5, 1)]],
  ["GOAWAY that takes more streams than before", [settings, goaway(1, 0), goaway(3, 0)]],
  ["PUSH_PROMISE", [settings, clientFrame(FRAME_TYPE.PUSH_PROMISE, END_HEADERS, 1, words(2))]],
  [
    "DATA beyond the window of a stream",
    [settings, headers(3), data(3, 16_384), data(3, 16_384), data(3, 16_384), data(3, 16_384)],
    [clientFrame(WINDOW_UPDATE, 0, 0, words(9))],
  ],
  [
    "DATA beyond the window of the connection",
    [settings, headers(3), data(3, 16_384), data(3, 16_384), data(3, 16_384), data(3, 16_384)],
    [clientFrame(WINDOW_UPDATE, 0, 3, words(1))],
  ],
  [
    "DATA beyond a window that was acknowledged as lower",
    [settings, clientFrame(SETTINGS, ACK, 0), clientFrame(SETTINGS, ACK, 0), headers(3), data(3, 11)],
    [clientFrame(SETTINGS, 0, 0, Buffer.from("00040000000a", "hex"))],
  ],
  ["an answer on a stream that its client has reset", [settings, headers(3)], [reset(3, 8)]],
];

describe("the watch over a server", () => {
  for (const [name, frames, sent = []] of legal) {
    it(`lets pass: ${name}`, () => {
      const watch = watching(...sent);
      watch.receiving(toBytes(frames));
      watch.end();
      assert.ok(watch.settingsFrames === 1);
    });
  }
  for (const [name, frames, sent = []] of illegal) {
    it(`finds: ${name}`, () => {
      const watch = watching(...sent);
      assert.throws(() => watch.receiving(toBytes(frames)), Finding);
    });
  }

  it("finds an end within a frame or a block", () => {
    const cut = watching();
    cut.receiving(toBytes([settings, headers(1)]).subarray(0, -1));
    assert.throws(() => cut.end(), Finding);
    const open = watching();
    open.receiving(toBytes([settings, headers(1, 0)]));
    assert.throws(() => open.end(), Finding);
  });

  it("reads what comes octet by octet", () => {
    const watch = watching();
    for (const octet of toBytes([settings, headers(1), data(1, 3), trailers(1)])) watch.receiving(Buffer.of(octet));
    const stream = watch.streams.get(1);
    assert.deepEqual([stream?.status, stream?.bodyBytes, stream?.state], ["200", 3, "ended"]);
  });
});
