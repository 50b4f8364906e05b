// gRPC over HTTP/2 by hand: what is no gRPC, which methods there are, messages in every cut, compression, timeouts, and the answers
// to requests that are not whole. SPEC: grpc/grpc doc/PROTOCOL-HTTP2.md.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deflateSync, gzipSync } from "node:zlib";
import { CHECK_PATH } from "../../src/server/listener.ts";
import {
  answers,
  assertEcho,
  echoes,
  grpcStatus,
  type Http2Case,
  type Outcome,
  runCases,
} from "../support/h2-cases.ts";
import {
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  grpcMessage,
  literals,
  repeat,
  uint32,
  windowUpdate,
} from "../support/h2-frames.ts";
import type { RawPeer } from "../support/h2-raw-peer.ts";
import {
  CHECK_BLOCK,
  CHECK_FIELDS,
  check,
  head,
  lastData,
  loadTestMaterial,
  MESSAGE,
  openLineRate,
  WAIT,
} from "../support/line-rate.ts";

const MAX_MESSAGE = 100_000;
const BODY = grpcMessage(MESSAGE);
const UNIMPLEMENTED = 12;
const INTERNAL = 13;
const INVALID_ARGUMENT = 3;
const RESOURCE_EXHAUSTED = 8;
const DEADLINE_EXCEEDED = 4;

const changed = (name: string, value: string): Buffer =>
  literals(CHECK_FIELDS.map(([each, old]) => [each, each === name ? value : old] as const));
const withLines = (...lines: readonly (readonly [name: string, value: string])[]): Buffer =>
  literals([...CHECK_FIELDS, ...lines]);
const body = (stream: number, bytes: Uint8Array, block: Uint8Array = CHECK_BLOCK): Buffer =>
  Buffer.concat([head(stream, block), lastData(stream, bytes)]);

/** A plain HTTP answer for what is no gRPC. */
const notGrpc: Outcome = answers(1, ({ blocks, data }) => {
  assert.equal(blocks[0]?.[":status"], "415");
  assert.match(blocks[0]?.["content-type"] ?? "", /^text\/plain/);
  assert.equal(blocks[0]?.["grpc-status"], undefined);
  assert.ok(data.length > 0 && data.length < 200, `a short body: ${data}`);
});

const TEXT = changed("content-type", "text/plain");
const requests: readonly Http2Case[] = [
  [
    "GET",
    [
      head(
        1,
        literals([
          [":method", "GET"],
          [":scheme", "http"],
          [":path", "/"],
          [":authority", "pdp"],
        ]),
        END_HEADERS | END_STREAM,
      ),
    ],
    notGrpc,
  ],
  ["GET with the headers of gRPC", [head(1, changed(":method", "GET"), END_HEADERS | END_STREAM)], notGrpc],
  [
    "POST without a content-type",
    [check(1, MESSAGE, literals(CHECK_FIELDS.filter(([name]) => name !== "content-type")))],
    notGrpc,
  ],
  ["POST of another type", [check(1, MESSAGE, changed("content-type", "application/json"))], notGrpc],
  [
    "POST of a type that only begins as gRPC's",
    [check(1, MESSAGE, changed("content-type", "application/grpcx"))],
    notGrpc,
  ],
  ["gRPC-Web", [check(1, MESSAGE, changed("content-type", "application/grpc-web"))], notGrpc],
  ["POST whose body comes in parts", [head(1, TEXT), frame(FRAME.DATA, 0, 1, BODY), lastData(1, BODY)], notGrpc],
  [
    "POST of more than anybody wants, before its end",
    [head(1, TEXT), repeat(2, () => frame(FRAME.DATA, 0, 1, Buffer.alloc(16_000)))],
    notGrpc,
  ],
  ["application/grpc+proto", [check(1, MESSAGE, changed("content-type", "application/grpc+proto"))], echoes([1])],
  [
    "application/grpc;charset=utf-8",
    [check(1, MESSAGE, changed("content-type", "application/grpc;charset=utf-8"))],
    echoes([1]),
  ],
  ["without te", [check(1, MESSAGE, literals(CHECK_FIELDS.filter(([name]) => name !== "te")))], echoes([1])],
  ...[
    "/envoy.service.auth.v2.Authorization/Check",
    "/envoy.service.auth.v3.Authorization/check",
    "/envoy.service.auth.v3.Authorization/Check/",
    `/${CHECK_PATH}`,
    `${CHECK_PATH}?x=1`,
    "/grpc.health.v1.Health/check",
    "/__proto__/constructor",
    "/",
  ].map(
    (path): Http2Case => [
      `there is no ${path}`,
      [check(1, MESSAGE, changed(":path", path))],
      grpcStatus(1, UNIMPLEMENTED),
    ],
  ),
  ["an unknown method whose body is still to come", [head(1, changed(":path", "/a/b"))], grpcStatus(1, UNIMPLEMENTED)],
];

