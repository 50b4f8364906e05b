// What the line-rate listener does not speak itself (health Watch, reflection) goes, stream by stream, to a grpc-js server in the
// same process, through an HTTP/2 client of Node and a pair of streams in memory; headers, bytes and trailers pass as they are.
// Each connection of ours that relays has a connection of its own in there, for as long as a stream of it is open:
// SECURITY: what Node and grpc-js do to a connection that misbehaves (rapid resets, too many header lines) meets the peer that
// caused it, and no neighbour. Not relayed: PING, SETTINGS, GOAWAY; a connection's ends are ended here.

import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { duplexPair } from "node:stream";
import { type Clock, systemClock } from "../../base/clock.ts";
import { injectConnection, type Server, status } from "../../base/grpc.ts";
import type { Peer } from "../peer.ts";
import { ERROR_CODE } from "./error-code.ts";
import { FloodGuard } from "./flood-guard.ts";
import { encodeHeaderBlock } from "./header-block.ts";
import type { HeaderList } from "./header-list.ts";
import { toRequestHeaders } from "./relay-headers.ts";
import { RelayedStream } from "./relayed-stream.ts";
import type { OpenStream } from "./stream.ts";

/** Relayed streams open at once unless the listener's limits say otherwise. */
export const DEFAULT_MAX_RELAYED = 256;

/**
 * Streams a second that are relayed over all connections, after as many as may be open at once. SECURITY: one costs 0.3 ms,
 * and 1.5 ms where its connection has no other, against 3 µs of a check; and it is over when its peer likes, with a deadline of no
 * time for one: five hundred a second would leave nothing for checks. Watches are opened when a client starts.
 */
export const DEFAULT_MAX_RELAYED_PER_SECOND = 50;

export interface RelayOptions {
  /** Open at once over all connections. */
  readonly maxStreams?: number;
  readonly maxStreamsPerSecond?: number;
  readonly clock?: Clock;
  /** Told of a stream that could not be opened inside. */
  onFault(error: unknown): void;
}

/** The way to the server inside. */
export interface Relay {
  readonly open: OpenStream;
  /** Streams that are relayed now. */
  readonly streams: number;
  /** Connections that the server inside has from us. */
  readonly lines: number;
  /** Ends every relayed stream, and the server inside. */
  close(): void;
}

/** The connection of one of our connections to the server inside. */
interface Line {
  readonly session: ClientHttp2Session;
  /** Streams open on it. */
  streams: number;
  /** Streams that Node has not let go of yet: more than are open. */
  kept: number;
  /** Ends it and what it has open; can be called again. */
  end(): void;
}

/**
 * Streams that were reset and that Node still keeps; beyond them the connection inside ends. SECURITY: after many resets in a row
 * (CVE-2023-44487) nghttp2 reads nothing more, so Node would keep every later stream for ever.
 */
const MAX_KEPT = 128;

const TOO_MANY = encodeHeaderBlock([
  { name: ":status", value: "200" },
  { name: "content-type", value: "application/grpc+proto" },
  { name: "grpc-status", value: `${status.RESOURCE_EXHAUSTED}` },
  { name: "grpc-message", value: "too many watches" },
]);

/**
 * Starts no server before the first stream comes. Streams beyond the limits end with RESOURCE_EXHAUSTED.
 */
export function createRelay(
  createServer: () => Server,
  {
    maxStreams = DEFAULT_MAX_RELAYED,
    maxStreamsPerSecond = DEFAULT_MAX_RELAYED_PER_SECOND,
    clock = systemClock,
    onFault,
  }: RelayOptions,
): Relay {
  const guard = new FloodGuard(maxStreamsPerSecond, 0, clock.monotonicMs(), maxStreams + maxStreamsPerSecond);
  const lines = new Map<Peer, Line>();
  let server: Server | undefined;
  let isClosed = false;
  let streams = 0;
  let open = 0;

  const openLine = (peer: Peer): Line => {
    server ??= createServer();
    const [near, far] = duplexPair();
    const injected = injectConnection(server, far, { peer: peer.pep.address, onCall: () => undefined });
    const session = connect("http://relay", { createConnection: () => near, settings: { enablePush: false } });
    let isOpen = true;
    const line: Line = {
      session,
      streams: 0,
      kept: 0,
      end: () => {
        if (!isOpen) return;
        isOpen = false;
        open--;
        if (lines.get(peer) === line) lines.delete(peer);
        session.destroy();
        // Neither end of a pair learns by itself that the other one is destroyed.
        near.destroy();
        far.destroy();
        injected.forget();
      },
    };
    open++;
    // Its streams are told too, each for itself.
    session.on("error", () => undefined);
    session.once("close", line.end);
    far.once("close", line.end);
    lines.set(peer, line);
    return line;
  };
  const lineOf = (peer: Peer): Line => {
    const line = lines.get(peer);
    return line === undefined || line.session.closed || line.session.destroyed ? openLine(peer) : line;
  };
  const openInside = (line: Line, list: HeaderList, endStream: boolean): ClientHttp2Stream => {
    const inside = line.session.request(toRequestHeaders(list), { endStream });
    line.kept++;
    inside.once("close", () => {
      line.kept--;
    });
    return inside;
  };
  const onOver = (line: Line): void => {
    streams--;
    line.streams--;
    // With no stream left there is nothing to wait for; Node would wait for what it keeps.
    if (line.streams === 0 || line.kept - line.streams > MAX_KEPT) line.end();
  };

  return {
    open: (stream, list, endStream) => {
      if (isClosed || streams >= maxStreams || !guard.admit(clock.monotonicMs())) {
        stream.sendHeaders(TOO_MANY, true);
        return undefined;
      }
      try {
        const line = lineOf(stream.peer);
        const relayed = new RelayedStream(stream, openInside(line, list, endStream), endStream, () => onOver(line));
        streams++;
        line.streams++;
        return relayed;
      } catch (error) {
        stream.reset(ERROR_CODE.INTERNAL_ERROR);
        onFault(error);
        return undefined;
      }
    },
    get streams() {
      return streams;
    },
    get lines() {
      return open;
    },
    close: () => {
      isClosed = true;
      for (const line of [...lines.values()]) line.end();
      server?.forceShutdown();
    },
  };
}
