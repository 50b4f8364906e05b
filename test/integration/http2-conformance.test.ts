// RFC 9113 by hand: every row writes its own frames to a real socket, in cleartext and behind TLS. Header rules, HPACK and gRPC
// are in http2-headers.test.ts and http2-grpc.test.ts; h2spec, an outsider's reading of the same, runs in test/e2e.

import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import {
  assertEcho,
  closes,
  connectionError,
  echoes,
  grpcStatus,
  type Http2Case,
  ignored,
  type Outcome,
  runCases,
  streamError,
} from "../support/h2-cases.ts";
import {
  ACK,
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  goaway,
  grpcMessage,
  MAGIC,
  PADDED,
  ping,
  priority,
  repeat,
  resetStream,
  SETTING,
  settings,
  uint32,
  WITH_PRIORITY,
  windowUpdate,
} from "../support/h2-frames.ts";
import type { RawPeer } from "../support/h2-raw-peer.ts";
import {
  answerOf,
  CHECK_BLOCK,
  check,
  head,
  lastData,
  loadTestMaterial,
  MESSAGE,
  openLineRate,
  WAIT,
} from "../support/line-rate.ts";

const BODY = grpcMessage(MESSAGE);
const answered = (stream: number) => (peer: RawPeer) => peer.answer(stream);
const settled = (peer: RawPeer): Promise<void> => peer.settled();
const data = (stream: number, bytes: Uint8Array, flags = 0): Buffer => frame(FRAME.DATA, flags, stream, bytes);
const padded = (bytes: Uint8Array, padding: number): Buffer =>
  Buffer.concat([Buffer.from([padding]), bytes, Buffer.alloc(padding)]);
const PRIORITY_FIELDS = Buffer.concat([uint32(0), Buffer.from([15])]);
const half = CHECK_BLOCK.length >> 1;
const [FIRST_HALF, SECOND_HALF] = [CHECK_BLOCK.subarray(0, half), CHECK_BLOCK.subarray(half)];
const continuation = (stream: number, bytes: Uint8Array, flags = END_HEADERS): Buffer =>
  frame(FRAME.CONTINUATION, flags, stream, bytes);

const frames: readonly Http2Case[] = [
  ["a check is answered", [check(1)], echoes([1])],
  ["an unknown frame type on the connection is passed over", [frame(0x16, 0xff, 0, Buffer.alloc(8))], ignored],
  ["an unknown frame type on an idle stream is passed over", [frame(0x16, 0, 1, Buffer.alloc(8))], ignored],
  [
    "an unknown frame type on an open stream is passed over",
    [head(1), frame(0x16, 0xff, 1, Buffer.alloc(8)), lastData(1, BODY)],
    echoes([1]),
  ],
  ["undefined flags of PING mean nothing", [ping(Buffer.alloc(8), 0xfe)], ignored],
  [
    "undefined flags of HEADERS and DATA mean nothing",
    [head(1, CHECK_BLOCK, END_HEADERS | 0xd2), data(1, BODY, 0xf7)],
    echoes([1]),
  ],
  [
    "the reserved bit of a stream number means nothing",
    [frame(FRAME.PING, 0, 0x8000_0000, Buffer.alloc(8)), check(0x8000_0001)],
    echoes([1]),
  ],
  [
    "a frame of 16,384 bytes is the largest",
    [head(1), data(1, grpcMessage(Buffer.alloc(16_379))), data(1, Buffer.alloc(0), END_STREAM)],
    echoes([1], Buffer.alloc(16_379)),
  ],
  ["DATA of 16,385 bytes", [head(1), data(1, Buffer.alloc(16_385))], connectionError("FRAME_SIZE_ERROR")],
  ["HEADERS of 16,385 bytes", [head(1, Buffer.alloc(16_385))], connectionError("FRAME_SIZE_ERROR")],
  [
    "SETTINGS of 16,386 bytes",
    [frame(FRAME.SETTINGS, 0, 0, Buffer.alloc(16_386))],
    connectionError("FRAME_SIZE_ERROR"),
  ],
  ["an unknown frame of 16,385 bytes", [frame(0x16, 0, 0, Buffer.alloc(16_385))], connectionError("FRAME_SIZE_ERROR")],
  [
    "a length of 16 MiB is refused before its bytes come",
    [Buffer.from("ffffff000000000001", "hex")],
    connectionError("FRAME_SIZE_ERROR"),
  ],
];

