import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { frame } from "../../../support/h2-frames.ts";
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
const EMPTY = Buffer.alloc(0);
const KIB = 1024;

const widen = (stream: number, bytes: number) => frame(8, 0, stream, words(bytes));
const initialWindow = (bytes: number) => frame(4, 0, 0, settings([4, bytes]));

/** A connection whose streams begin with a window of `bytes`, and whose own is large. */
const withWindow = (bytes: number, options: ConversationOptions = {}): Conversation => {
  const peer = createConversation(options);
  peer.send(initialWindow(bytes), widen(0, 2 ** 30));
  peer.said();
  return peer;
};

const answer = (peer: Conversation, at: number, bytes: number) =>
  peer.requests[at]?.stream.reply(RESPONSE_HEADERS, Buffer.alloc(bytes, 0x62), RESPONSE_TRAILERS);

describe("the peer's windows", () => {
  it("hold an answer back octet by octet, and its trailers until the last one", async () => {
    const peer = withWindow(0);
    peer.send(headers(1, END_STREAM));
    answer(peer, 0, 3);
    await peer.turn();
    assert.deepEqual(peer.said(), ["HEADERS 1"]);
    const pieces: Buffer[] = [];
    for (let sent = 1; sent <= 8; sent++) {
      peer.send(widen(1, 1));
      const frames = peer.frames();
      assert.equal(frames[0]?.payload.length, 1);
      pieces.push(frames[0]?.payload as Buffer);
      assert.equal(frames.length, sent === 8 ? 2 : 1);
    }
    assert.deepEqual(Buffer.concat(pieces), Buffer.from("\0\0\0\0\x03bbb", "latin1"));
    assert.equal(peer.connection.openStreams, 0);
  });

  it("count for the connection too: what one stream takes, the next one waits for", async () => {
    const peer = createConversation();
    peer.send(headers(1, END_STREAM), headers(3, END_STREAM));
    answer(peer, 0, 65_000);
    answer(peer, 1, 1000);
    await peer.turn();
    const first = peer.said();
    assert.equal(first.filter((said) => said.startsWith("DATA 1")).length, 4);
    assert.ok(first.includes("HEADERS 1 END_STREAM"));
    assert.equal(first.at(-1), `DATA 3 ${65_535 - 65_005}`);
    peer.send(widen(0, 475));
    assert.deepEqual(peer.said(), ["DATA 3 475", "HEADERS 3 END_STREAM"]);
  });

  it("are larger or smaller for open streams after SETTINGS, below nothing too", async () => {
    const peer = withWindow(100);
    peer.send(headers(1, END_STREAM));
    answer(peer, 0, 195);
    await peer.turn();
    assert.deepEqual(peer.said(), ["HEADERS 1", "DATA 1 100"]);
    // -70 now.
    peer.send(initialWindow(30));
    peer.send(widen(1, 70));
    assert.deepEqual(peer.said(), ["SETTINGS ACK"]);
    peer.send(widen(1, 1));
    assert.deepEqual(peer.said(), ["DATA 1 1"]);
    peer.send(initialWindow(40));
    assert.deepEqual(peer.said(), ["SETTINGS ACK", "DATA 1 10"]);
    peer.send(initialWindow(1000));
    assert.deepEqual(peer.said(), ["SETTINGS ACK", "DATA 1 89", "HEADERS 1 END_STREAM"]);
  });

  it("overflow by SETTINGS: the connection ends", () => {
    const peer = createConversation();
    peer.send(headers(1, END_STREAM), widen(1, 2 ** 31 - 1 - 65_535));
    assert.deepEqual(peer.said(), []);
    peer.send(initialWindow(65_536));
    assert.deepEqual(peer.said(), ["SETTINGS ACK", "GOAWAY 1 FLOW_CONTROL_ERROR"]);
  });

  it("of the last of several values in one SETTINGS", async () => {
    const peer = createConversation();
    peer.send(frame(4, 0, 0, settings([4, 2 ** 31 - 1], [4, 0], [4, 7])), headers(1, END_STREAM));
    answer(peer, 0, 10);
    await peer.turn();
    assert.deepEqual(peer.said(), ["SETTINGS ACK", "HEADERS 1", "DATA 1 7"]);
  });

  it("never see a frame over 16384 octets, whatever the peer would take", async () => {
    const peer = withWindow(2 ** 20);
    peer.send(frame(4, 0, 0, settings([5, 2 ** 20])), headers(1, END_STREAM));
    answer(peer, 0, 40_000);
    await peer.turn();
    const sizes = peer.frames().filter(({ type }) => type === 0);
    assert.deepEqual(
      sizes.map(({ payload }) => payload.length),
      [16_384, 16_384, 7237],
    );
  });

  it("let a stream that sends piece by piece know when to go on", async () => {
    const peer = withWindow(10);
    peer.send(headers(1, END_STREAM));
    const stream = peer.requests[0]?.stream;
    stream?.sendHeaders(RESPONSE_HEADERS, false);
    assert.equal(stream?.sendData(Buffer.alloc(10), false), true);
    assert.equal(stream?.sendData(Buffer.alloc(4), false), false);
    assert.equal(stream?.sendData(Buffer.alloc(4), false), false);
    await peer.turn();
    peer.send(widen(1, 7));
    assert.deepEqual(peer.requests[0]?.events, ["end"]);
    peer.send(widen(1, 1));
    assert.deepEqual(peer.requests[0]?.events, ["end", "drain"]);
    assert.equal(stream?.sendData(EMPTY, true), true);
    await peer.turn();
    assert.deepEqual(peer.said(), [
      "HEADERS 1",
      "DATA 1 10",
      "DATA 1 4",
      "DATA 1 3",
      "DATA 1 1",
      "DATA 1 0 END_STREAM",
    ]);
  });

  it("end a stream with its last piece", async () => {
    const peer = withWindow(4);
    peer.send(headers(1, END_STREAM));
    peer.requests[0]?.stream.sendHeaders(RESPONSE_HEADERS, false);
    assert.equal(peer.requests[0]?.stream.sendData(Buffer.alloc(6), true), false);
    peer.send(widen(1, 9));
    assert.deepEqual(peer.said(), ["HEADERS 1", "DATA 1 4", "DATA 1 2 END_STREAM"]);
    assert.deepEqual(peer.requests[0]?.events, ["end"]);
  });

  it("are asked no more once a stream is reset", () => {
    const peer = withWindow(0, { echo: true, limits: { maxUnsentBytes: 50 } });
    peer.send(headers(1, 0), data(1, 60, END_STREAM), frame(3, 0, 1, words(8)));
    peer.send(headers(3, 0), data(3, 10, END_STREAM));
    assert.deepEqual(peer.said(), ["HEADERS 1", "HEADERS 3"], "what waited for the first is forgotten");
  });

  it("of streams that are shut are not looked at for each octet that the connection's grows by", async () => {
    const peer = withWindow(0);
    const ids = Array.from({ length: 200 }, (_, at) => 2 * at + 1);
    for (const [at, id] of ids.entries()) {
      peer.send(headers(id, END_STREAM));
      answer(peer, at, 10);
    }
    await peer.turn();
    peer.said();
    let looks = 0;
    for (const { stream } of peer.requests) {
      let window = 0;
      Object.defineProperty(stream, "sendWindow", {
        get: () => {
          looks++;
          return window;
        },
        set: (value: number) => {
          window = value;
        },
      });
    }
    for (let sent = 0; sent < 100; sent++) peer.send(widen(0, 1));
    assert.equal(looks, 0);
    peer.send(widen(5, 3), widen(0, 1));
    assert.deepEqual(peer.said(), ["DATA 5 3"]);
    assert.ok(looks < 20, `${looks}`);
    // All of them, in the order in which they began to wait, from the one on that has come before.
    peer.send(initialWindow(12));
    const said = peer.said().filter((sentence) => sentence.startsWith("DATA"));
    assert.deepEqual(said.slice(0, 3), ["DATA 1 12", "DATA 3 12", "DATA 5 12"]);
    assert.equal(said.length, 200);
    assert.equal(peer.connection.openStreams, 199);
  });

  it("of a stream are kept in mind while the connection's own is shut", async () => {
    const peer = createConversation();
    peer.send(initialWindow(0));
    for (const id of [1, 3, 5]) peer.send(headers(id, END_STREAM));
    for (const at of [0, 1]) answer(peer, at, 5);
    peer.send(widen(5, 65_535));
    answer(peer, 2, 65_530);
    await peer.turn();
    peer.said();
    peer.send(widen(3, 10), widen(1, 4));
    assert.deepEqual(peer.said(), [], "the connection's window is spent");
    peer.send(widen(0, 9));
    assert.deepEqual(peer.said(), ["DATA 3 9"]);
    peer.send(widen(0, 100));
    assert.deepEqual(peer.said(), ["DATA 3 1", "HEADERS 3 END_STREAM", "DATA 1 4"]);
    peer.send(widen(1, 6));
    assert.deepEqual(peer.said(), ["DATA 1 6", "HEADERS 1 END_STREAM"]);
    assert.equal(peer.connection.openStreams, 0);
  });

  it("that stay shut: nothing new is begun beyond the limit, and frames are still read", () => {
    const peer = withWindow(0, { echo: true, limits: { maxUnsentBytes: 100 } });
    peer.send(headers(1, 0), data(1, 200, END_STREAM), headers(3, END_STREAM));
    assert.deepEqual(peer.said(), ["HEADERS 1", "RST_STREAM 3 REFUSED_STREAM"]);
    assert.equal(peer.counts.streamRefusals.flow_control, 1);
    assert.equal(peer.connection.wantsRead, true);
    peer.send(widen(1, 300), headers(5, END_STREAM));
    assert.deepEqual(peer.said(), ["DATA 1 205", "HEADERS 1 END_STREAM", "HEADERS 5"]);
  });
});