const HEALTH = changed(":path", "/grpc.health.v1.Health/Check");
const serving = (status: number): Outcome =>
  answers(1, ({ data, blocks }) => {
    assert.deepEqual([...data], [0, 0, 0, 0, 2, 0x08, status]);
    assert.equal(blocks[1]?.["grpc-status"], "0");
  });
const health: readonly Http2Case[] = [
  ["of the server", [check(1, Buffer.alloc(0), HEALTH)], serving(1)],
  ["of `ready`", [check(1, Buffer.from("\x0a\x05ready"), HEALTH)], serving(1)],
  ["of a service that there is not", [check(1, Buffer.from("\x0a\x04nope"), HEALTH)], grpcStatus(1, 5)],
  [
    "in two DATA",
    [head(1, HEALTH), frame(FRAME.DATA, 0, 1, Buffer.alloc(4)), lastData(1, Buffer.alloc(1))],
    serving(1),
  ],
  ["of bytes that are no message", [check(1, Buffer.from([0x0a, 0x7f]), HEALTH)], grpcStatus(1, INVALID_ARGUMENT)],
];

/** Sends `bytes` in DATA of at most 16,384 bytes, with END_STREAM, and lets the answer come. */
const long = (stream: number, bytes: Buffer): Buffer =>
  Buffer.concat([
    windowUpdate(0, 1_000_000),
    windowUpdate(stream, 1_000_000),
    repeat(Math.ceil(bytes.length / 16_384), (at) => {
      const last = (at + 1) * 16_384 >= bytes.length;
      return frame(FRAME.DATA, last ? END_STREAM : 0, stream, bytes.subarray(at * 16_384, (at + 1) * 16_384));
    }),
  ]);
/** Waits until the server has let in more than the first window. */
const letIn = (stream: number) => (peer: RawPeer) =>
  peer.frame(`a WINDOW_UPDATE of ${stream}`, (seen) => seen.type === FRAME.WINDOW_UPDATE && seen.stream === stream);