const headerBlocks: readonly Http2Case[] = [
  [
    "a header block in HEADERS and CONTINUATION",
    [head(1, FIRST_HALF, 0), continuation(1, SECOND_HALF), lastData(1, BODY)],
    echoes([1]),
  ],
  [
    "a header block in six CONTINUATION frames, cut anywhere",
    [
      head(1, CHECK_BLOCK.subarray(0, 1), 0),
      ...[1, 2, 3, 4, 5].map((at) => continuation(1, CHECK_BLOCK.subarray(at, at + 1), 0)),
      continuation(1, CHECK_BLOCK.subarray(6)),
      lastData(1, BODY),
    ],
    echoes([1]),
  ],
  [
    "an empty CONTINUATION ends a header block",
    [head(1, CHECK_BLOCK, 0), continuation(1, Buffer.alloc(0)), lastData(1, BODY)],
    echoes([1]),
  ],
  [
    "END_STREAM of HEADERS counts once the block is whole",
    [head(1, FIRST_HALF, END_STREAM), continuation(1, SECOND_HALF)],
    grpcStatus(1, 12),
  ],
  ["DATA within a header block", [head(1, FIRST_HALF, 0), data(1, BODY)], connectionError("PROTOCOL_ERROR")],
  [
    "HEADERS of another stream within a header block",
    [head(1, FIRST_HALF, 0), head(3)],
    connectionError("PROTOCOL_ERROR"),
  ],
  ["PING within a header block", [head(1, FIRST_HALF, 0), ping()], connectionError("PROTOCOL_ERROR")],
  ["PRIORITY within a header block", [head(1, FIRST_HALF, 0), priority(1, 0)], connectionError("PROTOCOL_ERROR")],
  [
    "an unknown frame within a header block",
    [head(1, FIRST_HALF, 0), frame(0x16, 0, 1)],
    connectionError("PROTOCOL_ERROR"),
  ],
  ["SETTINGS within a header block", [head(1, FIRST_HALF, 0), settings()], connectionError("PROTOCOL_ERROR")],
  [
    "CONTINUATION of another stream",
    [head(1, FIRST_HALF, 0), continuation(3, SECOND_HALF)],
    connectionError("PROTOCOL_ERROR"),
  ],
  [
    "CONTINUATION of the connection",
    [head(1, FIRST_HALF, 0), continuation(0, SECOND_HALF)],
    connectionError("PROTOCOL_ERROR"),
  ],
  ["CONTINUATION after END_HEADERS", [head(1), continuation(1, SECOND_HALF)], connectionError("PROTOCOL_ERROR")],
  ["CONTINUATION of an idle stream", [continuation(1, CHECK_BLOCK)], connectionError("PROTOCOL_ERROR")],
];