describe("our windows", () => {
  it("of a stream hold 65535 octets; padding is given back at once", () => {
    const peer = createConversation();
    const padded = frame(0, 8, 1, Buffer.concat([Buffer.of(9), Buffer.alloc(90 + 9)]));
    peer.send(headers(1, 0), data(1, 16_384), data(1, 16_384), data(1, 16_384), data(1, 16_283), padded);
    assert.deepEqual(peer.said(), ["WINDOW_UPDATE 1 10"]);
    peer.send(data(1, 10));
    assert.deepEqual(peer.said(), []);
    peer.send(data(1, 1));
    assert.deepEqual(peer.said(), ["RST_STREAM 1 FLOW_CONTROL_ERROR"]);
    assert.equal(peer.counts.streamRefusals.flow_control, 1);
  });

  it("of a stream grow by what is granted, and not for a request that has ended", async () => {
    const peer = createConversation();
    peer.send(headers(1, 0), headers(3, END_STREAM));
    peer.requests[0]?.stream.grant(10_000);
    peer.requests[0]?.stream.grant(0);
    peer.requests[1]?.stream.grant(5);
    await peer.turn();
    assert.deepEqual(peer.said(), ["WINDOW_UPDATE 1 10000"]);
    for (let i = 0; i < 4; i++) peer.send(data(1, 16_384));
    peer.send(data(1, 65_535 + 10_000 - 4 * 16_384));
    assert.deepEqual(peer.said(), []);
    peer.send(data(1, 1));
    assert.deepEqual(peer.said(), ["RST_STREAM 1 FLOW_CONTROL_ERROR"]);
  });

  it("of the connection are given back as octets come, for closed streams too", () => {
    const peer = createConversation();
    let given = 0;
    let sent = 0;
    for (let id = 1; id < 401; id += 2) {
      peer.clock.advanceMs(10);
      peer.send(headers(id, 0), data(id, 16_384), frame(3, 0, id, words(8)));
      sent += 16_384;
      for (const { type, stream, payload } of peer.frames()) {
        if (type === 8 && stream === 0) given += payload.readUInt32BE(0);
      }
    }
    assert.ok(sent - given < 256 * KIB + 16 * KIB, `${sent - given} are not given back`);
    assert.equal(peer.ended, undefined);
  });

  it("of the connection may be used up within one batch, and not beyond", () => {
    const peer = createConversation();
    const streams = Array.from({ length: 16 }, (_, i) => 1 + 2 * i);
    const full = streams.flatMap((id) => [headers(id, 0), ...Array<Buffer>(4).fill(data(id, 16_380))]);
    peer.send(...full);
    assert.deepEqual(peer.said(), [`WINDOW_UPDATE 0 ${16 * 4 * 16_380}`]);
    const other = createConversation({ limits: { maxUnfinishedBytes: 2 ** 30 } });
    other.send(...full, headers(33, 0), ...Array<Buffer>(2).fill(data(33, 16_384)));
    assert.deepEqual(other.said(), ["GOAWAY 33 FLOW_CONTROL_ERROR"]);
  });
});

