// The listener on @grpc/grpc-js: Check as raw bytes, and gRPC health. grpc-js answers everything else itself: UNIMPLEMENTED
// for unknown methods, 415 for what is not gRPC, RESOURCE_EXHAUSTED for large messages, DEADLINE_EXCEEDED when time is up.
// Its limits are listed in docs/decisions/listeners.md.

import { setImmediate as nextTurn } from "node:timers/promises";
import { injectConnection, Server } from "../base/grpc.ts";
import { createCheckMethod, toBuffer } from "./grpc-js-check.ts";
import { H2Connection } from "./h2-connection.ts";
import { addHealthService } from "./health-service.ts";
import { CHECK_PATH, type Listener, type ListenerOptions } from "./listener.ts";
import type { Peer } from "./peer.ts";

/** How long a peer may take to read the notice and go, before its connection gets the last GOAWAY. */
const NOTICE_MS = 1000;
/** After a refused check: long enough for the peer to read the refusal and finish what else it has open. */
const REFUSED_GRACE_MS = 1000;
/** The longest that a timer of Node waits. */
const MAX_TIMER_MS = 2 ** 31 - 1;

interface Held {
  readonly peer: Peer;
  /** Begins to close the connection without losing a call. */
  drain(graceMs: number): void;
  cut(): void;
}

/** Starts a listener that has no connections yet; `addServices` adds what it serves besides Check and health. */
export function createGrpcJsListener(options: ListenerOptions, addServices?: (server: Server) => void): Listener {
  const { limits = {} } = options;
  const server = new Server({
    "grpc.enable_channelz": 0,
    "grpc.max_receive_message_length": limits.maxReceiveBytes ?? 4 * 1024 * 1024,
    "grpc.max_concurrent_streams": limits.maxConcurrentStreams ?? 1000,
    "grpc.keepalive_time_ms": limits.keepAliveTimeMs ?? 30_000,
    "grpc.keepalive_timeout_ms": limits.keepAliveTimeoutMs ?? 10_000,
  });
  const connections = new Map<string, Held>();
  let taken = 0;
  let faults = 0;
  let checksInFlight = 0;
  const onCheckEnd = (): void => {
    checksInFlight--;
  };
  const onCall = (path: string): (() => void) | undefined => {
    if (path !== CHECK_PATH) return undefined;
    checksInFlight++;
    return onCheckEnd;
  };
  const check = createCheckMethod({
    handler: options.handler,
    clock: options.clock,
    peerOf: (connection) => connections.get(connection)?.peer,
    onRefused: (connection) => connections.get(connection)?.drain(REFUSED_GRACE_MS),
    onFault: (error) => {
      faults++;
      options.onFault(error);
    },
  });
  server.register(CHECK_PATH, check, toBuffer, (bytes: Buffer) => bytes, "unary");
  const health = addHealthService(server, options.health, limits.maxWatches ?? 256);
  addServices?.(server);
  let drainGraceMs: number | undefined;
  let closed = false;
  let onEmpty: (() => void) | undefined;

  let wantsReview = false;
  let reviewing: Promise<void> | undefined;
  /** One at a time; what changes meanwhile is followed by one more round. Never rejects. */
  const reviewAll = async (): Promise<void> => {
    do {
      wantsReview = false;
      for (const [name, held] of [...connections]) {
        if (!connections.has(name)) continue;
        try {
          if (held.peer.refusal() !== undefined) held.drain(REFUSED_GRACE_MS);
        } catch (error) {
          // Each check judges its peer again: this is no gate, and the others are to be reviewed all the same.
          faults++;
          options.onFault(error);
        }
        // PERF: a new bundle is a search of a path for each peer; checks go in between.
        await nextTurn();
      }
      await nextTurn();
    } while (wantsReview);
    reviewing = undefined;
  };
  const cut = (): number => {
    const left = connections.size;
    closed = true;
    for (const held of connections.values()) held.cut();
    connections.clear();
    server.forceShutdown();
    return left;
  };
  return {
    take: (socket, peer) => {
      if (closed) {
        socket.destroy();
        return;
      }
      const name = `${taken++}`;
      const connection = new H2Connection(socket);
      const injected = injectConnection(server, connection, { peer: name, onCall });
      let timer: NodeJS.Timeout | undefined;
      let leaving = false;
      const held: Held = {
        peer,
        drain: (graceMs) => {
          if (leaving) return;
          leaving = true;
          clearTimeout(timer);
          connection.sendGoawayNotice();
          timer = setTimeout(() => injected.drain(graceMs), Math.min(NOTICE_MS, graceMs / 2));
        },
        cut: () => socket.destroy(),
      };
      connections.set(name, held);
      socket.once("close", () => {
        clearTimeout(timer);
        injected.forget();
        connections.delete(name);
        if (connections.size === 0) onEmpty?.();
      });
      const { leave } = peer;
      if (leave !== undefined) {
        const wait = (leftMs: number): void => {
          const stepMs = Math.min(leftMs, MAX_TIMER_MS);
          timer = setTimeout(() => (leftMs > stepMs ? wait(leftMs - stepMs) : held.drain(leave.graceMs)), stepMs);
          timer.unref();
        };
        wait(leave.afterMs);
      }
      if (drainGraceMs !== undefined) held.drain(drainGraceMs);
    },
    review: () => {
      wantsReview = true;
      reviewing ??= reviewAll();
      return reviewing;
    },
    get connections() {
      return connections.size;
    },
    get checksInFlight() {
      return checksInFlight;
    },
    get faults() {
      return faults;
    },
    drain: async (graceMs) => {
      drainGraceMs = graceMs;
      health.end();
      const emptied = new Promise<void>((resolve) => {
        onEmpty = resolve;
        if (connections.size === 0) resolve();
      });
      for (const held of connections.values()) held.drain(graceMs);
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, graceMs);
      });
      await Promise.race([emptied, late]);
      clearTimeout(timer);
      return cut();
    },
    close: () => {
      cut();
    },
  };
}