const CLOSED = "STREAM_CLOSED";
const streams: readonly Http2Case[] = [
  ["DATA on an idle stream", [lastData(1, BODY)], connectionError("PROTOCOL_ERROR")],
  ["RST_STREAM on an idle stream", [resetStream(1)], connectionError("PROTOCOL_ERROR")],
  ["WINDOW_UPDATE on an idle stream", [windowUpdate(1, 1)], connectionError("PROTOCOL_ERROR")],
  ["PRIORITY on an idle stream is passed over", [priority(1, 0)], ignored],
  ["DATA on a stream of the server's numbers", [lastData(2, BODY)], connectionError("PROTOCOL_ERROR")],
  ["HEADERS on a stream of the server's numbers", [head(2)], connectionError("PROTOCOL_ERROR")],
  ["HEADERS on the connection", [head(0)], connectionError("PROTOCOL_ERROR")],
  [
    "a stream number that has been passed over",
    [check(5), answered(5), head(3)],
    connectionError("PROTOCOL_ERROR", CLOSED),
  ],
  ["stream numbers may leave gaps", [check(1), check(7), check(99)], echoes([1, 7, 99])],
  ["streams are answered side by side", [head(1), head(3), lastData(3, BODY), lastData(1, BODY)], echoes([3, 1])],
  ["DATA after END_STREAM, before the answer", [check(1, WAIT), data(1, BODY)], streamError(1, CLOSED)],
  ["HEADERS after END_STREAM, before the answer", [check(1, WAIT), head(1)], streamError(1, CLOSED)],
  [
    "CONTINUATION after END_STREAM",
    [check(1, WAIT), continuation(1, CHECK_BLOCK)],
    connectionError("PROTOCOL_ERROR", CLOSED),
  ],
  [
    "PRIORITY, WINDOW_UPDATE and RST_STREAM after END_STREAM are taken",
    [check(1, WAIT), priority(1, 0), windowUpdate(1, 10), resetStream(1)],
    ignored,
  ],
  ["a reset stream takes no DATA", [head(1), resetStream(1), data(1, BODY)], streamError(1, CLOSED)],
  ["a reset stream takes no HEADERS", [head(1), resetStream(1), head(1)], connectionError(CLOSED)],
  [
    "a reset stream may be reset and given windows again",
    [head(1), resetStream(1), resetStream(1), windowUpdate(1, 5), priority(1, 0)],
    ignored,
  ],
  ["an answered stream takes no DATA", [check(1), answered(1), data(1, BODY)], streamError(1, CLOSED)],
  ["an answered stream takes no HEADERS", [check(1), answered(1), head(1)], connectionError(CLOSED)],
  [
    "an answered stream takes no CONTINUATION",
    [check(1), answered(1), continuation(1, CHECK_BLOCK)],
    connectionError("PROTOCOL_ERROR", CLOSED),
  ],
  [
    "an answered stream may be reset, given windows and a priority",
    [check(1), answered(1), resetStream(1), windowUpdate(1, 5), priority(1, 0)],
    echoes([1]),
  ],
  [
    "a stream that depends on itself, in HEADERS",
    [frame(FRAME.HEADERS, END_HEADERS | WITH_PRIORITY, 1, Buffer.concat([uint32(1), Buffer.from([15]), CHECK_BLOCK]))],
    streamError(1, "PROTOCOL_ERROR"),
  ],
  ["a stream that depends on itself, in PRIORITY", [head(1), priority(1, 1)], streamError(1, "PROTOCOL_ERROR")],
  [
    "HEADERS with a priority, exclusive, on a stream yet unknown",
    [
      frame(
        FRAME.HEADERS,
        END_HEADERS | WITH_PRIORITY,
        1,
        Buffer.concat([uint32(0x8000_0063), Buffer.from([255]), CHECK_BLOCK]),
      ),
      lastData(1, BODY),
    ],
    echoes([1]),
  ],
];

