// The listener on @grpc/grpc-js: Check as raw bytes, and gRPC health. grpc-js answers everything else itself: UNIMPLEMENTED
// for unknown methods, 415 for what is not gRPC, RESOURCE_EXHAUSTED for large messages, DEADLINE_EXCEEDED when time is up.
// Its limits are listed in docs/decisions/listeners.md.

import { injectConnection, Server } from "../base/grpc.ts";
import { createCheckMethod, toBuffer } from "./grpc-js-check.ts";
import { H2Connection } from "./h2-connection.ts";
import { addHealthService } from "./health-service.ts";
import { createHeldConnections, type HeldConnection, REFUSED_GRACE_MS } from "./held-connections.ts";
import { CHECK_PATH, type Listener, type ListenerOptions } from "./listener.ts";

interface GrpcJsConnection extends HeldConnection {
  /** What `getPeer()` of its calls gives. */
  readonly name: string;
}

/** Starts a listener that has no connections yet; `addServices` adds what it serves besides Check and health. */
export function createGrpcJsListener(options: ListenerOptions, addServices?: (server: Server) => void): Listener {
  const { limits = {} } = options;
  const server = new Server({
    "grpc.enable_channelz": 0,
    "grpc.max_receive_message_length": limits.maxMessageBytes ?? 4 * 1024 * 1024,
    "grpc.max_concurrent_streams": limits.maxConcurrentStreams ?? 1000,
    "grpc.keepalive_time_ms": limits.keepAliveTimeMs ?? 30_000,
    "grpc.keepalive_timeout_ms": limits.keepAliveTimeoutMs ?? 10_000,
  });
  let faults = 0;
  const onFault = (error: unknown): void => {
    faults++;
    options.onFault(error);
  };
  const held = createHeldConnections<GrpcJsConnection>(onFault);
  const named = new Map<string, GrpcJsConnection>();
  let taken = 0;
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
    peerOf: (name) => named.get(name)?.peer,
    onRefused: (name) => {
      const connection = named.get(name);
      if (connection !== undefined) held.leave(connection, REFUSED_GRACE_MS, "peer_refused");
    },
    onFault,
  });
  server.register(CHECK_PATH, check, toBuffer, (bytes: Buffer) => bytes, "unary");
  const health = addHealthService(server, options.health, limits.maxWatches ?? 256);
  addServices?.(server);
  return {
    take: (socket, peer) => {
      if (held.isClosed) {
        socket.destroy();
        return;
      }
      const name = `${taken++}`;
      const stream = new H2Connection(socket);
      const injected = injectConnection(server, stream, { peer: name, onCall });
      const connection: GrpcJsConnection = {
        name,
        peer,
        sendGoawayNotice: () => stream.sendGoawayNotice(),
        finish: (graceMs) => injected.drain(graceMs),
        cut: () => socket.destroy(),
      };
      named.set(name, connection);
      socket.once("close", () => {
        injected.forget();
        named.delete(name);
        held.forget(connection);
      });
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
      health.end();
      const cut = await held.drain(graceMs);
      server.forceShutdown();
      return cut;
    },
    close: () => {
      held.cutAll();
      server.forceShutdown();
    },
  };
}
