// A line-rate listener for tests that write their own frames: a handler that does what the message says, limits of the test's
// own, and what it has counted.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { CheckHandler } from "../../src/authz/check-handler.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { AcceptOptions } from "../../src/server/accept.ts";
import { openCheckServer } from "../../src/server/check-server.ts";
import { createHealth, type Health } from "../../src/server/health.ts";
import type { Http2Counts } from "../../src/server/http2/counts.ts";
import type { Http2Limits } from "../../src/server/http2/limits.ts";
import { createLineRateListener } from "../../src/server/line-rate-listener.ts";
import { parseListenAddress } from "../../src/server/listen-address.ts";
import { CHECK_PATH, type Listener } from "../../src/server/listener.ts";
import type { TlsMaterial } from "../../src/server/tls-material.ts";
import { createTestAuthority } from "./ca.ts";
import { END_HEADERS, END_STREAM, FRAME, frame, grpcMessage, literals } from "./h2-frames.ts";
import { openRawPeer, type RawPeer, type RawPeerOptions } from "./h2-raw-peer.ts";
import { makeFolder } from "./open-check-server.ts";
import { loadMaterial } from "./tls-server.ts";

/** The message whose check is answered when it is cancelled, and not before. */
export const WAIT: Buffer = Buffer.from("wait");
/** The message whose answer has `bytes` bytes. */
export const answerOf = (bytes: number): Buffer => Buffer.from(`give ${bytes}`);
/** A message that is answered by itself. */
export const MESSAGE: Buffer = Buffer.from([0x0a, 0x00]);

const big = new Map<number, Buffer>();

/** Answers a check with its own bytes, unless it is one of the messages above. */
export const behave: CheckHandler = (bytes, call) => {
  const text = bytes.length < 20 ? Buffer.from(bytes).toString("latin1") : "";
  if (text === "wait") {
    return new Promise((resolve) => call.onCancelled?.(() => resolve({ kind: "message", bytes })));
  }
  const size = Number(/^give (\d+)$/.exec(text)?.[1] ?? -1);
  if (size < 0) return { kind: "message", bytes };
  if (!big.has(size)) big.set(size, Buffer.alloc(size, 0x61));
  return { kind: "message", bytes: big.get(size) ?? MESSAGE };
};

/** The header lines of a Check, in this order. */
export const CHECK_FIELDS: readonly (readonly [name: string, value: string])[] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", CHECK_PATH],
  [":authority", "pdp"],
  ["content-type", "application/grpc"],
  ["te", "trailers"],
];

/** Its header block. */
export const CHECK_BLOCK: Buffer = literals(CHECK_FIELDS);

/** HEADERS of a Check whose body is to come. */
export const head = (stream: number, block: Uint8Array = CHECK_BLOCK, flags = END_HEADERS): Buffer =>
  frame(FRAME.HEADERS, flags, stream, block);

/** DATA that ends its request. */
export const lastData = (stream: number, bytes: Uint8Array): Buffer => frame(FRAME.DATA, END_STREAM, stream, bytes);

/** A whole Check. */
export const check = (stream: number, message: Uint8Array = MESSAGE, block: Uint8Array = CHECK_BLOCK): Buffer =>
  Buffer.concat([head(stream, block), lastData(stream, grpcMessage(message))]);

export interface LineRateServer {
  readonly address: string;
  readonly listener: Listener;
  readonly http2: Http2Counts;
  readonly health: Health;
  readonly faults: unknown[];
  /** A connection of the test's own frames, gone when the test is. */
  dial(options?: RawPeerOptions): RawPeer;
  drain(options: { lameDuckMs: number; graceMs: number }): Promise<{ cut: number }>;
}

/** Opens one on 127.0.0.1, or on a unix socket, gone when the test is. */
export async function openLineRate(
  t: TestContext,
  options: {
    readonly limits?: Partial<Http2Limits>;
    readonly accept?: AcceptOptions;
    readonly unix?: boolean;
    readonly handler?: CheckHandler;
  } = {},
): Promise<LineRateServer> {
  const health = createHealth();
  health.setReady(true);
  const faults: unknown[] = [];
  const text = options.unix ? `unix:${join(makeFolder(t), "check.sock")}` : "127.0.0.1:0";
  const where = parseListenAddress(text);
  assert.ok(where.ok, text);
  let http2: Http2Counts | undefined;
  const opened = await openCheckServer({
    addresses: [where.value],
    accept: options.accept ?? {},
    listener: {
      handler: options.handler ?? behave,
      clock: systemClock,
      health,
      onFault: (error) => faults.push(error),
    },
    createListener: (listener) => {
      const created = createLineRateListener({ ...listener, limits: options.limits ?? {} });
      http2 = created.http2;
      return created;
    },
  });
  assert.ok(opened.ok, opened.ok ? "" : opened.detail);
  const server = opened.value;
  t.after(() => server.close());
  assert.ok(http2 !== undefined);
  const address = server.acceptors[0]?.text ?? "";
  return {
    address,
    listener: server.listener,
    http2,
    health,
    faults,
    dial: (peerOptions) => {
      const peer = openRawPeer(address, peerOptions);
      t.after(() => peer.socket.destroy());
      return peer;
    },
    drain: (times) => server.drain(times),
  };
}

/** TLS material of an authority of its own, without client certificates. */
export async function loadTestMaterial(t: TestContext): Promise<TlsMaterial> {
  const authority = await createTestAuthority();
  return loadMaterial(t, await authority.svid("/ns/authz/sa/svidgate"));
}
