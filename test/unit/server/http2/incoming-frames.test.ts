import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { frame, headerBlock, PREFACE } from "../../../support/h2-frames.ts";
import { createConversation, data, headers, settings, words } from "../../../support/http2-conversation.ts";

const EMPTY = Buffer.alloc(0);
const END_STREAM = 1;
const OPEN = headers(1, 0);
const ENDED = headers(1, END_STREAM);

/** Frames after the preface, and what is said to them. */
type Row = readonly [name: string, sent: readonly Buffer[], said: readonly string[]];

const dependent = (on: number) => Buffer.concat([words(on), Buffer.of(16)]);
const priorityHeaders = (stream: number, on: number) =>
  frame(1, 0x24 | END_STREAM, stream, Buffer.concat([dependent(on), headerBlock("/a.B/C")]));

const PROTOCOL = ["GOAWAY 0 PROTOCOL_ERROR"];
const SIZE = ["GOAWAY 0 FRAME_SIZE_ERROR"];

const CONNECTION_ERRORS: readonly Row[] = [
  ["DATA on stream 0", [data(0, 1)], PROTOCOL],
  ["DATA on an idle stream", [data(1, 1)], PROTOCOL],
  ["DATA on an even stream", [ENDED, data(2, 1)], ["GOAWAY 1 PROTOCOL_ERROR"]],
  ["DATA padded by all of it", [OPEN, frame(0, 8, 1, Buffer.of(2, 0))], ["GOAWAY 1 PROTOCOL_ERROR"]],
  ["DATA padded without a length", [OPEN, frame(0, 8, 1, EMPTY)], ["GOAWAY 1 FRAME_SIZE_ERROR"]],
  ["HEADERS on stream 0", [headers(0, 0)], PROTOCOL],
  ["HEADERS on an even stream", [headers(2, 0)], PROTOCOL],
  ["HEADERS on a stream that was passed over", [headers(5, 0), headers(3, 0)], ["GOAWAY 5 PROTOCOL_ERROR"]],
  ["HEADERS padded by more than there is", [frame(1, 0xc, 1, Buffer.of(2, 0x83))], PROTOCOL],
  ["HEADERS padded without a length", [frame(1, 0xc, 1, EMPTY)], SIZE],
  ["HEADERS with less than a priority", [frame(1, 0x24, 1, words(0))], SIZE],
  ["HEADERS padded into its priority", [frame(1, 0x2c, 1, Buffer.of(3, 0, 0, 0, 0, 0, 0))], PROTOCOL],
  ["a block that HPACK cannot read", [headers(1, 1, Buffer.of(0x80))], ["GOAWAY 0 COMPRESSION_ERROR"]],
  ["PRIORITY on stream 0", [frame(2, 0, 0, dependent(1))], PROTOCOL],
  ["PRIORITY of 4 octets on an idle stream", [frame(2, 0, 1, words(0))], SIZE],
  ["PRIORITY of an idle stream on itself", [frame(2, 0, 1, dependent(1))], PROTOCOL],
  ["RST_STREAM on stream 0", [frame(3, 0, 0, words(8))], PROTOCOL],
  ["RST_STREAM on an idle stream", [frame(3, 0, 1, words(8))], PROTOCOL],
  ["RST_STREAM of 3 octets", [OPEN, frame(3, 0, 1, Buffer.alloc(3))], ["GOAWAY 1 FRAME_SIZE_ERROR"]],
  ["SETTINGS on a stream", [frame(4, 0, 1, EMPTY)], PROTOCOL],
  ["SETTINGS of 5 octets", [frame(4, 0, 0, Buffer.alloc(5))], SIZE],
  ["SETTINGS ACK with a payload", [frame(4, 1, 0, settings([1, 1]))], SIZE],
  ["ENABLE_PUSH 2", [frame(4, 0, 0, settings([2, 2]))], PROTOCOL],
  ["INITIAL_WINDOW_SIZE 2^31", [frame(4, 0, 0, settings([4, 2 ** 31]))], ["GOAWAY 0 FLOW_CONTROL_ERROR"]],
  ["MAX_FRAME_SIZE 16383", [frame(4, 0, 0, settings([5, 16_383]))], PROTOCOL],
  ["MAX_FRAME_SIZE 2^24", [frame(4, 0, 0, settings([5, 2 ** 24]))], PROTOCOL],
  ["PUSH_PROMISE", [frame(5, 4, 1, words(2))], PROTOCOL],
  ["PING on a stream", [frame(6, 0, 1, Buffer.alloc(8))], PROTOCOL],
  ["PING of 7 octets", [frame(6, 0, 0, Buffer.alloc(7))], SIZE],
  ["GOAWAY on a stream", [frame(7, 0, 1, words(0, 0))], PROTOCOL],
  ["GOAWAY of 7 octets", [frame(7, 0, 0, Buffer.alloc(7))], SIZE],
  ["WINDOW_UPDATE of 3 octets", [frame(8, 0, 0, Buffer.alloc(3))], SIZE],
  ["WINDOW_UPDATE by 0", [frame(8, 0, 0, words(0))], PROTOCOL],
  ["WINDOW_UPDATE of an idle stream", [frame(8, 0, 1, words(1))], PROTOCOL],
  ["WINDOW_UPDATE over 2^31-1", [frame(8, 0, 0, words(0x7fff_ffff))], ["GOAWAY 0 FLOW_CONTROL_ERROR"]],
  ["CONTINUATION of nothing", [frame(9, 4, 1, EMPTY)], PROTOCOL],
  ["CONTINUATION of an ended block", [OPEN, frame(9, 4, 1, EMPTY)], ["GOAWAY 1 PROTOCOL_ERROR"]],
  ["CONTINUATION of another stream", [frame(1, 0, 1, EMPTY), frame(9, 4, 3, EMPTY)], PROTOCOL],
  ["a frame between HEADERS and CONTINUATION", [frame(1, 0, 1, EMPTY), frame(6, 0, 0, Buffer.alloc(8))], PROTOCOL],
  ["an unknown frame in a header block", [frame(1, 0, 1, EMPTY), frame(0x16, 0, 0, EMPTY)], PROTOCOL],
  ["a frame over 16384", [OPEN, frame(0, 0, 1, Buffer.alloc(16_385))], ["GOAWAY 1 FRAME_SIZE_ERROR"]],
];

