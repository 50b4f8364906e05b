// What every listener offers, whatever speaks HTTP/2 inside: it takes accepted connections, answers Check through a
// `CheckHandler`, serves gRPC health, and lets go of its connections without losing a call.

import type { Socket } from "node:net";
import type { CheckHandler } from "../authz/check-handler.ts";
import type { Clock } from "../base/clock.ts";
import type { ConnectionEnd } from "../telemetry/http2-catalogue.ts";
import type { Health } from "./health.ts";
import type { Http2Limits } from "./http2/limits.ts";
import type { Peer } from "./peer.ts";

/** The only method that decides. SPEC: envoy.service.auth.v3.Authorization; v2 is answered UNIMPLEMENTED. */
export const CHECK_PATH = "/envoy.service.auth.v3.Authorization/Check";

/** What is not given is as DEFAULT_LIMITS has it. @grpc/grpc-js knows messages, streams (1000 unless given) and keep-alive, and leaves the rest alone. */
export interface ListenerLimits extends Partial<Http2Limits> {
  /**
   * Open health Watch streams over all connections, on the line-rate listener together with those of reflection; more end with
   * RESOURCE_EXHAUSTED. Default 256.
   */
  readonly maxWatches?: number;
}

export interface ListenerOptions {
  readonly handler: CheckHandler;
  readonly clock: Clock;
  readonly health: Health;
  readonly limits?: ListenerLimits;
  /** Told of what must not happen: a handler that threw. Must not throw. */
  onFault(error: unknown): void;
  /** Told that a connection is being ended, and why, by a listener that counts it. Must not throw. */
  onEnding?(peer: Peer, reason: ConnectionEnd): void;
}

/** A speaker of gRPC over connections that accept.ts has taken. */
export interface Listener {
  /** Takes over one connection; each has a `peer` of its own. Checks are refused with UNAUTHENTICATED, and the connection ended, once `peer` may not ask. */
  take(socket: Socket, peer: Peer): void;
  /**
   * Looks whether every peer may still ask, and ends the connections of those that may not, so that they can come back with what
   * counts now before their next check meets the refusal. For when something has changed that peers are held against.
   */
  review(): Promise<void>;
  /** Connections held now. */
  readonly connections: number;
  /** Checks whose headers have come and whose reply has not been written yet. */
  readonly checksInFlight: number;
  /** Calls that ended in INTERNAL because the handler threw. */
  readonly faults: number;
  /**
   * Asks every peer to go elsewhere, answers all calls that reach us meanwhile, and closes; connections that are
   * still open after `graceMs` are cut. Resolves with how many were cut.
   */
  drain(graceMs: number): Promise<number>;
  /** Cuts every connection now. */
  close(): void;
}
