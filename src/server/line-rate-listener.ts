// The listener on an HTTP/2 server of our own (http2/): Check and Health/Check are one synchronous run from bytes to bytes; health
// Watch and reflection are relayed to a grpc-js server in the same process, which starts when the first of them comes.
// Which limits hold is in http2/limits.ts, why there is such a server in docs/decisions/http2-server.md.

import { Server } from "../base/grpc.ts";
import { addHealthService, type HealthService } from "./health-service.ts";
import { createHeldConnections, REFUSED_GRACE_MS } from "./held-connections.ts";
import { createHttp2Counts, type Http2Counts } from "./http2/counts.ts";
import { DEFAULT_LIMITS, type Http2Limits } from "./http2/limits.ts";
import { createRelay, DEFAULT_MAX_RELAYED } from "./http2/relay.ts";
import { createRouter } from "./http2/router.ts";
import { SocketConnection } from "./http2/socket-connection.ts";
import { createUnfinishedBytes } from "./http2/unfinished-bytes.ts";
import type { Listener, ListenerOptions } from "./listener.ts";
import type { Peer } from "./peer.ts";
import { REFLECTION_PATHS } from "./reflection.ts";

/** How long open calls have to finish on a connection that has reached its age. */
const AGE_GRACE_MS = 10_000;
/** How far the age of a connection may be from what is configured, so that those made together don't come back together. */
const AGE_JITTER = 0.1;
const MAX_SWEEP_MS = 1000;
const MIN_SWEEP_MS = 10;
/** Largest message of a relayed stream: names of services and symbols. */
const MAX_RELAYED_BYTES = 64 * 1024;
const WATCH_PATH = "/grpc.health.v1.Health/Watch";

export interface LineRateOptions extends ListenerOptions {
  /** Where it counts why connections and streams end; its own unless given. */
  readonly counts?: Http2Counts;
  /** From 0 to 1; for the ages of connections. `Math.random` unless given. */
  readonly random?: () => number;
}

/** A listener that says why it ended connections and streams. */
export interface LineRateListener extends Listener {
  readonly http2: Http2Counts;
}

/** Starts a listener that has no connections yet; `addServices` adds reflection to the server that streams are relayed to. */
export function createLineRateListener(
  options: LineRateOptions,
  addServices?: (server: Server) => void,
): LineRateListener {
  const { clock, random = Math.random, counts = createHttp2Counts() } = options;
  const { maxWatches = DEFAULT_MAX_RELAYED, ...given } = options.limits ?? {};
  const limits: Http2Limits = { ...DEFAULT_LIMITS, ...given };
  let faults = 0;
  let checksInFlight = 0;
  const onFault = (error: unknown): void => {
    faults++;
    options.onFault(error);
  };
  const held = createHeldConnections<SocketConnection>(onFault);
  const byPeer = new Map<Peer, SocketConnection>();
  const unfinished = createUnfinishedBytes(limits.maxUnfinishedBytes, counts);

  let watches: HealthService | undefined;
  let isDraining = false;
  const createServer = (): Server => {
    const server = new Server({
      "grpc.enable_channelz": 0,
      "grpc.max_receive_message_length": Math.min(MAX_RELAYED_BYTES, limits.maxMessageBytes),
    });
    // The relay has counted them already.
    watches = addHealthService(server, options.health, Number.POSITIVE_INFINITY);
    if (isDraining) watches.end();
    addServices?.(server);
    return server;
  };
  const relay = createRelay(createServer, { maxStreams: maxWatches, clock, onFault });
  const relayedPaths = new Set<string>([WATCH_PATH, ...(addServices === undefined ? [] : REFLECTION_PATHS)]);
  const open = createRouter({
    handler: options.handler,
    clock,
    health: options.health,
    limits,
    counts,
    relay: relay.open,
    relayedPaths: (path) => relayedPaths.has(path),
    onCheckStart: () => {
      checksInFlight++;
    },
    onCheckEnd: () => {
      checksInFlight--;
    },
    onRefused: (peer) => {
      const connection = byPeer.get(peer);
      if (connection !== undefined) held.leave(connection, REFUSED_GRACE_MS, "peer_refused");
    },
    onFault,
  });

  // PERF: one timer for all connections.
  let sweeper: NodeJS.Timeout | undefined;
  const sweep = (): void => {
    const nowMs = clock.monotonicMs();
    for (const connection of held.values()) {
      connection.http2.sweep(nowMs);
      const { idleSinceMs } = connection.http2;
      if (nowMs >= connection.expiresMs) held.leave(connection, AGE_GRACE_MS, "max_age");
      else if (idleSinceMs !== undefined && nowMs - idleSinceMs >= limits.idleTimeoutMs)
        held.leave(connection, REFUSED_GRACE_MS, "idle");
    }
  };
  const cutAll = (): void => {
    held.cutAll();
    clearInterval(sweeper);
    relay.close();
  };
  return {
    http2: counts,
    take: (socket, peer) => {
      if (held.isClosed) {
        socket.destroy();
        return;
      }
      sweeper ??= setInterval(sweep, toSweepMs(limits)).unref();
      const jitter = 1 + AGE_JITTER * (2 * random() - 1);
      const connection: SocketConnection = new SocketConnection(socket, {
        peer,
        limits,
        open,
        clock,
        unfinished,
        counts,
        expiresMs: clock.monotonicMs() + limits.maxConnectionAgeMs * jitter,
        onFault,
        onEnding: (reason) => options.onEnding?.(peer, reason),
        onClose: () => {
          if (byPeer.get(peer) === connection) byPeer.delete(peer);
          held.forget(connection);
        },
      });
      byPeer.set(peer, connection);
      held.add(connection);
    },
    review: held.review,
    get connections() {
      return held.size;
    },
    get checksInFlight() {
      return checksInFlight;
    },
    get faults() {
      return faults;
    },
    drain: async (graceMs) => {
      isDraining = true;
      watches?.end();
      const cut = await held.drain(graceMs);
      cutAll();
      return cut;
    },
    close: cutAll,
  };
}

/** Often enough for the shortest of the times that a sweep looks at. */
function toSweepMs(limits: Http2Limits): number {
  const shortestMs = Math.min(
    limits.requestTimeoutMs,
    limits.writeTimeoutMs,
    limits.idleTimeoutMs,
    limits.maxConnectionAgeMs,
    limits.keepAliveTimeMs,
    limits.keepAliveTimeoutMs,
  );
  return Math.max(MIN_SWEEP_MS, Math.min(MAX_SWEEP_MS, shortestMs / 4));
}
