import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { frame, headerBlock, PREFACE } from "../../../support/h2-frames.ts";
import {
  createConversation,
  data,
  headers,
  parseFrames,
  RESPONSE_HEADERS,
  RESPONSE_TRAILERS,
  settings,
  words,
} from "../../../support/http2-conversation.ts";

const END_STREAM = 1;
const EMPTY = Buffer.alloc(0);

/** Everything that a batch can hold: requests whole and in parts, padding, CONTINUATION, resets, errors of streams. */
const CONVERSATION = Buffer.concat([
  PREFACE,
  frame(4, 0, 0, settings([4, 100_000])),
  headers(1, 0),
  data(1, 300, END_STREAM),
  frame(1, 0, 3, headerBlock("/a.B/C").subarray(0, 5)),
  frame(9, 0, 3, EMPTY),
  frame(9, 4, 3, headerBlock("/a.B/C").subarray(5)),
  data(3, 10),
  headers(5, END_STREAM),
  frame(0, 9, 3, Buffer.concat([Buffer.of(4), Buffer.alloc(20)])),
  frame(6, 0, 0, Buffer.from("12345678")),
  headers(7, 0),
  frame(3, 0, 7, words(8)),
  headers(9, 0),
  headers(9, 0),
  data(9, 5),
  frame(8, 0, 0, words(1000)),
  frame(0x77, 1, 1, Buffer.alloc(3)),
]);

describe("a batch", () => {
  it("is answered in one write", () => {
    const peer = createConversation({ echo: true });
    peer.send(headers(1, 0), data(1, 40, END_STREAM), headers(3, 0), data(3, 7, END_STREAM));
    assert.equal(peer.writes, 1);
    assert.deepEqual(peer.said(), [
      "HEADERS 1",
      "DATA 1 45",
      "HEADERS 1 END_STREAM",
      "HEADERS 3",
      "DATA 3 12",
      "HEADERS 3 END_STREAM",
    ]);
    assert.equal(peer.connection.openStreams, 0);
  });

  it("gives the same conversation wherever it is cut", () => {
    const whole = createConversation({ echo: true, greet: false });
    whole.send(CONVERSATION);
    const said = whole.said();
    assert.ok(said.includes("RST_STREAM 9 PROTOCOL_ERROR"));
    const bodies = whole.requests.map(({ body }) => Buffer.concat(body).toString());
    for (let at = 0; at <= CONVERSATION.length; at++) {
      const peer = createConversation({ echo: true, greet: false });
      peer.send(CONVERSATION.subarray(0, at));
      peer.send(CONVERSATION.subarray(at));
      assert.deepEqual(peer.said(), said, `cut at ${at}`);
      assert.deepEqual(
        peer.requests.map(({ body }) => Buffer.concat(body).toString()),
        bodies,
      );
    }
  });

  it("gives the same conversation octet by octet", () => {
    const whole = createConversation({ echo: true, greet: false });
    whole.send(CONVERSATION);
    const peer = createConversation({ echo: true, greet: false });
    for (const octet of CONVERSATION) peer.send(Buffer.of(octet));
    assert.deepEqual(peer.said(), whole.said());
    assert.equal(peer.counts.unfinishedBytes, 0);
  });

  it("hands a body over without a copy where it ends its request, and as a copy where it may be kept beside much else", () => {
    const peer = createConversation();
    const chunk = Buffer.concat([headers(1, 0), data(1, 8, END_STREAM), headers(3, 0), data(3, 8)]);
    peer.connection.receive(chunk);
    chunk.fill(0x7a);
    const [whole, part] = peer.requests.map(({ body }) => body.toString());
    assert.equal(whole, "zzzzzzzz");
    assert.equal(part, "aaaaaaaa");
  });
});

