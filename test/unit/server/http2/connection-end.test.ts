import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { frame } from "../../../support/h2-frames.ts";
import {
  type Conversation,
  createConversation,
  data,
  headers,
  RESPONSE_HEADERS,
  words,
} from "../../../support/http2-conversation.ts";

const END_STREAM = 1;
const PING = frame(6, 0, 0, Buffer.alloc(8));

const answer = (peer: Conversation, at: number) => peer.requests[at]?.stream.sendHeaders(RESPONSE_HEADERS, true);

describe("a graceful end", () => {
  it("begins with a notice that still admits every stream", async () => {
    const peer = createConversation({ echo: true });
    peer.connection.sendGoawayNotice();
    await peer.turn();
    assert.deepEqual(peer.said(), [`GOAWAY ${2 ** 31 - 1} NO_ERROR`]);
    peer.send(headers(1, END_STREAM));
    assert.equal(peer.said().length, 3);
    assert.equal(peer.ended, undefined);
  });

  it("ends with the last open stream, and takes no new one", async () => {
    const peer = createConversation();
    peer.send(headers(1, END_STREAM), headers(3, 0));
    peer.connection.finish("drain");
    peer.connection.finish("max_age");
    await peer.turn();
    assert.deepEqual(peer.said(), ["GOAWAY 3 NO_ERROR"]);
    peer.send(headers(5, 0), data(5, 10), data(5, 0, END_STREAM), headers(7, 1), frame(3, 0, 7, words(8)));
    assert.equal(peer.requests.length, 2);
    peer.send(data(3, 1, END_STREAM), PING);
    assert.deepEqual(peer.said(), ["PING ACK"]);
    answer(peer, 0);
    await peer.turn();
    assert.equal(peer.ended, undefined);
    answer(peer, 1);
    await peer.turn();
    assert.deepEqual(peer.said(), ["HEADERS 1 END_STREAM", "HEADERS 3 END_STREAM"]);
    assert.equal(peer.ended, "end");
    assert.equal(peer.ends, 1);
    assert.deepEqual([peer.counts.connectionEnds.drain, peer.counts.connectionEnds.max_age], [1, 0]);
  });

  it("is at once where no stream is open, after what was written", async () => {
    const peer = createConversation();
    peer.connection.finish("idle");
    assert.equal(peer.ended, undefined);
    await peer.turn();
    assert.deepEqual(peer.said(), ["GOAWAY 0 NO_ERROR"]);
    assert.equal(peer.ended, "end");
    assert.equal(peer.counts.connectionEnds.idle, 1);
  });

  it("ends when the peer resets what was open", () => {
    const peer = createConversation();
    peer.send(headers(1, END_STREAM));
    peer.connection.finish("drain");
    peer.send(frame(3, 0, 1, words(8)));
    assert.equal(peer.ended, "end");
  });

  it("that is cut counts once", () => {
    const peer = createConversation();
    peer.send(headers(1, END_STREAM));
    peer.connection.finish("drain");
    peer.connection.cut("drain");
    assert.equal(peer.ended, "destroy");
    assert.equal(peer.counts.connectionEnds.drain, 1);
    assert.equal(peer.ends, 1);
    assert.deepEqual(peer.requests[0]?.events, ["end", "reset"]);
  });

  it("is known not to be due while a stream is open", async () => {
    const peer = createConversation();
    assert.equal(peer.connection.idleSinceMs, 0);
    peer.clock.advanceMs(500);
    peer.send(headers(1, END_STREAM));
    assert.equal(peer.connection.idleSinceMs, undefined);
    assert.equal(peer.connection.openStreams, 1);
    peer.clock.advanceMs(500);
    peer.send(frame(3, 0, 1, words(8)));
    assert.equal(peer.connection.idleSinceMs, 1000);
    peer.clock.advanceMs(500);
    peer.send(PING);
    assert.equal(peer.connection.idleSinceMs, 1000);
    peer.send(headers(3, END_STREAM));
    peer.clock.advanceMs(500);
    answer(peer, 1);
    assert.equal(peer.connection.idleSinceMs, 2000, "answered out of turn");
  });
});

describe("a connection whose socket is gone", () => {
  it("tells every open stream, once, and is silent from then on", async () => {
    const peer = createConversation();
    peer.send(headers(1, END_STREAM), headers(3, 0));
    peer.said();
    peer.connection.closed();
    peer.connection.closed();
    assert.deepEqual(
      peer.requests.map(({ events }) => events),
      [["end", "reset"], ["reset"]],
    );
    answer(peer, 0);
    peer.connection.sendGoawayNotice();
    peer.connection.finish("drain");
    peer.connection.cut("drain");
    peer.connection.drained();
    peer.connection.sweep(1e9);
    peer.send(PING);
    await peer.turn();
    assert.deepEqual(peer.said(), []);
    assert.equal(peer.ended, undefined);
    assert.equal(peer.ends, 1);
    assert.equal(peer.counts.connectionEnds.drain, 0);
  });
});

describe("an exception", () => {
  const throwing = (at: string) =>
    createConversation({
      onEvent: (event) => {
        if (event.startsWith(at)) throw new Error(`thrown at ${at}`);
      },
    });

  for (const at of ["open", "data", "end"]) {
    it(`of an answerer (${at}) ends its connection alone, and is told`, () => {
      const peer = throwing(at);
      const other = createConversation({ counts: peer.counts });
      other.send(headers(1, 0));
      peer.send(headers(1, 0), data(1, 5, END_STREAM), headers(3, END_STREAM));
      assert.deepEqual(peer.said(), ["GOAWAY 1 INTERNAL_ERROR"]);
      assert.equal(peer.ended, "end");
      assert.match(String(peer.faults[0]), new RegExp(`thrown at ${at}`));
      assert.equal(peer.counts.connectionEnds.fault, 1);
      other.send(data(1, 5, END_STREAM));
      assert.deepEqual(other.requests[0]?.events, ["data:5", "end"]);
    });
  }

  it("while streams are told of the end keeps no other stream from being told", () => {
    const peer = throwing("reset");
    peer.send(headers(1, 0), headers(3, 0));
    peer.connection.closed();
    assert.deepEqual(
      peer.requests.map(({ events }) => events),
      [["reset"], ["reset"]],
    );
    assert.equal(peer.faults.length, 2);
    assert.equal(peer.ends, 1);
  });

  it("when windows open (drain) ends the connection", () => {
    const peer = throwing("drain");
    peer.send(headers(1, 0));
    peer.requests[0]?.stream.sendData(Buffer.alloc(70_000), false);
    peer.send(frame(8, 0, 0, words(100_000)), frame(8, 0, 1, words(100_000)));
    assert.equal(peer.said().at(-1), "GOAWAY 1 INTERNAL_ERROR");
  });

  it("of the output cuts the connection, and nothing leaves it", () => {
    const peer = createConversation({ failWrites: true });
    peer.send(PING);
    assert.equal(peer.ended, "destroy");
    assert.equal(peer.faults.length, 1);
    assert.equal(peer.ends, 1);
  });

  it("of what was sent out of turn ends the connection too", async () => {
    const peer = createConversation();
    peer.send(headers(1, END_STREAM));
    peer.requests[0]?.stream.reply(RESPONSE_HEADERS, undefined as unknown as Uint8Array, RESPONSE_HEADERS);
    await peer.turn();
    assert.equal(peer.said().at(-1), "GOAWAY 1 INTERNAL_ERROR");
    assert.deepEqual(peer.requests[0]?.events, ["end", "reset"]);
  });
});