const STREAM_ERRORS: readonly Row[] = [
  ["DATA after the end of the request", [ENDED, data(1, 1)], ["RST_STREAM 1 STREAM_CLOSED"]],
  ["HEADERS after the end of the request", [ENDED, headers(1, 1)], ["RST_STREAM 1 STREAM_CLOSED"]],
  ["trailers that do not end the request", [OPEN, headers(1, 0)], ["RST_STREAM 1 PROTOCOL_ERROR"]],
  ["trailers with pseudo-headers", [OPEN, headers(1, 1, Buffer.of(0x83))], ["RST_STREAM 1 PROTOCOL_ERROR"]],
  ["HEADERS that depend on themselves", [priorityHeaders(1, 1)], ["RST_STREAM 1 PROTOCOL_ERROR"]],
  ["PRIORITY of an open stream on itself", [OPEN, frame(2, 0, 1, dependent(1))], ["RST_STREAM 1 PROTOCOL_ERROR"]],
  ["PRIORITY of 6 octets", [OPEN, frame(2, 0, 1, Buffer.alloc(6))], ["RST_STREAM 1 FRAME_SIZE_ERROR"]],
  ["WINDOW_UPDATE of a stream by 0", [OPEN, frame(8, 0, 1, words(0))], ["RST_STREAM 1 PROTOCOL_ERROR"]],
  ["a request without pseudo-headers", [headers(1, 1, EMPTY)], ["RST_STREAM 1 PROTOCOL_ERROR"]],
  [
    "WINDOW_UPDATE of a stream over 2^31-1",
    [OPEN, frame(8, 0, 1, words(0x7fff_ffff))],
    ["RST_STREAM 1 FLOW_CONTROL_ERROR"],
  ],
];

