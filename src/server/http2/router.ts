// What answers a request of the line-rate listener: Check and unary health here, streams in the relay, a status or 415 for the rest.

import type { CheckHandler } from "../../authz/check-handler.ts";
import type { Clock } from "../../base/clock.ts";
import { systemTimers, type Timers } from "../../base/timers.ts";
import type { Health } from "../health.ts";
import type { Peer } from "../peer.ts";
import { type CheckPorts, UnaryCheck } from "./check-call.ts";
import type { Http2Counts } from "./counts.ts";
import { Unpacker } from "./grpc-compression.ts";
import { Deadlines } from "./grpc-deadlines.ts";
import { createRequestReader } from "./grpc-request.ts";
import { REFUSALS, type Refusal } from "./grpc-response.ts";
import { type HealthPorts, UnaryHealth } from "./health-call.ts";
import type { Http2Limits } from "./limits.ts";
import { NotGrpcRequest } from "./not-grpc.ts";
import type { Http2Stream, OpenStream, StreamReceiver } from "./stream.ts";

/** What answers, by what limits, and who is told. */
export interface RouterOptions {
  readonly handler: CheckHandler;
  readonly clock: Clock;
  /** Default: those of the machine. They run when `clock` says that a deadline has passed. */
  readonly timers?: Timers;
  readonly health: Health;
  readonly limits: Pick<Http2Limits, "maxMessageBytes">;
  readonly counts: Http2Counts;
  /** What answers the paths of `relayedPaths`: Watch, reflection. Undefined: nothing does, and they are UNIMPLEMENTED. */
  readonly relay: OpenStream | undefined;
  relayedPaths(path: string): boolean;
  /** A check's headers have come … */
  onCheckStart(): void;
  /** … and it has been answered, or nobody waits for it any more: once for each. */
  onCheckEnd(): void;
  /** A check was refused because its peer may not ask any more: told after the refusal was sent. */
  onRefused(peer: Peer): void;
  /** Told of what must not happen. Must not throw. */
  onFault(error: unknown): void;
}

/** One for all connections of a listener. */
export function createRouter(options: RouterOptions): OpenStream {
  const { clock, counts, health, relay } = options;
  const { maxMessageBytes } = options.limits;
  const ports: CheckPorts & HealthPorts = {
    clock,
    maxMessageBytes,
    counts,
    deadlines: new Deadlines(clock, options.timers ?? systemTimers),
    unpacker: new Unpacker({ maxMessageBytes }),
    health,
    handler: options.handler,
    onCheckEnd: () => options.onCheckEnd(),
    onRefused: (peer) => options.onRefused(peer),
    onFault: (error) => options.onFault(error),
  };
  const readRequest = createRequestReader();
  const refuse = (stream: Http2Stream, { block, counted }: Refusal): undefined => {
    if (counted !== undefined) counts.streamRefusals[counted]++;
    stream.sendHeaders(block, true);
  };
  return (stream, list, endStream) => {
    const request = readRequest(list);
    const { kind, timeoutMs } = request;
    if (kind === "not_grpc") {
      counts.streamRefusals.not_grpc++;
      return begin(new NotGrpcRequest(stream, request.isHead), endStream);
    }
    if (kind === "other") {
      if (relay !== undefined && options.relayedPaths(request.path)) return relay(stream, list, endStream);
      return refuse(stream, REFUSALS.method_unknown);
    }
    if (timeoutMs === undefined) return refuse(stream, REFUSALS.timeout_unreadable);
    if (kind !== "check") return begin(new UnaryHealth(ports, stream, request, timeoutMs), endStream);
    options.onCheckStart();
    return begin(new UnaryCheck(ports, stream, request, timeoutMs), endStream);
  };
}

function begin(receiver: StreamReceiver, endStream: boolean): StreamReceiver | undefined {
  if (!endStream) return receiver;
  receiver.onEnd();
  return undefined;
}