const frameTypes: readonly Http2Case[] = [
  ["DATA on the connection", [data(0, BODY)], connectionError("PROTOCOL_ERROR")],
  ["DATA with padding", [head(1), data(1, padded(BODY, 200), END_STREAM | PADDED)], echoes([1])],
  [
    "DATA of nothing but padding",
    [head(1), data(1, padded(Buffer.alloc(0), 255), PADDED), lastData(1, BODY)],
    echoes([1]),
  ],
  [
    "DATA whose padding is as long as it",
    [head(1), data(1, Buffer.from([5, 0, 0, 0, 0]), PADDED)],
    connectionError("PROTOCOL_ERROR"),
  ],
  [
    "DATA too short for the length of its padding",
    [head(1), data(1, Buffer.alloc(0), PADDED)],
    connectionError("FRAME_SIZE_ERROR", "PROTOCOL_ERROR"),
  ],
  [
    "empty DATA before, within and after the message",
    [
      head(1),
      data(1, Buffer.alloc(0)),
      data(1, BODY.subarray(0, 3)),
      data(1, Buffer.alloc(0)),
      data(1, BODY.subarray(3)),
      data(1, Buffer.alloc(0), END_STREAM),
    ],
    echoes([1]),
  ],
  [
    "one byte in each DATA",
    [head(1), repeat(BODY.length, (at) => data(1, BODY.subarray(at, at + 1), at === BODY.length - 1 ? END_STREAM : 0))],
    echoes([1]),
  ],
  ["HEADERS with padding", [head(1, padded(CHECK_BLOCK, 77), END_HEADERS | PADDED), lastData(1, BODY)], echoes([1])],
  [
    "HEADERS with padding and a priority",
    [
      head(
        1,
        Buffer.concat([Buffer.from([3]), PRIORITY_FIELDS, CHECK_BLOCK, Buffer.alloc(3)]),
        END_HEADERS | PADDED | WITH_PRIORITY,
      ),
      lastData(1, BODY),
    ],
    echoes([1]),
  ],
  [
    "HEADERS whose padding is as long as they",
    [head(1, Buffer.from([4, 0, 0, 0]), END_HEADERS | PADDED)],
    connectionError("PROTOCOL_ERROR"),
  ],
  [
    "HEADERS too short for their priority",
    [head(1, Buffer.from([0, 0]), END_HEADERS | WITH_PRIORITY)],
    connectionError("FRAME_SIZE_ERROR", "PROTOCOL_ERROR"),
  ],
  ["PRIORITY on the connection", [priority(0, 1)], connectionError("PROTOCOL_ERROR")],
  [
    "PRIORITY of four bytes",
    [head(1), frame(FRAME.PRIORITY, 0, 1, Buffer.alloc(4))],
    streamError(1, "FRAME_SIZE_ERROR"),
  ],
  ["RST_STREAM on the connection", [resetStream(0)], connectionError("PROTOCOL_ERROR")],
  [
    "RST_STREAM of three bytes",
    [head(1), frame(FRAME.RST_STREAM, 0, 1, Buffer.alloc(3))],
    connectionError("FRAME_SIZE_ERROR"),
  ],
  ["SETTINGS on a stream", [frame(FRAME.SETTINGS, 0, 1)], connectionError("PROTOCOL_ERROR")],
  ["SETTINGS of three bytes", [frame(FRAME.SETTINGS, 0, 0, Buffer.alloc(3))], connectionError("FRAME_SIZE_ERROR")],
  [
    "an acknowledgement with settings",
    [frame(FRAME.SETTINGS, ACK, 0, Buffer.alloc(6))],
    connectionError("FRAME_SIZE_ERROR"),
  ],
  ["an acknowledgement of nothing", [frame(FRAME.SETTINGS, ACK, 0)], ignored],
  ["an unknown setting is passed over", [settings([0x99, 1], [0, 7])], ignored],
  ["ENABLE_PUSH of 2", [settings([SETTING.ENABLE_PUSH, 2])], connectionError("PROTOCOL_ERROR")],
  [
    "INITIAL_WINDOW_SIZE of 2^31",
    [settings([SETTING.INITIAL_WINDOW_SIZE, 2 ** 31])],
    connectionError("FLOW_CONTROL_ERROR"),
  ],
  ["MAX_FRAME_SIZE of 16,383", [settings([SETTING.MAX_FRAME_SIZE, 16_383])], connectionError("PROTOCOL_ERROR")],
  ["MAX_FRAME_SIZE of 2^24", [settings([SETTING.MAX_FRAME_SIZE, 2 ** 24])], connectionError("PROTOCOL_ERROR")],
  [
    "settings at the ends of their ranges",
    [
      settings([SETTING.ENABLE_PUSH, 0], [SETTING.ENABLE_PUSH, 1], [SETTING.MAX_FRAME_SIZE, 2 ** 24 - 1]),
      settings([SETTING.INITIAL_WINDOW_SIZE, 2 ** 31 - 1], [SETTING.MAX_FRAME_SIZE, 16_384]),
      settings([SETTING.HEADER_TABLE_SIZE, 2 ** 32 - 1], [SETTING.MAX_HEADER_LIST_SIZE, 2 ** 32 - 1]),
      settings([SETTING.MAX_CONCURRENT_STREAMS, 0]),
    ],
    ignored,
  ],
  [
    "of equal settings the last counts",
    [settings([SETTING.INITIAL_WINDOW_SIZE, 0], [SETTING.INITIAL_WINDOW_SIZE, 100]), check(1)],
    echoes([1]),
  ],
  [
    "PUSH_PROMISE from a client",
    [head(1), frame(FRAME.PUSH_PROMISE, END_HEADERS, 1, Buffer.concat([uint32(2), CHECK_BLOCK]))],
    connectionError("PROTOCOL_ERROR"),
  ],
  ["PING on a stream", [frame(FRAME.PING, 0, 1, Buffer.alloc(8))], connectionError("PROTOCOL_ERROR")],
  ["PING of seven bytes", [frame(FRAME.PING, 0, 0, Buffer.alloc(7))], connectionError("FRAME_SIZE_ERROR")],
  ["GOAWAY on a stream", [frame(FRAME.GOAWAY, 0, 1, Buffer.alloc(8))], connectionError("PROTOCOL_ERROR")],
  ["GOAWAY of seven bytes", [frame(FRAME.GOAWAY, 0, 0, Buffer.alloc(7))], connectionError("FRAME_SIZE_ERROR")],
  [
    "WINDOW_UPDATE of three bytes",
    [frame(FRAME.WINDOW_UPDATE, 0, 0, Buffer.alloc(3))],
    connectionError("FRAME_SIZE_ERROR"),
  ],
  [
    "WINDOW_UPDATE of five bytes on a stream",
    [head(1), frame(FRAME.WINDOW_UPDATE, 0, 1, Buffer.alloc(5))],
    connectionError("FRAME_SIZE_ERROR"),
  ],
];

