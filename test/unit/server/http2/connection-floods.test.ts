import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createHttp2Counts } from "../../../../src/server/http2/counts.ts";
import { createUnfinishedBytes } from "../../../../src/server/http2/unfinished-bytes.ts";
import { frame, headerBlock, literal } from "../../../support/h2-frames.ts";
import {
  type Conversation,
  type ConversationOptions,
  createConversation,
  data,
  headers,
  settings,
  words,
} from "../../../support/http2-conversation.ts";

const END_STREAM = 1;
const EMPTY = Buffer.alloc(0);
const CALM = /^GOAWAY \d+ ENHANCE_YOUR_CALM$/;

const CONTROL: readonly (readonly [name: string, sent: Buffer])[] = [
  ["PING", frame(6, 0, 0, Buffer.alloc(8))],
  ["PING ACK", frame(6, 1, 0, Buffer.alloc(8))],
  ["SETTINGS", frame(4, 0, 0, EMPTY)],
  ["SETTINGS ACK", frame(4, 1, 0, EMPTY)],
  ["PRIORITY", frame(2, 0, 99, Buffer.alloc(5))],
  ["an unknown frame", frame(0x33, 0, 0, EMPTY)],
  ["GOAWAY", frame(7, 0, 0, words(0, 0))],
  ["WINDOW_UPDATE of the connection", frame(8, 0, 0, words(1))],
  ["WINDOW_UPDATE of a stream", frame(8, 0, 1, words(1))],
  ["empty DATA", frame(0, 0, 1, EMPTY)],
  ["DATA of padding", frame(0, 8, 1, Buffer.of(1, 0))],
];

/** How many of `sent` a second a peer takes that may get 50; one stream is open. */
const admitted = (peer: Conversation, sent: Buffer, most: number): number => {
  for (let count = 0; count < most; count++) {
    peer.send(sent);
    if (peer.ended !== undefined) return count;
  }
  return most;
};

describe("frames that ask for work and carry none", () => {
  for (const [name, sent] of CONTROL) {
    it(`${name}: a second's worth at once, then as many as the clock gives back`, () => {
      // The preface's own SETTINGS is one of them.
      const peer = createConversation({ limits: { maxControlFramesPerSecond: 50 } });
      peer.send(headers(1, 0));
      peer.clock.advanceMs(1000);
      assert.equal(admitted(peer, sent, 50), 50);
      peer.clock.advanceMs(100);
      peer.said();
      assert.equal(admitted(peer, sent, 50), 5);
      assert.match(peer.said().at(-1) ?? "", CALM);
      assert.equal(peer.counts.connectionEnds.control_flood, 1);
      assert.deepEqual(peer.requests[0]?.events.at(-1), "reset");
    });
  }

  it("SETTINGS that change windows count for more the more streams are open", () => {
    const peer = createConversation({ limits: { maxControlFramesPerSecond: 50 } });
    for (let id = 1; id < 400; id += 2) peer.send(headers(id, 0));
    peer.clock.advanceMs(1000);
    // 200 streams: three frames' worth, and the frame itself.
    assert.equal(admitted(peer, frame(4, 0, 0, settings([4, 100])), 50), 12);
    assert.equal(peer.counts.connectionEnds.control_flood, 1);
  });

  it("that answer our DATA cost nothing: two WINDOW_UPDATEs and a PING for each", () => {
    const peer = createConversation({ echo: true, limits: { maxControlFramesPerSecond: 5 } });
    for (let id = 1; id < 201; id += 2) {
      peer.send(headers(id, 0), data(id, 10, END_STREAM));
      peer.send(frame(8, 0, 0, words(15)), frame(8, 0, id, words(15)), frame(6, 0, 0, Buffer.alloc(8)));
    }
    assert.equal(peer.ended, undefined);
    assert.equal(peer.requests.length, 100);
  });

  it("that open a window octet by octet earn nothing", () => {
    const peer = createConversation({ echo: true, limits: { maxControlFramesPerSecond: 50 } });
    peer.send(frame(4, 0, 0, settings([4, 0])), headers(1, 0), data(1, 5000, END_STREAM));
    assert.ok(admitted(peer, frame(8, 0, 1, words(1)), 200) < 55);
    assert.equal(peer.counts.connectionEnds.control_flood, 1);
  });

  it("an empty DATA that ends its request is none of them", () => {
    const peer = createConversation({ limits: { maxControlFramesPerSecond: 2 } });
    for (let id = 1; id < 41; id += 2) peer.send(headers(id, 0), data(id, 0, END_STREAM));
    assert.equal(peer.ended, undefined);
  });
});

