import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { frame, headerBlock, PREFACE } from "../../../support/h2-frames.ts";
import {
  type Conversation,
  type ConversationOptions,
  createConversation,
  data,
  headers,
  RESPONSE_HEADERS,
  RESPONSE_TRAILERS,
  settings,
  words,
} from "../../../support/http2-conversation.ts";

const END_STREAM = 1;
const PING = frame(6, 0, 0, Buffer.alloc(8));
const PING_ACK = frame(6, 1, 0, Buffer.from("svidgate"));
const LIMITS = {
  requestTimeoutMs: 10_000,
  writeTimeoutMs: 5000,
  keepAliveTimeMs: 30_000,
  keepAliveTimeoutMs: 8000,
};

const connect = (options: ConversationOptions = {}): Conversation =>
  createConversation({ ...options, limits: { ...LIMITS, ...options.limits } });

/** A second at a time, as the sweep comes. */
const pass = (peer: Conversation, seconds: number): void => {
  for (let i = 0; i < seconds; i++) {
    peer.clock.advanceMs(1000);
    peer.connection.sweep(peer.clock.monotonicMs());
  }
};

describe("a silent peer", () => {
  it("is asked with PING, and cut when it does not answer", () => {
    const peer = connect();
    pass(peer, 29);
    assert.deepEqual(peer.said(), []);
    pass(peer, 1);
    assert.deepEqual(peer.said(), ["PING"]);
    pass(peer, 7);
    assert.equal(peer.ended, undefined);
    pass(peer, 1);
    assert.equal(peer.ended, "destroy");
    assert.equal(peer.counts.connectionEnds.keep_alive, 1);
    assert.equal(peer.ends, 1);
  });

  for (const [name, sent] of [
    ["its answer", PING_ACK],
    ["any frame", PING],
  ] as const) {
    it(`is kept by ${name}, and asked again`, () => {
      const peer = connect();
      pass(peer, 35);
      peer.send(sent);
      peer.said();
      assert.equal(peer.connection.lastFrameMs, 35_000);
      pass(peer, 29);
      assert.deepEqual(peer.said(), []);
      pass(peer, 1);
      assert.deepEqual(peer.said(), ["PING"]);
      assert.equal(peer.ended, undefined);
    });
  }

  it("is not kept by a frame that never ends", () => {
    const peer = connect();
    const long = data(1, 16_000);
    for (let at = 0; at < 40 && peer.ended === undefined; at++) {
      peer.send(long.subarray(at, at + 1));
      pass(peer, 1);
    }
    assert.equal(peer.ended, "destroy");
    assert.equal(peer.connection.lastFrameMs, 0);
  });

  it("that never said its preface is cut sooner", () => {
    for (const said of [0, 10, 24]) {
      const peer = connect({ greet: false });
      peer.send(PREFACE.subarray(0, said));
      pass(peer, 9);
      assert.equal(peer.ended, undefined);
      pass(peer, 1);
      assert.equal(peer.ended, "destroy");
      assert.equal(peer.counts.connectionEnds.idle, 1);
    }
  });
});

describe("a request that does not come to its end", () => {
  it("is reset, and others go on", () => {
    const peer = connect();
    peer.send(headers(1, 0), data(1, 5));
    pass(peer, 5);
    const headBytes = peer.counts.unfinishedBytes - 5 - 128;
    peer.send(headers(3, 0), headers(5, END_STREAM));
    pass(peer, 4);
    assert.deepEqual(peer.said(), []);
    pass(peer, 1);
    assert.deepEqual(peer.said(), ["RST_STREAM 1 CANCEL"]);
    assert.deepEqual(peer.requests[0]?.events, ["data:5", "reset"]);
    assert.equal(peer.connection.openStreams, 2);
    assert.equal(peer.counts.streamRefusals.slow_sender, 1);
    assert.equal(peer.counts.unfinishedBytes, 2 * headBytes);
    pass(peer, 60);
    assert.equal(peer.connection.openStreams, 0, "the peer was cut for its silence");
    assert.deepEqual(peer.requests[2]?.events, ["end", "reset"]);
  });

  it("costs no more than itself: a thousand of them are no flood", () => {
    const peer = connect({ limits: { maxResetsPerSecond: 1 } });
    for (let id = 1; id < 2001; id += 2) peer.send(headers(id, 0));
    pass(peer, 10);
    assert.equal(peer.said().length, 1000);
    assert.equal(peer.ended, undefined);
  });

  it("may live on where that is its nature", () => {
    const peer = connect({ isLongLived: true });
    peer.send(headers(1, 0));
    for (let i = 0; i < 10; i++) {
      pass(peer, 10);
      peer.send(PING_ACK);
    }
    assert.equal(peer.connection.openStreams, 1);
  });

  it("in the middle of its headers ends the connection, for nothing else can be said on it", () => {
    const peer = connect();
    peer.send(frame(1, 0, 1, headerBlock("/a.B/C")));
    pass(peer, 10);
    assert.equal(peer.ended, undefined);
    pass(peer, 1);
    assert.deepEqual(peer.said(), ["GOAWAY 0 ENHANCE_YOUR_CALM"]);
    assert.equal(peer.counts.connectionEnds.continuation_flood, 1);
  });
});

describe("a peer that does not take its answers", () => {
  const ask = (peer: Conversation, bytes: number) => {
    peer.send(headers(1, END_STREAM));
    peer.requests[0]?.stream.reply(RESPONSE_HEADERS, Buffer.alloc(bytes), RESPONSE_TRAILERS);
  };

  it("from the kernel is cut", async () => {
    const peer = connect();
    peer.isStopped = true;
    ask(peer, 100);
    await peer.turn();
    pass(peer, 5);
    assert.equal(peer.ended, undefined);
    pass(peer, 1);
    assert.equal(peer.ended, "destroy");
    assert.equal(peer.counts.connectionEnds.slow_reader, 1);
  });

  it("by closed windows is cut", async () => {
    const peer = connect();
    peer.send(frame(4, 0, 0, settings([4, 0])));
    ask(peer, 100);
    await peer.turn();
    for (let i = 0; i < 5; i++) {
      pass(peer, 1);
      peer.send(PING);
    }
    assert.equal(peer.ended, undefined);
    pass(peer, 1);
    assert.equal(peer.ended, "destroy");
    assert.equal(peer.counts.connectionEnds.slow_reader, 1);
    assert.deepEqual(peer.requests[0]?.events, ["end", "reset"]);
  });

  it("is kept while anything moves", async () => {
    const peer = connect();
    peer.send(frame(4, 0, 0, settings([4, 0])));
    ask(peer, 100);
    for (let i = 0; i < 20; i++) {
      pass(peer, 4);
      peer.send(frame(8, 0, 1, words(1)));
    }
    assert.equal(peer.ended, undefined);
    peer.send(frame(8, 0, 1, words(100)));
    assert.equal(peer.connection.openStreams, 0);
    peer.isStopped = true;
    for (let i = 0; i < 20; i++) {
      peer.send(PING);
      pass(peer, 4);
      peer.takeAll();
    }
    assert.equal(peer.ended, undefined);
  });

  it("is not asked for its silence while nothing is read from it", () => {
    const peer = connect({ limits: { maxUnsentBytes: 10, writeTimeoutMs: 100_000 } });
    peer.isStopped = true;
    peer.send(PING);
    assert.equal(peer.connection.wantsRead, false);
    peer.said();
    pass(peer, 60);
    assert.deepEqual(peer.said(), []);
    assert.equal(peer.ended, undefined);
  });
});
