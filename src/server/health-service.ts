// grpc.health.v1.Health on a grpc-js server: Check, List, and Watch with a bounded number of streams.
// A watcher that reads slowly is told the newest state when it can take it, so that it never makes us queue.

import {
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from "../base/grpc.ts";
import { HEALTH_SERVICES, type Health } from "./health.ts";
import {
  parseHealthCheckRequest,
  printHealthCheckResponse,
  printHealthListResponse,
  SERVING_STATUS,
  type ServingStatus,
} from "./health-messages.ts";

const PATH = "/grpc.health.v1.Health/";
const identity = (bytes: Buffer): Buffer => bytes;

/** The health methods of one server. */
export interface HealthService {
  /** Watch streams open now. */
  readonly watches: number;
  /** Ends every Watch with UNAVAILABLE, so that open ones don't hold up a drain; later ones end at once. */
  end(): void;
}

/** Adds the health methods to `server`. */
export function addHealthService(server: Server, health: Health, maxWatches: number): HealthService {
  const watches = new Map<ServerWritableStream<Buffer, Buffer>, () => void>();
  let ended = false;
  const check = (call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) => {
    const service = parseHealthCheckRequest(call.request);
    if (!service.ok) return reply({ code: status.INVALID_ARGUMENT, details: "unreadable request" });
    const serving = health.isServing(service.value);
    if (serving === undefined) return reply({ code: status.NOT_FOUND, details: "unknown service" });
    return reply(null, printHealthCheckResponse(toStatus(serving)));
  };
  const list = (_call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) => {
    const known = HEALTH_SERVICES.map((name) => [name, toStatus(health.isServing(name))] as const);
    reply(null, printHealthListResponse(new Map(known)));
  };
  const watch = (call: ServerWritableStream<Buffer, Buffer>) => {
    const service = parseHealthCheckRequest(call.request);
    if (!service.ok) return endWith(call, status.INVALID_ARGUMENT, "unreadable request");
    if (ended) return endWith(call, status.UNAVAILABLE, "draining");
    if (watches.size >= maxWatches) return endWith(call, status.RESOURCE_EXHAUSTED, "too many watches");
    let told: ServingStatus | undefined;
    const tell = () => {
      const now = toStatus(health.isServing(service.value));
      if (now === told || call.writableNeedDrain) return;
      told = now;
      call.write(printHealthCheckResponse(now));
    };
    const unsubscribe = health.subscribe(tell);
    const forget = () => {
      watches.delete(call);
      unsubscribe();
      call.off("drain", tell);
    };
    watches.set(call, forget);
    call.on("drain", tell);
    call.once("cancelled", forget);
    call.once("close", forget);
    tell();
  };
  server.register(`${PATH}Check`, check, identity, identity, "unary");
  server.register(`${PATH}List`, list, identity, identity, "unary");
  server.register(`${PATH}Watch`, watch, identity, identity, "serverStream");
  return {
    get watches() {
      return watches.size;
    },
    end: () => {
      ended = true;
      for (const [call, forget] of [...watches]) {
        forget();
        endWith(call, status.UNAVAILABLE, "draining");
      }
    },
  };
}

function toStatus(serving: boolean | undefined): ServingStatus {
  if (serving === undefined) return SERVING_STATUS.serviceUnknown;
  return serving ? SERVING_STATUS.serving : SERVING_STATUS.notServing;
}

function endWith(call: ServerWritableStream<Buffer, Buffer>, code: number, details: string): void {
  // grpc-js turns an `error` event of the stream into the status that ends the call.
  call.emit("error", { code, details });
}