describe("streams that the peer resets", () => {
  const reset = (id: number) => Buffer.concat([headers(id, 0), frame(3, 0, id, words(8))]);
  const count = (peer: Conversation, from: number, most: number, rapid: (id: number) => Buffer = reset): number => {
    for (let i = 0; i < most; i++) {
      peer.send(rapid(from + 2 * i));
      if (peer.ended !== undefined) return i;
    }
    return most;
  };

  it("are a flood beyond the limit of a second", () => {
    const peer = createConversation({ limits: { maxResetsPerSecond: 20 } });
    assert.equal(count(peer, 1, 30), 20);
    assert.match(peer.said().at(-1) ?? "", CALM);
    assert.equal(peer.counts.connectionEnds.reset_flood, 1);
    assert.equal(peer.connection.openStreams, 0);
  });

  it("come back with time", () => {
    const peer = createConversation({ limits: { maxResetsPerSecond: 20 } });
    assert.equal(count(peer, 1, 20), 20);
    peer.clock.advanceMs(500);
    assert.equal(count(peer, 101, 30), 10);
  });

  it("are paid for by streams that were answered", () => {
    const peer = createConversation({ echo: true, limits: { maxResetsPerSecond: 20 } });
    for (let id = 1; id < 61; id += 2) peer.send(headers(id, END_STREAM));
    assert.equal(count(peer, 101, 90), 50);
  });

  it("are none when the peer has waited for a tenth of a second, as an Envoy does whose checks take too long", () => {
    const peer = createConversation({ limits: { maxResetsPerSecond: 20 } });
    const ids = Array.from({ length: 500 }, (_, i) => 2 * i + 1);
    for (const id of ids) peer.send(headers(id, END_STREAM));
    peer.clock.advanceMs(100);
    for (const id of ids) peer.send(frame(3, 0, id, words(8)));
    assert.equal(peer.ended, undefined);
    assert.equal(peer.requests[499]?.events.at(-1), "reset");
    assert.equal(count(peer, 1001, 30), 20);
  });

  it("are, up to that time", () => {
    const peer = createConversation({ limits: { maxResetsPerSecond: 20 } });
    for (let id = 1; id < 201; id += 2) peer.send(headers(id, END_STREAM));
    peer.clock.advanceMs(99);
    for (let id = 1; id < 201; id += 2) peer.send(frame(3, 0, id, words(8)));
    assert.equal(peer.counts.connectionEnds.reset_flood, 1);
  });

  const causes: readonly [name: string, sent: (id: number) => Buffer][] = [
    ["malformed requests", (id) => headers(id, 1, EMPTY)],
    ["requests that depend on themselves", (id) => frame(1, 0x25, id, Buffer.concat([words(id), Buffer.of(0)]))],
    ["bodies that are too long", (id) => Buffer.concat([headers(id, END_STREAM), data(id, 1)])],
    ["windows that stand still", (id) => Buffer.concat([headers(id, 0), frame(8, 0, id, words(0))])],
  ];
  for (const [name, sent] of causes) {
    it(`count as much as ${name}`, () => {
      const peer = createConversation({ limits: { maxResetsPerSecond: 20 } });
      assert.equal(count(peer, 1, 30, sent), 20);
      assert.equal(peer.counts.streamRefusals.malformed, 21);
    });
  }
});

