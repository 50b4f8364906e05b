import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import type { CheckHandler, CheckReply } from "../../../../src/authz/check-handler.ts";
import { createHealth } from "../../../../src/server/health.ts";
import { Http2Connection } from "../../../../src/server/http2/connection.ts";
import { createHttp2Counts } from "../../../../src/server/http2/counts.ts";
import { DEFAULT_LIMITS } from "../../../../src/server/http2/limits.ts";
import { createRouter } from "../../../../src/server/http2/router.ts";
import { createUnfinishedBytes } from "../../../../src/server/http2/unfinished-bytes.ts";
import { CHECK_PATH } from "../../../../src/server/listener.ts";
import { createUnverifiedPeer } from "../../../../src/server/peer.ts";
import {
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  grpcMessage,
  literals,
  PREFACE,
  resetStream,
} from "../../../support/h2-frames.ts";
import { createManualClock } from "../../../support/manual-clock.ts";
import { decodeBlock } from "../../../support/recorded-stream.ts";

const CHECK_LINES: readonly (readonly [string, string])[] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", CHECK_PATH],
  [":authority", "authz"],
  ["content-type", "application/grpc"],
  ["te", "trailers"],
];
const check = literals(CHECK_LINES);
const message = Buffer.from("check");
const open = (stream: number, block = check): Buffer => frame(FRAME.HEADERS, END_HEADERS, stream, block);
const data = (stream: number, bytes: Uint8Array, flags = END_STREAM): Buffer => frame(FRAME.DATA, flags, stream, bytes);
const call = (stream: number, bytes: Uint8Array = message): Buffer =>
  Buffer.concat([open(stream), data(stream, grpcMessage(bytes))]);

/** The gRPC layer behind a connection, both in process. */
function converse(handler: CheckHandler = (bytes) => ({ kind: "message", bytes })) {
  const clock = createManualClock();
  const counts = createHttp2Counts();
  const faults: unknown[] = [];
  let written: Buffer[] = [];
  let inFlight = 0;
  const router = createRouter({
    handler,
    clock,
    timers: clock.timers,
    health: createHealth(),
    limits: DEFAULT_LIMITS,
    counts,
    relay: undefined,
    relayedPaths: () => false,
    onCheckStart: () => inFlight++,
    onCheckEnd: () => inFlight--,
    onRefused: () => undefined,
    onFault: (error) => faults.push(error),
  });
  const connection = new Http2Connection({
    output: {
      write: (bytes) => written.push(Buffer.from(bytes)),
      end: () => undefined,
      destroy: () => undefined,
      unsentBytes: 0,
    },
    peer: createUnverifiedPeer("192.0.2.1"),
    limits: DEFAULT_LIMITS,
    open: router,
    clock,
    unfinished: createUnfinishedBytes(DEFAULT_LIMITS.maxUnfinishedBytes, counts),
    counts,
    onEnd: () => undefined,
    onFault: (error) => faults.push(error),
  });
  const take = (): Buffer => {
    const bytes = Buffer.concat(written);
    written = [];
    return bytes;
  };
  const send = (...chunks: readonly Uint8Array[]): void => {
    for (const chunk of chunks) connection.receive(Buffer.from(chunk));
  };
  send(PREFACE);
  take();
  return {
    connection,
    counts,
    faults,
    clock,
    send,
    take,
    writes: () => written.length,
    inFlight: () => inFlight,
    /** What was written since the last look, in words. */
    said: () => describeFrames(take()),
  };
}

/** "HEADERS 1 200 …", "DATA 1 hex", "RST_STREAM 1 code", … with " end" after END_STREAM. */
function describeFrames(bytes: Buffer): string[] {
  const said: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUIntBE(at, 3);
    const type = Object.entries(FRAME).find(([, code]) => code === bytes[at + 3])?.[0] ?? "?";
    const stream = bytes.readUInt32BE(at + 5);
    const payload = bytes.subarray(at + 9, at + 9 + length);
    const end = (type === "HEADERS" || type === "DATA") && ((bytes[at + 4] as number) & END_STREAM) !== 0 ? " end" : "";
    let text = payload.toString("hex");
    if (type === "HEADERS") {
      const lines = decodeBlock(payload);
      text = [lines[":status"], lines["grpc-status"], lines["grpc-message"]].filter((part) => part).join(" ");
    } else if (type === "RST_STREAM" || type === "WINDOW_UPDATE") text = `${payload.readUInt32BE(0)}`;
    said.push(`${type} ${stream} ${text}${end}`);
    at += 9 + length;
  }
  return said;
}

const answer = (stream: number, bytes: Uint8Array = message): string[] => [
  `HEADERS ${stream} 200`,
  `DATA ${stream} ${grpcMessage(bytes).toString("hex")}`,
  `HEADERS ${stream} 0 end`,
];