const messages: readonly Http2Case[] = [
  ["an empty message", [check(1, Buffer.alloc(0))], echoes([1], Buffer.alloc(0))],
  [
    "a prefix in five DATA",
    [head(1), repeat(5, (at) => frame(FRAME.DATA, 0, 1, BODY.subarray(at, at + 1))), lastData(1, BODY.subarray(5))],
    echoes([1]),
  ],
  [
    "the largest message",
    [
      head(1),
      frame(FRAME.DATA, 0, 1, grpcMessage(Buffer.alloc(MAX_MESSAGE)).subarray(0, 5)),
      letIn(1),
      long(1, Buffer.alloc(MAX_MESSAGE)),
    ],
    echoes([1], Buffer.alloc(MAX_MESSAGE)),
  ],
  [
    "a message of one byte more is refused by its prefix",
    [head(1), frame(FRAME.DATA, 0, 1, Buffer.concat([Buffer.from([0]), uint32(MAX_MESSAGE + 1)]))],
    grpcStatus(1, RESOURCE_EXHAUSTED),
  ],
  [
    "a message of 4 GiB is refused by its prefix",
    [head(1), frame(FRAME.DATA, 0, 1, Buffer.from("00ffffffff", "hex"))],
    grpcStatus(1, RESOURCE_EXHAUSTED),
  ],
  ["no message", [head(1), lastData(1, Buffer.alloc(0))], grpcStatus(1, UNIMPLEMENTED)],
  ["no body", [head(1, CHECK_BLOCK, END_HEADERS | END_STREAM)], grpcStatus(1, UNIMPLEMENTED)],
  ["two messages", [body(1, Buffer.concat([BODY, BODY]))], grpcStatus(1, UNIMPLEMENTED)],
  [
    "a message and the beginning of another",
    [body(1, Buffer.concat([BODY, Buffer.from([0])]))],
    answers(1, ({ blocks }) => assert.match(blocks[0]?.["grpc-status"] ?? "", /^(12|13)$/)),
  ],
  ...Array.from(
    { length: BODY.length - 1 },
    (_, at): Http2Case => [
      `a message cut off after ${at + 1} bytes`,
      [body(1, BODY.subarray(0, at + 1))],
      answers(1, ({ blocks }) => assert.match(blocks[0]?.["grpc-status"] ?? "", /^(12|13)$/)),
    ],
  ),
  [
    "an unknown flag",
    [body(1, grpcMessage(MESSAGE, 2))],
    answers(1, ({ blocks }) => assert.notEqual(blocks[0]?.["grpc-status"], undefined)),
  ],
];

const GZIP = withLines(["grpc-encoding", "gzip"]);
const compressed: readonly Http2Case[] = [
  ["gzip", [body(1, grpcMessage(gzipSync(MESSAGE), 1), GZIP)], echoes([1])],
  ["gzip announced, and a message without", [check(1, MESSAGE, GZIP)], echoes([1])],
  ["gzip of an empty message", [body(1, grpcMessage(gzipSync(""), 1), GZIP)], echoes([1], Buffer.alloc(0))],
  [
    "gzip in one byte per DATA",
    [
      head(1, GZIP),
      ...[...grpcMessage(gzipSync(MESSAGE), 1)].map((byte) => frame(FRAME.DATA, 0, 1, Buffer.from([byte]))),
      lastData(1, Buffer.alloc(0)),
    ],
    echoes([1]),
  ],
  [
    "gzip of the largest message",
    [
      windowUpdate(0, 1_000_000),
      head(1, GZIP),
      windowUpdate(1, 1_000_000),
      lastData(1, grpcMessage(gzipSync(Buffer.alloc(MAX_MESSAGE)), 1)),
    ],
    echoes([1], Buffer.alloc(MAX_MESSAGE)),
  ],
  [
    "gzip of one byte more",
    [body(1, grpcMessage(gzipSync(Buffer.alloc(MAX_MESSAGE + 1)), 1), GZIP)],
    grpcStatus(1, RESOURCE_EXHAUSTED),
  ],
  [
    "a bomb of gzip, 15 MiB in 15 KiB",
    [body(1, grpcMessage(gzipSync(Buffer.alloc(15 << 20)), 1), GZIP)],
    grpcStatus(1, RESOURCE_EXHAUSTED),
  ],
  ["gzip that is none", [body(1, grpcMessage(Buffer.from("not gzip"), 1), GZIP)], grpcStatus(1, INTERNAL)],
  ["gzip that is cut off", [body(1, grpcMessage(gzipSync(MESSAGE).subarray(0, -4), 1), GZIP)], grpcStatus(1, INTERNAL)],
  ["identity", [check(1, MESSAGE, withLines(["grpc-encoding", "identity"]))], echoes([1])],
  ["the flag without an encoding", [body(1, grpcMessage(MESSAGE, 1))], grpcStatus(1, INTERNAL)],
  [
    "the flag with identity",
    [body(1, grpcMessage(MESSAGE, 1), withLines(["grpc-encoding", "identity"]))],
    grpcStatus(1, INTERNAL),
  ],
  ...["zstd", "snappy", "GZIP", "gzip, identity", ""].map(
    (encoding): Http2Case => [
      `an encoding of \`${encoding}\``,
      [body(1, grpcMessage(deflateSync(MESSAGE), 1), withLines(["grpc-encoding", encoding]))],
      grpcStatus(1, UNIMPLEMENTED),
    ],
  ),
  [
    "an unknown encoding is told which ones there are",
    [body(1, grpcMessage(MESSAGE, 1), withLines(["grpc-encoding", "br"]))],
    answers(1, ({ blocks }) => {
      const accepted = (blocks[0]?.["grpc-accept-encoding"] ?? "").split(/, ?/).sort();
      assert.ok(accepted.includes("gzip") && accepted.includes("identity"), `${accepted}`);
    }),
  ],
];

