// The listener on @grpc/grpc-js: Check as raw bytes, and gRPC health. grpc-js answers everything else itself: UNIMPLEMENTED
// for unknown methods, 415 for what is not gRPC, RESOURCE_EXHAUSTED for large messages, DEADLINE_EXCEEDED when time is up.
// Its limits are listed in docs/decisions/listeners.md.

import type { Pep } from "../authz/check-handler.ts";
import { injectConnection, Server } from "../base/grpc.ts";
import { createCheckMethod, toBuffer } from "./grpc-js-check.ts";
import { H2Connection } from "./h2-connection.ts";
import { addHealthService } from "./health-service.ts";
import { toPlainIp } from "./listen-address.ts";
import { CHECK_PATH, type Listener, type ListenerOptions } from "./listener.ts";

/** How long a peer may take to read the notice and go, before its connection gets the last GOAWAY. */
const NOTICE_MS = 1000;

interface Held {
  readonly pep: Pep;
  /** Begins to close the connection without losing a call. */
  drain(graceMs: number): void;
  cut(): void;
}

/** Starts a listener that has no connections yet. */
export function createGrpcJsListener(options: ListenerOptions): Listener {
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
  const check = createCheckMethod({
    handler: options.handler,
    clock: options.clock,
    pepOf: (connection) => connections.get(connection)?.pep,
    onFault: (error) => {
      faults++;
      options.onFault(error);
    },
  });
  server.register(CHECK_PATH, check, toBuffer, (bytes: Buffer) => bytes, "unary");
  const health = addHealthService(server, options.health, limits.maxWatches ?? 256);
  let drainGraceMs: number | undefined;
  let closed = false;
  let onEmpty: (() => void) | undefined;

  const cut = (): number => {
    const left = connections.size;
    closed = true;
    for (const held of connections.values()) held.cut();
    connections.clear();
    server.forceShutdown();
    return left;
  };
  return {
    take: (socket) => {
      if (closed) {
        socket.destroy();
        return;
      }
      const { remoteAddress } = socket;
      const pep: Pep = { address: remoteAddress === undefined ? "unix" : toPlainIp(remoteAddress), verified: false };
      const name = `${taken++}`;
      const connection = new H2Connection(socket);
      const injected = injectConnection(server, connection, name);
      let timer: NodeJS.Timeout | undefined;
      const held: Held = {
        pep,
        drain: (graceMs) => {
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
      if (drainGraceMs !== undefined) held.drain(drainGraceMs);
    },
    get connections() {
      return connections.size;
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