describe("header blocks that do not end", () => {
  const start = frame(1, 0, 1, headerBlock("/a.B/C"));

  it("end with too many CONTINUATIONs, also empty ones", () => {
    const peer = createConversation({ limits: { maxContinuations: 3 } });
    peer.send(start, ...Array<Buffer>(3).fill(frame(9, 0, 1, EMPTY)));
    assert.equal(peer.ended, undefined);
    peer.send(frame(9, 4, 1, EMPTY));
    assert.match(peer.said().at(-1) ?? "", CALM);
    assert.equal(peer.counts.connectionEnds.continuation_flood, 1);
  });

  it("end with too many octets, before any is decoded", () => {
    const peer = createConversation({ limits: { maxHeaderListBytes: 1000 } });
    peer.send(start, frame(9, 0, 1, Buffer.alloc(2000 - headerBlock("/a.B/C").length, 0x80)));
    assert.equal(peer.ended, undefined);
    peer.send(frame(9, 0, 1, Buffer.of(0x80)));
    assert.match(peer.said().at(-1) ?? "", CALM);
    assert.equal(peer.counts.connectionEnds.header_block_size, 1);
  });

  it("count in what is held", () => {
    const peer = createConversation();
    peer.send(start);
    assert.equal(peer.counts.unfinishedBytes, headerBlock("/a.B/C").length);
    peer.send(frame(9, 4, 1, EMPTY), frame(3, 0, 1, words(8)));
    assert.equal(peer.counts.unfinishedBytes, 0);
  });
});