const timeouts: readonly Http2Case[] = [
  ...["1S", "99999999H", "10M", "500m", "90000000u", "99999999n"].map(
    (timeout): Http2Case => [
      `a timeout of ${timeout}`,
      [check(1, MESSAGE, withLines(["grpc-timeout", timeout]))],
      echoes([1]),
    ],
  ),
  ...["", "soon", "1", "S", "1s", "-1S", "1.5S", "100000000S", "1 S", "0x1S", "1SS"].map(
    (timeout): Http2Case => [
      `a timeout of \`${timeout}\``,
      [check(1, MESSAGE, withLines(["grpc-timeout", timeout]))],
      grpcStatus(1, INTERNAL),
    ],
  ),
  [
    "a timeout that ends before the message is whole",
    [head(1, withLines(["grpc-timeout", "20m"]))],
    grpcStatus(1, DEADLINE_EXCEEDED),
  ],
  [
    "a timeout that ends before the handler",
    [check(1, WAIT, withLines(["grpc-timeout", "20m"]))],
    grpcStatus(1, DEADLINE_EXCEEDED),
  ],
];

describe("gRPC over HTTP/2", () => {
  for (const tls of [false, true]) {
    test(tls ? "behind TLS" : "in cleartext", async (t) => {
      const limits = { maxMessageBytes: MAX_MESSAGE };
      const server = await openLineRate(t, { limits, ...(tls && { accept: { tls: await loadTestMaterial(t) } }) });
      for (const [name, cases] of Object.entries({ requests, health, messages, compressed, timeouts })) {
        await t.test(name, (inner) => runCases(inner, server, cases, tls));
      }
    });
  }

  test("an answer to a request that is not whole is followed by RST_STREAM(NO_ERROR), and what still comes is dropped", async (t) => {
    const peer = (await openLineRate(t)).dial();
    peer.send(head(1, changed(":path", "/a/b")));
    const reset = await peer.frame("RST_STREAM", (seen) => seen.type === FRAME.RST_STREAM && seen.stream === 1);
    assert.equal(reset.payload.readUInt32BE(0), 0);
    peer.send(lastData(1, BODY), check(3));
    assertEcho(await peer.answer(3));
    assert.equal(peer.frames.filter((seen) => seen.type === FRAME.GOAWAY).length, 0);
  });

  test("a cancelled check runs what waits for that, and is not answered", async (t) => {
    let cancelled = 0;
    const { dial } = await openLineRate(t, {
      handler: (bytes, call) => {
        if (!Buffer.from(bytes).equals(WAIT)) return { kind: "message", bytes };
        assert.equal(call.cancelled(), false);
        return new Promise((resolve) =>
          call.onCancelled?.(() => {
            assert.equal(call.cancelled(), true);
            cancelled++;
            resolve({ kind: "message", bytes });
          }),
        );
      },
    });
    const peer = dial();
    peer.send(check(1, WAIT), check(3, WAIT));
    await peer.settled();
    peer.send(frame(FRAME.RST_STREAM, 0, 1, uint32(8)));
    await peer.settled();
    assert.equal(cancelled, 1);
    peer.socket.destroy();
    const other = dial();
    while (cancelled < 2) await other.settled();
    assert.deepEqual(
      peer.frames.filter((seen) => seen.stream === 1 || seen.stream === 3),
      [],
    );
  });
});