const ZERO_WINDOW = settings([SETTING.INITIAL_WINDOW_SIZE, 0]);
const noData = (stream: number) => async (peer: RawPeer) => {
  await peer.frame("response headers", (seen) => seen.type === FRAME.HEADERS && seen.stream === stream);
  await peer.settled();
  assert.ok(!peer.frames.some((seen) => seen.type === FRAME.DATA && seen.stream === stream), "DATA beyond the window");
};
const large = (size: number, look: (sizes: readonly number[]) => void) => async (peer: RawPeer) => {
  const answer = await peer.answer(1);
  assert.deepEqual(answer.data, grpcMessage(Buffer.alloc(size, 0x61)));
  assert.equal(answer.blocks[1]?.["grpc-status"], "0");
  look(peer.frames.filter((seen) => seen.type === FRAME.DATA).map((seen) => seen.payload.length));
};
const surviving = (look: (peer: RawPeer) => Promise<void>) => ({ survives: true, look });

const sum = (peer: RawPeer): number =>
  peer.frames.filter((seen) => seen.type === FRAME.DATA).reduce((all, seen) => all + seen.payload.length, 0);
const given = (peer: RawPeer, stream: number): number =>
  peer.frames
    .filter((seen) => seen.type === FRAME.WINDOW_UPDATE && seen.stream === stream)
    .reduce((all, seen) => all + seen.payload.readUInt32BE(0), 0);
/** Frames of one byte of a message of zeros, each with the most padding: 257 bytes that count. */
const paddedBytes = (count: number): Buffer => repeat(count, () => data(1, padded(Buffer.alloc(1), 255), PADDED));