const FINE: readonly Row[] = [
  ["an unknown frame", [frame(0x16, 0xff, 7, Buffer.alloc(9))], []],
  ["PRIORITY of an idle stream", [frame(2, 0, 9, dependent(0))], []],
  ["HEADERS with priority", [priorityHeaders(1, 0)], []],
  [
    "HEADERS with padding",
    [frame(1, 0xd, 1, Buffer.concat([Buffer.of(3), headerBlock("/a.B/C"), Buffer.alloc(3)]))],
    [],
  ],
  ["DATA with padding", [OPEN, frame(0, 9, 1, Buffer.of(1, 0x61, 0))], []],
  ["PING", [frame(6, 0, 0, Buffer.alloc(8))], ["PING ACK"]],
  ["PING ACK", [frame(6, 1, 0, Buffer.alloc(8))], []],
  ["GOAWAY", [frame(7, 0, 0, words(0, 0))], []],
  ["SETTINGS", [frame(4, 0, 0, settings([1, 100], [2, 0], [3, 5], [5, 20_000], [6, 9], [99, 1]))], ["SETTINGS ACK"]],
  ["SETTINGS ACK", [frame(4, 1, 0, EMPTY)], []],
  ["the reserved bit of a stream identifier", [frame(6, 0, 2 ** 31, Buffer.alloc(8))], ["PING ACK"]],
  ["RST_STREAM with an unknown code", [OPEN, frame(3, 0, 1, words(99))], []],
  ["RST_STREAM twice", [OPEN, frame(3, 0, 1, words(8)), frame(3, 0, 1, words(8))], []],
  ["WINDOW_UPDATE after RST_STREAM", [OPEN, frame(3, 0, 1, words(8)), frame(8, 0, 1, words(8))], []],
  ["trailers", [OPEN, headers(1, 1, Buffer.from([0, 1, 0x61, 1, 0x62]))], []],
];

describe("frames that end the connection", () => {
  for (const [name, sent, said] of CONNECTION_ERRORS) {
    it(name, () => {
      const peer = createConversation();
      peer.send(...sent);
      assert.deepEqual(peer.said(), said);
      assert.equal(peer.ended, "end");
      assert.equal(peer.ends, 1);
      assert.equal(peer.connection.openStreams, 0);
      const counted = Object.values(peer.counts.connectionEnds).reduce((sum, count) => sum + count);
      assert.equal(counted, 1);
      for (const { events } of peer.requests) assert.equal(events.at(-1), "reset");
      peer.send(frame(6, 0, 0, Buffer.alloc(8)));
      assert.deepEqual(peer.said(), [], "nothing is read after the end");
    });
  }
});

describe("frames that end their stream", () => {
  for (const [name, sent, said] of STREAM_ERRORS) {
    it(name, () => {
      const peer = createConversation();
      peer.send(...sent);
      assert.deepEqual(peer.said(), said);
      assert.equal(peer.ended, undefined);
      assert.equal(peer.connection.openStreams, 0);
      for (const { events } of peer.requests) assert.equal(events.at(-1), "reset");
      const counted = Object.values(peer.counts.streamRefusals).reduce((sum, count) => sum + count);
      assert.equal(counted, 1);
      peer.send(headers(7, END_STREAM));
      assert.equal(peer.connection.openStreams, 1, "others go on");
    });
  }
});

describe("frames that are no error", () => {
  for (const [name, sent, said] of FINE) {
    it(name, () => {
      const peer = createConversation();
      peer.send(...sent);
      assert.deepEqual(peer.said(), said);
      assert.equal(peer.ended, undefined);
    });
  }
});

describe("the beginning", () => {
  it("says SETTINGS first, raises the connection's window, and acknowledges the peer's settings", () => {
    const peer = createConversation({ greet: false });
    peer.send(PREFACE);
    assert.deepEqual(peer.said(), ["SETTINGS", `WINDOW_UPDATE 0 ${1024 * 1024 - 65_535}`, "SETTINGS ACK"]);
  });

  it("says SETTINGS at the end of the turn, if the peer is silent", async () => {
    const peer = createConversation({ greet: false });
    await peer.turn();
    assert.equal(peer.said()[0], "SETTINGS");
  });

  const notSettings: [string, Buffer][] = [
    ["PING", frame(6, 0, 0, Buffer.alloc(8))],
    ["SETTINGS ACK", frame(4, 1, 0, EMPTY)],
    ["HEADERS", OPEN],
    ["an unknown frame", frame(0x16, 0, 0, EMPTY)],
  ];
  for (const [name, first] of notSettings) {
    it(`refuses ${name} before SETTINGS`, () => {
      const peer = createConversation({ greet: false });
      peer.send(PREFACE.subarray(0, 24), first);
      assert.equal(peer.said().at(-1), "GOAWAY 0 PROTOCOL_ERROR");
    });
  }

  it("refuses any octet of the preface that is another", () => {
    for (let at = 0; at < 24; at++) {
      const peer = createConversation({ greet: false });
      const bytes = Buffer.from(PREFACE);
      bytes[at] = (bytes[at] as number) ^ 1;
      peer.send(bytes);
      assert.equal(peer.said().at(-1), "GOAWAY 0 PROTOCOL_ERROR", `octet ${at}`);
      assert.equal(peer.ended, "end");
    }
  });
});