describe("an answer out of turn", () => {
  it("leaves at the end of the turn, with all others of that turn, in one write", async () => {
    const peer = createConversation();
    peer.send(headers(1, END_STREAM), headers(3, END_STREAM));
    for (const { stream } of peer.requests) stream.reply(RESPONSE_HEADERS, Buffer.of(1), RESPONSE_TRAILERS);
    assert.equal(peer.writes, 0);
    await peer.turn();
    assert.equal(peer.writes, 1);
    assert.equal(peer.said().length, 6);
  });

  it("holds the gRPC prefix, the message and the blocks as they were given", async () => {
    const peer = createConversation();
    peer.send(headers(1, END_STREAM));
    const message = Buffer.from("a message");
    peer.requests[0]?.stream.reply(RESPONSE_HEADERS, message, RESPONSE_TRAILERS);
    message.fill(0);
    await peer.turn();
    const [head, body, trailers] = peer.frames();
    assert.deepEqual(head?.payload, RESPONSE_HEADERS);
    assert.deepEqual(body?.payload, Buffer.concat([Buffer.of(0, 0, 0, 0, 9), Buffer.from("a message")]));
    assert.deepEqual(trailers?.payload, RESPONSE_TRAILERS);
  });

  it("is dropped when the stream has ended", async () => {
    const peer = createConversation();
    peer.send(headers(1, 0), frame(3, 0, 1, words(8)));
    const stream = peer.requests[0]?.stream;
    assert.equal(stream?.isOpen, false);
    stream?.reply(RESPONSE_HEADERS, EMPTY, RESPONSE_TRAILERS);
    stream?.sendHeaders(RESPONSE_HEADERS, false);
    assert.equal(stream?.sendData(Buffer.of(1), true), true);
    stream?.reset(8);
    stream?.grant(1);
    await peer.turn();
    assert.deepEqual(peer.said(), []);
    assert.deepEqual(peer.requests[0]?.events, ["reset"]);
  });

  it("is given once: what follows the end of an answer does nothing", async () => {
    const peer = createConversation();
    peer.send(headers(1, END_STREAM));
    const stream = peer.requests[0]?.stream;
    stream?.sendHeaders(RESPONSE_HEADERS, true);
    stream?.sendHeaders(RESPONSE_HEADERS, true);
    stream?.sendData(Buffer.of(1), false);
    await peer.turn();
    assert.deepEqual(peer.said(), ["HEADERS 1 END_STREAM"]);
  });
});