describe("a conversation about checks", () => {
  it("answers the checks of one read in one write", () => {
    const { send, said, writes } = converse();
    send(Buffer.concat([call(1), call(3), call(5)]));
    assert.equal(writes(), 1);
    assert.deepEqual(said(), [...answer(1), ...answer(3), ...answer(5)]);
  });

  it("says the same wherever its bytes are cut", () => {
    const bytes = Buffer.concat([
      call(1),
      open(3),
      data(3, grpcMessage(message).subarray(0, 3), 0),
      data(3, grpcMessage(message).subarray(3), 0),
      data(3, Buffer.alloc(0)),
      open(5),
      data(5, Buffer.concat([grpcMessage(message), Buffer.from([0])])),
      call(7),
    ]);
    const inOne = converse();
    inOne.send(bytes);
    const expected = inOne.said();
    assert.deepEqual(expected, [
      ...answer(1),
      ...answer(3),
      "HEADERS 5 200 12 more than one request message end",
      ...answer(7),
    ]);
    for (let at = 0; at <= bytes.length; at++) {
      const cut = converse();
      cut.send(bytes.subarray(0, at), bytes.subarray(at));
      assert.deepEqual(cut.said(), expected, `cut at ${at}`);
      assert.equal(cut.inFlight(), 0);
    }
    const byByte = converse();
    byByte.send(...[...bytes].map((byte) => Buffer.from([byte])));
    assert.deepEqual(byByte.said(), expected);
  });

  it("takes a message larger than a window, which is opened for it and no further", () => {
    const { send, said, counts, inFlight } = converse((bytes) => ({
      kind: "message",
      bytes: Buffer.from(`${bytes.length}`),
    }));
    const body = grpcMessage(Buffer.alloc(200_000, 1));
    send(open(1), data(1, body.subarray(0, 16_384), 0));
    assert.deepEqual(said(), [`WINDOW_UPDATE 1 ${200_005 - 65_535}`]);
    for (let at = 16_384; at < body.length; at += 16_384) send(data(1, body.subarray(at, at + 16_384), 0));
    send(data(1, Buffer.alloc(0)));
    assert.deepEqual(said(), answer(1, Buffer.from("200000")));
    assert.equal(counts.unfinishedBytes, 0);
    assert.equal(inFlight(), 0);
  });

  it("refuses a message that is too large from its prefix, and goes on", () => {
    const { send, said, inFlight, counts } = converse();
    send(open(1), data(1, Buffer.from([0, 0, 0x40, 0, 1]), 0));
    assert.deepEqual(said(), [
      "HEADERS 1 200 8 the request message is larger than the server accepts end",
      "RST_STREAM 1 0",
    ]);
    send(data(1, Buffer.alloc(1000), 0), data(1, Buffer.alloc(10)), call(3));
    assert.deepEqual(said(), answer(3));
    assert.equal(inFlight(), 0);
    assert.equal(counts.streamRefusals.message_size, 1);
  });

  it("answers what comes later in its own time, and only where somebody waits", async () => {
    const answers: ((reply: CheckReply) => void)[] = [];
    const { send, said, inFlight } = converse(() => new Promise((resolve) => answers.push(resolve)));
    send(Buffer.concat([call(1), call(3), call(5)]));
    assert.deepEqual(said(), []);
    send(resetStream(3));
    for (const [index, resolve] of answers.entries()) resolve({ kind: "message", bytes: Buffer.from(`${index}`) });
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(said(), [...answer(1, Buffer.from("0")), ...answer(5, Buffer.from("2"))]);
    assert.equal(inFlight(), 0);
  });

  it("unpacks gzip", async () => {
    const { send, said, inFlight } = converse();
    send(open(1, literals([...CHECK_LINES, ["grpc-encoding", "gzip"]])), data(1, grpcMessage(gzipSync(message), 1)));
    while (inFlight() > 0) await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(said(), answer(1));
  });

  it("ends what its deadline ends, and says so at the end of that turn", async () => {
    const { send, said, clock, inFlight } = converse();
    send(open(1, literals([...CHECK_LINES, ["grpc-timeout", "200m"]])), data(1, Buffer.alloc(3), 0));
    clock.advanceMs(200);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(said(), ["HEADERS 1 200 4 Deadline exceeded end", "RST_STREAM 1 0"]);
    assert.equal(inFlight(), 0);
  });

  it("counts no check after the connection is gone, whatever state they were in", () => {
    const { connection, send, inFlight, faults } = converse(() => new Promise(() => undefined));
    send(open(1), open(3), data(3, Buffer.alloc(3), 0), call(5));
    assert.equal(inFlight(), 3);
    connection.closed();
    assert.equal(inFlight(), 0);
    assert.deepEqual(faults, []);
  });

  it("counts no check that HTTP/2 itself refuses", () => {
    const { send, said, inFlight, counts } = converse();
    send(open(1, literals([...CHECK_LINES, ["content-length", "3"]])), data(1, grpcMessage(message)));
    assert.deepEqual(said(), ["RST_STREAM 1 1"]);
    send(open(3, literals([...CHECK_LINES, ["connection", "close"]])));
    assert.deepEqual(said(), ["RST_STREAM 3 1"]);
    assert.equal(counts.streamRefusals.malformed, 2);
    assert.equal(inFlight(), 0);
  });

  it("gives what is no gRPC a whole answer with a body", () => {
    const { send, said } = converse();
    const get = literals([
      [":method", "GET"],
      [":scheme", "http"],
      [":path", "/"],
    ]);
    send(frame(FRAME.HEADERS, END_HEADERS | END_STREAM, 1, get));
    const [headers, body = "", ...rest] = said();
    assert.equal(headers, "HEADERS 1 415");
    assert.match(body, /^DATA 1 [0-9a-f]{20,} end$/);
    assert.deepEqual(rest, []);
  });
});