const windows: readonly Http2Case[] = [
  ["WINDOW_UPDATE of 0 on the connection", [windowUpdate(0, 0)], connectionError("PROTOCOL_ERROR")],
  ["WINDOW_UPDATE of 0 on a stream", [head(1), windowUpdate(1, 0)], streamError(1, "PROTOCOL_ERROR")],
  [
    "a connection's window beyond 2^31 - 1",
    [windowUpdate(0, 2 ** 31 - 1), windowUpdate(0, 2 ** 31 - 1)],
    connectionError("FLOW_CONTROL_ERROR"),
  ],
  [
    "a stream's window beyond 2^31 - 1",
    [head(1), windowUpdate(1, 2 ** 31 - 1), windowUpdate(1, 2 ** 31 - 1)],
    streamError(1, "FLOW_CONTROL_ERROR"),
  ],
  [
    "a stream's window beyond 2^31 - 1 through SETTINGS",
    [head(1), windowUpdate(1, 2 ** 31 - 1 - 65_535), settings([SETTING.INITIAL_WINDOW_SIZE, 65_536])],
    connectionError("FLOW_CONTROL_ERROR"),
  ],
  ["the reserved bit of a window's increment means nothing", [windowUpdate(0, 0x8000_0001)], ignored],
  [
    "no DATA while the stream's window is empty, and one byte for one byte",
    [
      ZERO_WINDOW,
      check(1),
      noData(1),
      ...BODY.toJSON().data.flatMap((_, at) => [
        windowUpdate(1, 1),
        (peer: RawPeer) =>
          peer.frame(`byte ${at}`, () => peer.frames.filter((seen) => seen.type === FRAME.DATA).length > at),
      ]),
    ],
    surviving(async (peer) => {
      assertEcho(await peer.answer(1));
      const sizes = peer.frames.filter((seen) => seen.type === FRAME.DATA && seen.payload.length > 0);
      assert.deepEqual(
        sizes.map((seen) => seen.payload.length),
        BODY.toJSON().data.map(() => 1),
      );
      // The check that ends the row has a stream of its own, with a window of its own.
      peer.send(settings([SETTING.INITIAL_WINDOW_SIZE, 65_535]));
    }),
  ],
  [
    "a window that SETTINGS open again",
    [ZERO_WINDOW, check(1), noData(1), settings([SETTING.INITIAL_WINDOW_SIZE, 100])],
    echoes([1]),
  ],
  [
    "a window that SETTINGS make negative has to be filled before DATA goes on",
    [
      settings([SETTING.INITIAL_WINDOW_SIZE, 5]),
      check(1, answerOf(20)),
      (peer) => peer.frame("five bytes", (seen) => seen.type === FRAME.DATA && seen.payload.length === 5),
      settings([SETTING.INITIAL_WINDOW_SIZE, 2]),
      windowUpdate(1, 3),
      settled,
      async (peer) => assert.equal(peer.frames.filter((seen) => seen.type === FRAME.DATA).length, 1),
      windowUpdate(1, 20),
    ],
    surviving(async (peer) => {
      await large(20, (sizes) =>
        assert.deepEqual(
          sizes.filter((size) => size > 0),
          [5, 20],
        ),
      )(peer);
      peer.send(settings([SETTING.INITIAL_WINDOW_SIZE, 65_535]));
    }),
  ],
  [
    "an answer larger than both windows goes on as they open",
    [
      check(1, answerOf(100_000)),
      (peer) => peer.frame("65,535 bytes", () => sum(peer) === 65_535),
      windowUpdate(1, 10_000),
      settled,
      async (peer) => assert.equal(sum(peer), 65_535, "the connection's window is empty"),
      windowUpdate(0, 10_000),
      (peer) => peer.frame("75,535 bytes", () => sum(peer) === 75_535),
      windowUpdate(0, 1_000_000),
      settled,
      async (peer) => assert.equal(sum(peer), 75_535, "the stream's window is empty"),
      windowUpdate(1, 1_000_000),
    ],
    surviving(large(100_000, (sizes) => assert.ok(Math.max(...sizes) <= 16_384, "frames of at most 16,384 bytes"))),
  ],
  [
    "frames as large as the peer's MAX_FRAME_SIZE, and no larger",
    [
      settings([SETTING.MAX_FRAME_SIZE, 20_000], [SETTING.INITIAL_WINDOW_SIZE, 1_000_000]),
      windowUpdate(0, 1_000_000),
      check(1, answerOf(100_000)),
    ],
    surviving(large(100_000, (sizes) => assert.ok(Math.max(...sizes) <= 20_000))),
  ],
  [
    "a stream that is reset while its answer waits",
    [ZERO_WINDOW, check(1), noData(1), resetStream(1), settings([SETTING.INITIAL_WINDOW_SIZE, 65_535])],
    surviving(settled),
  ],
  [
    "answers that wait for the connection's window leave in order and whole",
    [
      settings([SETTING.INITIAL_WINDOW_SIZE, 1_000_000]),
      repeat(5, (at) => check(2 * at + 1, answerOf(30_000))),
      (peer) => peer.frame("65,535 bytes", () => sum(peer) === 65_535),
      windowUpdate(0, 1_000_000),
    ],
    surviving(async (peer) => {
      for (const stream of [1, 3, 5, 7, 9]) assertEcho(await peer.answer(stream), Buffer.alloc(30_000, 0x61));
    }),
  ],
  [
    "more DATA than the stream's window",
    [
      head(1),
      repeat(4, (at) =>
        data(1, at === 0 ? grpcMessage(Buffer.alloc(65_530)).subarray(0, 16_384) : Buffer.alloc(16_384)),
      ),
    ],
    streamError(1, "FLOW_CONTROL_ERROR"),
  ],
  [
    "a message larger than the first window is let in by its length prefix",
    [
      head(1),
      data(1, grpcMessage(Buffer.alloc(200_000)).subarray(0, 16_384)),
      (peer) =>
        peer.frame("a WINDOW_UPDATE of the stream", (seen) => seen.type === FRAME.WINDOW_UPDATE && seen.stream === 1),
      repeat(11, () => data(1, Buffer.alloc(16_384))),
      lastData(1, Buffer.alloc(200_005 - 12 * 16_384)),
    ],
    surviving(async (peer) => {
      peer.send(windowUpdate(0, 1_000_000), windowUpdate(1, 1_000_000));
      assertEcho(await peer.answer(1), Buffer.alloc(200_000));
    }),
  ],
  [
    "padding counts for the windows, and is given back",
    [
      head(1),
      data(1, grpcMessage(Buffer.alloc(400)).subarray(0, 5)),
      paddedBytes(250),
      settled,
      async (peer) => assert.ok(given(peer, 1) + 65_535 - 250 * 257 > 150 * 257, "the stream's window"),
      paddedBytes(150),
      data(1, Buffer.alloc(0), END_STREAM),
    ],
    echoes([1], Buffer.alloc(400)),
  ],
  [
    "DATA on closed streams is given back to the connection's window",
    [
      ...Array.from({ length: 20 }, (_, at) => [
        head(2 * at + 1),
        resetStream(2 * at + 1),
        repeat(4, () => data(2 * at + 1, Buffer.alloc(16_383))),
        settled,
      ]).flat(),
    ],
    surviving(async (peer) => {
      assert.ok(65_535 + given(peer, 0) - 20 * 4 * 16_383 > 500_000, `${given(peer, 0)}`);
    }),
  ],
];