describe("a peer that does not read", () => {
  it("is not read from either, until it has", () => {
    const peer = createConversation({ echo: true, limits: { maxUnsentBytes: 4 * KIB } });
    peer.isStopped = true;
    peer.send(widen(0, 2 ** 20));
    for (let id = 1; id < 40; id += 2) peer.send(headers(id, 0), data(id, KIB, END_STREAM));
    const answered = peer.frames().filter(({ type }) => type === 0).length;
    assert.ok(answered >= 4 && answered < 7, `${answered} answers`);
    assert.equal(peer.connection.wantsRead, false);
    assert.equal(peer.requests.length, answered);
    peer.isStopped = false;
    peer.takeAll();
    assert.equal(peer.frames().filter(({ type }) => type === 0).length, 20 - answered);
    assert.equal(peer.connection.wantsRead, true);
    assert.equal(peer.requests.length, 20);
  });

  it("within one batch too: the rest of it waits", () => {
    const peer = createConversation({ echo: true, limits: { maxUnsentBytes: 4 * KIB } });
    peer.isStopped = true;
    const ids = Array.from({ length: 20 }, (_, i) => 1 + 2 * i);
    peer.send(...ids.flatMap((id) => [headers(id, 0), data(id, KIB, END_STREAM)]));
    assert.ok(peer.requests.length < 7, `${peer.requests.length} requests`);
    peer.frames();
    for (let i = 0; i < 20 && peer.requests.length < 20; i++) {
      peer.takeAll();
    }
    assert.deepEqual(
      peer.requests.map(({ stream }) => stream.id),
      ids,
    );
  });

  it("while what waits is only a large batch, it is written on", async () => {
    const peer = withWindow(2 ** 24, { limits: { maxUnsentBytes: 8 * KIB } });
    peer.send(headers(1, END_STREAM));
    answer(peer, 0, 2 ** 20);
    await peer.turn();
    const bytes = peer.frames().reduce((sum, { type, payload }) => sum + (type === 0 ? payload.length : 0), 0);
    assert.equal(bytes, 2 ** 20 + 5);
    assert.equal(peer.connection.openStreams, 0);
  });

  it("gets a large answer as it reads", async () => {
    const peer = withWindow(2 ** 24, { limits: { maxUnsentBytes: 64 * KIB } });
    peer.isStopped = true;
    peer.send(headers(1, END_STREAM));
    answer(peer, 0, 2 ** 20);
    await peer.turn();
    let bytes = 0;
    let rounds = 0;
    for (; peer.connection.openStreams > 0 && rounds < 100; rounds++) {
      const now = peer.frames().reduce((sum, { payload }) => sum + payload.length, 0);
      assert.ok(now <= 256 * KIB, `${now} at once`);
      bytes += now;
      peer.takeAll();
    }
    bytes += peer.frames().reduce((sum, { payload }) => sum + payload.length, 0);
    assert.ok(rounds > 3, `${rounds} rounds`);
    assert.equal(bytes, RESPONSE_HEADERS.length + 2 ** 20 + 5 + RESPONSE_TRAILERS.length);
  });
});
