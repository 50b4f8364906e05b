// grpc.health.v1.Health/Check and /List on the line-rate listener. Watch, a stream, is relayed to where health-service.ts answers it.
// Anybody may ask, also a peer whose checks are refused: that is what probes are for.

import { HEALTH_SERVICES, type Health } from "../health.ts";
import {
  parseHealthCheckRequest,
  printHealthCheckResponse,
  printHealthListResponse,
  SERVING_STATUS,
  type ServingStatus,
} from "../health-messages.ts";
import type { GrpcRequest } from "./grpc-request.ts";
import { GRPC_STATUS } from "./grpc-status.ts";
import { type CallPorts, UnaryCall } from "./grpc-unary-call.ts";
import type { Http2Stream } from "./stream.ts";

/** What health calls share. */
export interface HealthPorts extends CallPorts {
  readonly health: Health;
}

/** One call of either method. */
export class UnaryHealth extends UnaryCall {
  readonly #health: Health;

  constructor(ports: HealthPorts, stream: Http2Stream, request: GrpcRequest, timeoutMs: number) {
    super(ports, stream, request, timeoutMs);
    this.#health = ports.health;
  }

  protected override run(message: Uint8Array): void {
    if (this.request.kind === "health_list") this.#list();
    else this.#check(message);
  }

  #check(message: Uint8Array): void {
    const service = parseHealthCheckRequest(message);
    const isServing = service.ok ? this.#health.isServing(service.value) : undefined;
    if (!service.ok) this.replyStatus(GRPC_STATUS.INVALID_ARGUMENT, "unreadable request");
    else if (isServing === undefined) this.replyStatus(GRPC_STATUS.NOT_FOUND, "unknown service");
    else this.reply(printHealthCheckResponse(toStatus(isServing)));
  }

  #list(): void {
    const known = HEALTH_SERVICES.map((name) => [name, toStatus(this.#health.isServing(name) === true)] as const);
    this.reply(printHealthListResponse(new Map(known)));
  }
}

const toStatus = (isServing: boolean): ServingStatus =>
  isServing ? SERVING_STATUS.serving : SERVING_STATUS.notServing;