describe("HTTP/2 frames and streams", () => {
  for (const tls of [false, true]) {
    test(tls ? "behind TLS" : "in cleartext", async (t) => {
      const server = await openLineRate(t, tls ? { accept: { tls: await loadTestMaterial(t) } } : {});
      for (const [name, cases] of Object.entries({ frames, headerBlocks, streams, frameTypes, windows })) {
        await t.test(name, (inner) => runCases(inner, server, cases, tls));
      }
    });
  }
});

describe("the connection preface", () => {
  const cases: readonly (readonly [name: string, first: Uint8Array, outcome: Outcome])[] = [
    ["a request of HTTP/1.1", Buffer.from("GET / HTTP/1.1\r\nhost: pdp\r\n\r\n"), closes],
    [
      "an upgrade to h2c",
      Buffer.from(
        "POST / HTTP/1.1\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n",
      ),
      closes,
    ],
    ["noise", Buffer.alloc(4096, 0xa5), closes],
    ["one byte that is another", Buffer.concat([MAGIC.subarray(0, 23), Buffer.from("x"), settings()]), closes],
    ["one wrong byte and no more", Buffer.from("Q"), closes],
    ["PING before SETTINGS", Buffer.concat([MAGIC, ping(), settings()]), connectionError("PROTOCOL_ERROR")],
    ["HEADERS before SETTINGS", Buffer.concat([MAGIC, head(1)]), connectionError("PROTOCOL_ERROR")],
    [
      "an acknowledgement before SETTINGS",
      Buffer.concat([MAGIC, frame(FRAME.SETTINGS, ACK, 0)]),
      connectionError("PROTOCOL_ERROR"),
    ],
    [
      "the preface twice",
      Buffer.concat([MAGIC, settings(), MAGIC]),
      connectionError("FRAME_SIZE_ERROR", "PROTOCOL_ERROR"),
    ],
    ["the preface and a check in one", Buffer.concat([MAGIC, settings(), check(1)]), echoes([1])],
  ];
  for (const [name, first, outcome] of cases) {
    it(`${outcome.survives ? "is taken" : "ends the connection"}: ${name}`, async (t) => {
      const { dial, faults } = await openLineRate(t);
      await outcome.look(dial({ first }));
      assert.deepEqual(faults, []);
    });
  }

  it("is answered with SETTINGS first, which announce the limits, and with an acknowledgement", async (t) => {
    const limits = { maxConcurrentStreams: 77, maxHeaderListBytes: 12_345, maxHeaderTableBytes: 1024 };
    const peer = (await openLineRate(t, { limits })).dial();
    await peer.settled();
    const [first] = peer.frames;
    assert.deepEqual([first?.type, first?.flags, first?.stream], [FRAME.SETTINGS, 0, 0]);
    const announced = new Map<number, number>();
    for (let at = 0; at < (first?.payload.length ?? 0); at += 6) {
      announced.set(first?.payload.readUInt16BE(at) ?? 0, first?.payload.readUInt32BE(at + 2) ?? 0);
    }
    assert.equal(announced.get(SETTING.MAX_CONCURRENT_STREAMS), 77);
    assert.equal(announced.get(SETTING.MAX_HEADER_LIST_SIZE), 12_345);
    assert.equal(announced.get(SETTING.HEADER_TABLE_SIZE), 1024);
    assert.notEqual(announced.get(SETTING.ENABLE_PUSH), 1);
    const acks = peer.frames.filter((seen) => seen.type === FRAME.SETTINGS && (seen.flags & ACK) !== 0);
    assert.deepEqual(
      acks.map((seen) => seen.payload.length),
      [0],
    );
  });

  it("may come byte by byte, and so may all that follows", async (t) => {
    const peer = (await openLineRate(t)).dial({ first: Buffer.alloc(0) });
    const bytes = Buffer.concat([MAGIC, settings(), check(1), ping(), check(3)]);
    // Each byte is a write of its own, and the next one waits until it has left.
    for (const byte of bytes) await new Promise((resolve) => peer.socket.write(Buffer.from([byte]), resolve));
    assertEcho(await peer.answer(1));
    assertEcho(await peer.answer(3));
  });
});

describe("PING and GOAWAY", () => {
  it("answers PING with its eight bytes, and an answer with nothing", async (t) => {
    const peer = (await openLineRate(t)).dial();
    peer.send(ping(Buffer.from("\x00\x01h2spec")), ping(Buffer.from("anything"), ACK));
    await peer.settled();
    const answers = peer.frames
      .filter((seen) => seen.type === FRAME.PING)
      .map((seen) => seen.payload.toString("latin1"));
    assert.equal(answers.length, 2);
    assert.equal(answers[0], "\x00\x01h2spec");
  });

  it("answers what is open when the peer says GOAWAY", async (t) => {
    const peer = (await openLineRate(t)).dial();
    peer.send(head(1), goaway(0), lastData(1, BODY));
    assertEcho(await peer.answer(1));
  });

  it("names the last stream that it has worked on", async (t) => {
    const peer = (await openLineRate(t)).dial();
    peer.send(check(1), check(3), ping(Buffer.alloc(7)));
    await peer.closed;
    const last = peer.frames.findLast((seen) => seen.type === FRAME.GOAWAY);
    assert.equal(last?.payload.readUInt32BE(0), 3);
    assertEcho(await peer.answer(3));
  });
});
