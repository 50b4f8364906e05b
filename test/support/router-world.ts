// The gRPC layer of the line-rate listener in process: a router over recorded streams and a clock that is moved by hand.

import assert from "node:assert/strict";
import type { CheckCall, CheckHandler } from "../../src/authz/check-handler.ts";
import { createHealth, type Health } from "../../src/server/health.ts";
import { createHttp2Counts, type Http2Counts } from "../../src/server/http2/counts.ts";
import { createRouter, type RouterOptions } from "../../src/server/http2/router.ts";
import type { OpenStream, StreamReceiver } from "../../src/server/http2/stream.ts";
import { CHECK_PATH } from "../../src/server/listener.ts";
import type { Peer } from "../../src/server/peer.ts";
import { createManualClock, type ManualClock } from "./manual-clock.ts";
import { createRecordedStream, headerList, type RecordedStream } from "./recorded-stream.ts";

/** One call into the router. */
export interface OpenedCall {
  readonly stream: RecordedStream;
  /** Undefined when the request was answered from its headers. */
  readonly receiver: StreamReceiver | undefined;
  data(bytes: Uint8Array): void;
  end(): void;
  /** The peer resets the stream. */
  reset(): void;
}

export interface RouterWorld {
  readonly open: OpenStream;
  readonly clock: ManualClock;
  readonly health: Health;
  readonly counts: Http2Counts;
  readonly faults: unknown[];
  readonly refused: Peer[];
  /** What the handler was given. */
  readonly requests: Buffer[];
  readonly calls: CheckCall[];
  /** Checks in flight; throws when it was ever below zero. */
  inFlight(): number;
  /** Checks begun. */
  started(): number;
  /** Opens a stream with the lines of a Check, and these besides or in their place (`undefined` leaves one out). */
  call(
    lines?: Readonly<Record<string, string | undefined>>,
    options?: { peer?: Peer; endStream?: boolean },
  ): OpenedCall;
  /** A whole call: headers, one DATA frame, its end. */
  send(body: Uint8Array, lines?: Readonly<Record<string, string | undefined>>, peer?: Peer): RecordedStream;
}

const CHECK_LINES = {
  ":method": "POST",
  ":scheme": "http",
  ":path": CHECK_PATH,
  ":authority": "authz",
  te: "trailers",
  "content-type": "application/grpc",
};

/** A router whose handler echoes unless told otherwise. */
export function createRouterWorld(
  handler: CheckHandler = (bytes) => ({ kind: "message", bytes }),
  options: Partial<RouterOptions> = {},
): RouterWorld {
  const clock = createManualClock();
  const health = createHealth();
  const counts = createHttp2Counts();
  const faults: unknown[] = [];
  const refused: Peer[] = [];
  const requests: Buffer[] = [];
  const calls: CheckCall[] = [];
  let started = 0;
  let ended = 0;
  const open = createRouter({
    handler: (bytes, call) => {
      requests.push(Buffer.from(bytes));
      calls.push(call);
      return handler(bytes, call);
    },
    clock,
    timers: clock.timers,
    health,
    limits: { maxMessageBytes: 4 * 1024 * 1024 },
    counts,
    relay: undefined,
    relayedPaths: () => false,
    onCheckStart: () => {
      started++;
    },
    onCheckEnd: () => {
      ended++;
      assert.ok(ended <= started, "a check ended twice");
    },
    onRefused: (peer) => refused.push(peer),
    onFault: (error) => faults.push(error),
    ...options,
  });
  const world: RouterWorld = {
    open,
    clock,
    health,
    counts,
    faults,
    refused,
    requests,
    calls,
    inFlight: () => started - ended,
    started: () => started,
    call: (lines = {}, { peer, endStream = false } = {}) => {
      const stream = createRecordedStream(peer);
      const all = Object.entries({ ...CHECK_LINES, ...lines }).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, value] as const],
      );
      const receiver = open(stream, headerList(all), endStream);
      return {
        stream,
        receiver,
        data: (bytes) => receiver?.onData(Buffer.from(bytes)),
        end: () => receiver?.onEnd(),
        reset: () => {
          stream.isOpen = false;
          receiver?.onReset();
        },
      };
    },
    send: (body, lines, peer) => {
      const call = world.call(lines, peer === undefined ? {} : { peer });
      call.data(body);
      call.end();
      return call.stream;
    },
  };
  return world;
}