describe("bytes that requests hold", () => {
  const world = (maxBytes: number) => {
    const counts = createHttp2Counts();
    const unfinished = createUnfinishedBytes(maxBytes, counts);
    return {
      counts,
      connect: (options: ConversationOptions = {}) => createConversation({ counts, unfinished, ...options }),
    };
  };

  it("beyond the limit end the connection that holds the most, and no other", () => {
    const { counts, connect } = world(40_000);
    const small = connect();
    const large = connect();
    const last = connect();
    small.send(headers(1, 0), data(1, 1000));
    large.send(headers(1, 0), data(1, 16_000), headers(3, 0), data(3, 16_000));
    assert.equal(counts.connectionEnds.unfinished_bytes, 0);
    last.send(headers(1, 0), data(1, 10_000));
    assert.match(large.said().at(-1) ?? "", CALM);
    assert.deepEqual(large.requests[0]?.events, ["data:16000", "reset"]);
    assert.equal(small.ended ?? last.ended, undefined);
    assert.equal(counts.connectionEnds.unfinished_bytes, 1);
    assert.ok(counts.unfinishedBytes > 11_000 && counts.unfinishedBytes < 13_500, `${counts.unfinishedBytes}`);
  });

  it("end the offender where it is the largest itself", () => {
    const { connect } = world(10_000);
    const peer = connect();
    peer.send(headers(1, 0), data(1, 10_001));
    assert.match(peer.said().at(-1) ?? "", CALM);
    assert.equal(peer.counts.unfinishedBytes, 0);
  });

  it("never count for a request that comes whole in a batch, in however many frames", () => {
    const { counts, connect } = world(1000);
    const peer = connect({ echo: true });
    peer.send(frame(8, 0, 0, words(2 ** 20)), headers(1, 0), data(1, 16_000), data(1, 16_000), data(1, 0, END_STREAM));
    assert.equal(peer.ended, undefined);
    assert.equal(counts.unfinishedBytes, 0);
  });

  it("count until a request is answered, and are released by every end", async () => {
    const ends: readonly ((peer: Conversation) => unknown)[] = [
      (peer) => peer.requests[0]?.stream.sendHeaders(EMPTY, true),
      (peer) => peer.requests[0]?.stream.reset(8),
      (peer) => peer.send(frame(3, 0, 1, words(8))),
      (peer) => peer.connection.closed(),
      (peer) => peer.connection.cut("drain"),
      (peer) => peer.send(frame(5, 0, 0, EMPTY)),
    ];
    for (const end of ends) {
      const { counts, connect } = world(2 ** 20);
      const peer = connect();
      peer.send(headers(1, 0), data(1, 500), data(1, 500, END_STREAM));
      assert.ok(counts.unfinishedBytes >= 1000);
      end(peer);
      await peer.turn();
      assert.equal(counts.unfinishedBytes, 0);
    }
  });

  it("count a piece as more than its octets, so that many small ones are no way around", () => {
    const { connect } = world(100_000);
    const peer = connect();
    peer.send(headers(1, 0), ...Array<Buffer>(1000).fill(data(1, 1)));
    assert.equal(peer.ended, "end");
  });

  it("count a frame that is cut, as large as it will be", () => {
    const { counts, connect } = world(100_000);
    const peer = connect();
    peer.send(headers(1, 0));
    const before = counts.unfinishedBytes;
    peer.send(data(1, 9000).subarray(0, 100));
    assert.equal(counts.unfinishedBytes - before, 9009);
    peer.connection.closed();
    assert.equal(counts.unfinishedBytes, 0);
  });

  it("count the header lines of open calls, which are kept as long as the calls", async () => {
    const large = frame(1, 4, 1, Buffer.concat([headerBlock("/a.B/C"), literal("x", "v".repeat(8000))]));
    const { counts, connect } = world(10_000);
    const peer = connect();
    peer.send(large);
    assert.ok(counts.unfinishedBytes > 8000, `${counts.unfinishedBytes}`);
    peer.requests[0]?.stream.sendHeaders(EMPTY, true);
    await peer.turn();
    assert.equal(counts.unfinishedBytes, 0);
    const other = connect({
      onEvent: (event, { stream }) => void (event === "open" && stream.sendHeaders(EMPTY, true)),
    });
    other.send(large);
    assert.equal(counts.unfinishedBytes, 0);
    const hostile = connect();
    large.writeUInt32BE(1, 5);
    hostile.send(large);
    large.writeUInt32BE(3, 5);
    hostile.send(large);
    assert.match(hostile.said().at(-1) ?? "", CALM);
    assert.deepEqual(
      hostile.requests.map(({ events }) => events),
      [["reset"], ["reset"]],
    );
    assert.equal(counts.unfinishedBytes, 0);
  });

  it("count that a thousand calls are open at all", () => {
    const { counts, connect } = world(200_000);
    const peer = connect();
    for (let id = 1; id < 2048; id += 2) peer.send(headers(id, 0));
    assert.match(peer.said().at(-1) ?? "", CALM);
    assert.equal(counts.unfinishedBytes, 0);
  });

  it("count with the answers that their peer does not read, and a peer that reads none is cut", () => {
    const { counts, connect } = world(150_000);
    const peer = connect({ echo: true });
    const reader = connect({ echo: true });
    peer.isStopped = true;
    peer.send(...[1, 3, 5].flatMap((id) => [headers(id, 0), data(id, 16_000, END_STREAM)]));
    assert.ok(counts.unfinishedBytes > 48_000, `${counts.unfinishedBytes}`);
    peer.takeAll();
    assert.equal(counts.unfinishedBytes, 0);
    // No window for the half of it.
    peer.send(...[7, 9, 11].flatMap((id) => [headers(id, 0), data(id, 16_000, END_STREAM)]));
    assert.ok(counts.unfinishedBytes > 20_000, `${counts.unfinishedBytes}`);
    peer.send(frame(8, 0, 0, words(2 ** 20)));
    for (let id = 13; peer.ended === undefined && id < 99; id += 2)
      peer.send(headers(id, 0), data(id, 16_000, END_STREAM));
    assert.equal(peer.ended, "destroy");
    assert.equal(counts.connectionEnds.unfinished_bytes, 1);
    assert.equal(counts.unfinishedBytes, 0);
    reader.send(headers(1, 0), data(1, 16_000, END_STREAM));
    assert.equal(reader.ended, undefined);
  });

  it("lie in memory of their own where they are little of what was read: neither the chunk nor Node's pool is kept", () => {
    const { connect } = world(100_000);
    const peer = connect();
    peer.send(headers(1, 0), data(1, 20), data(1, 1000));
    const [little, most] = peer.requests[0]?.body ?? [];
    assert.equal(little?.buffer.byteLength, 20);
    assert.ok((most?.buffer.byteLength ?? 0) > 1000, "the chunk itself");
  });

  it("count when the answer comes out of turn, too", async () => {
    const { counts, connect } = world(10_000);
    const peer = connect();
    peer.isStopped = true;
    peer.send(headers(1, END_STREAM));
    peer.requests[0]?.stream.reply(EMPTY, Buffer.alloc(12_000), EMPTY);
    await peer.turn();
    assert.equal(peer.ended, "destroy");
    assert.equal(counts.connectionEnds.unfinished_bytes, 1);
    assert.equal(counts.unfinishedBytes, 0);
  });

  it("do not count for streams that live long: they pass their bytes on", () => {
    const { counts, connect } = world(100_000);
    const peer = connect({ isLongLived: true });
    peer.send(headers(1, 0), data(1, 9000));
    assert.equal(counts.unfinishedBytes, 0);
  });
});