describe("streams", () => {
  it("are reset without an error when they are answered before their request has ended, and what still comes is ignored", async () => {
    const peer = createConversation();
    peer.send(headers(1, 0));
    peer.requests[0]?.stream.sendHeaders(RESPONSE_HEADERS, true);
    await peer.turn();
    assert.deepEqual(peer.said(), ["HEADERS 1 END_STREAM", "RST_STREAM 1 NO_ERROR"]);
    peer.send(data(1, 100), data(1, 0, END_STREAM), headers(1, 1, EMPTY), headers(3, 1));
    assert.deepEqual(peer.said(), []);
    assert.deepEqual(peer.requests[0]?.events, []);
    assert.equal(peer.requests.length, 2);
  });

  it("that were answered take no DATA and no HEADERS", () => {
    for (const [late, said] of [
      [data(1, 1), "RST_STREAM 1 STREAM_CLOSED"],
      [headers(1, 1), "GOAWAY 1 STREAM_CLOSED"],
    ] as const) {
      const peer = createConversation({ echo: true });
      peer.send(headers(1, END_STREAM));
      peer.said();
      peer.send(late);
      assert.deepEqual(peer.said(), [said]);
    }
  });

  it("may be reset by their answerer", async () => {
    const peer = createConversation();
    peer.send(headers(1, 0));
    peer.requests[0]?.stream.reset(2);
    await peer.turn();
    assert.deepEqual(peer.said(), ["RST_STREAM 1 INTERNAL_ERROR"]);
    assert.deepEqual(peer.requests[0]?.events, []);
    assert.equal(peer.connection.openStreams, 0);
  });

  it("are refused beyond the limit, which is no offence before the peer knows it", () => {
    const peer = createConversation({ limits: { maxConcurrentStreams: 2, maxResetsPerSecond: 1 } });
    peer.send(headers(1, 0), headers(3, 0), headers(5, 0), headers(7, 0), headers(9, 0));
    assert.deepEqual(
      peer.said(),
      [5, 7, 9].map((id) => `RST_STREAM ${id} REFUSED_STREAM`),
    );
    assert.equal(peer.requests.length, 2);
    peer.send(frame(4, 1, 0, EMPTY), headers(11, 0), headers(13, 0));
    assert.deepEqual(peer.said(), [
      "RST_STREAM 11 REFUSED_STREAM",
      "RST_STREAM 13 REFUSED_STREAM",
      "GOAWAY 13 ENHANCE_YOUR_CALM",
    ]);
    assert.equal(peer.counts.streamRefusals.concurrent_streams, 5);
    assert.equal(peer.counts.connectionEnds.reset_flood, 1);
  });

  it("with too large a header list are refused, and the table stays in step", () => {
    const peer = createConversation({ limits: { maxHeaderListBytes: 300 } });
    const large = Buffer.concat([headerBlock("/a.B/C"), Buffer.from([0x40, 1, 0x61, 100]), Buffer.alloc(100, 0x62)]);
    peer.send(headers(1, 1, large));
    assert.deepEqual(peer.said(), ["RST_STREAM 1 ENHANCE_YOUR_CALM"]);
    assert.equal(peer.counts.streamRefusals.header_list, 1);
    // Index 62: what the refused block has added.
    peer.send(headers(3, 1, Buffer.concat([Buffer.of(0x83, 0x86, 0x84), Buffer.of(0xbe)])));
    assert.deepEqual(peer.requests[0]?.fields.at(-1), ["a", "b".repeat(100)]);
  });

  it("leave nothing behind", () => {
    const peer = createConversation({ echo: true });
    for (let id = 1; id < 4001; id += 2) {
      peer.send(headers(id, 0), data(id, 20));
      peer.send(data(id, 20, END_STREAM), frame(8, 0, 0, words(45)));
    }
    assert.equal(peer.connection.openStreams, 0);
    assert.equal(peer.counts.unfinishedBytes, 0);
    assert.equal(peer.frames().filter(({ type }) => type === 0).length, 2000);
  });

  const lengths: [name: string, announced: string, sent: Buffer[], isFine: boolean][] = [
    ["as announced", "7", [data(1, 3), data(1, 4, END_STREAM)], true],
    ["as announced, with an empty end", "7", [data(1, 7), data(1, 0, END_STREAM)], true],
    ["as announced, with trailers", "7", [data(1, 7), headers(1, 1, EMPTY)], true],
    ["shorter", "7", [data(1, 6, END_STREAM)], false],
    ["shorter, with trailers", "7", [data(1, 6), headers(1, 1, EMPTY)], false],
    ["longer", "7", [data(1, 8)], false],
    ["longer at the end", "7", [data(1, 7), data(1, 1, END_STREAM)], false],
    ["padded", "1", [frame(0, 9, 1, Buffer.of(1, 0x61, 0))], true],
    ["nothing, as announced", "0", [data(1, 0, END_STREAM)], true],
  ];
  for (const [name, announced, sent, isFine] of lengths) {
    it(`with a content-length: a body ${name} is ${isFine ? "taken" : "malformed"}`, () => {
      const peer = createConversation();
      const line = Buffer.concat([Buffer.from([0x0f, 13, announced.length]), Buffer.from(announced)]);
      peer.send(headers(1, 0, Buffer.concat([headerBlock("/a.B/C"), line])), ...sent);
      assert.deepEqual(peer.said(), isFine ? [] : ["RST_STREAM 1 PROTOCOL_ERROR"]);
      if (isFine) assert.equal(peer.requests[0]?.events.at(-1), "end");
    });
  }

  it("that end with their headers cannot announce a body", () => {
    const peer = createConversation();
    peer.send(headers(1, 1, Buffer.concat([headerBlock("/a.B/C"), Buffer.from([0x0f, 13, 1, 0x35])])));
    assert.deepEqual(peer.said(), ["RST_STREAM 1 PROTOCOL_ERROR"]);
  });
});

describe("the peer's HPACK table", () => {
  it("is confirmed as empty, once, before the next block after it was lowered", () => {
    const peer = createConversation({ echo: true });
    peer.send(frame(4, 0, 0, settings([1, 0])), headers(1, 1), headers(3, 1), frame(4, 0, 0, settings([1, 100])));
    peer.send(headers(5, 1));
    const blocks = peer.frames().filter(({ type }) => type === 1);
    assert.deepEqual(
      blocks.map(({ payload }) => payload[0] === 0x20),
      [true, false, false, false, false, false],
    );
    assert.deepEqual(blocks[0]?.payload.subarray(1), RESPONSE_HEADERS);
  });
});

describe("long header blocks", () => {
  it("of ours go on in CONTINUATION", async () => {
    const peer = createConversation();
    peer.send(headers(1, END_STREAM));
    const block = Buffer.alloc(40_000, 0x88);
    peer.requests[0]?.stream.sendHeaders(block, true);
    await peer.turn();
    const frames = peer.frames();
    assert.deepEqual(
      frames.map(({ type, flags, payload }) => [type, flags, payload.length]),
      [
        [1, 1, 16_384],
        [9, 0, 16_384],
        [9, 4, 7232],
      ],
    );
    assert.deepEqual(Buffer.concat(frames.map(({ payload }) => payload)), block);
  });
});

describe("parseFrames", () => {
  it("sees that a frame is cut", () => {
    assert.throws(() => parseFrames(frame(6, 0, 0, Buffer.alloc(8)).subarray(0, 12)), /cut at 0/);
  });
});
