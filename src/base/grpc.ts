// The one door to @grpc/grpc-js and @grpc/proto-loader: nothing else imports them, so that their versions and quirks are known
// in one place. Holds no rules of ours.

import type { EventEmitter } from "node:events";
import type { Duplex } from "node:stream";
import * as grpc from "@grpc/grpc-js";
import type { PackageDefinition } from "@grpc/proto-loader";
import { packageRoot } from "./package-root.ts";

export type { ServerUnaryCall, ServerWritableStream, ServiceError, sendUnaryData } from "@grpc/grpc-js";
export { Client, credentials, loadPackageDefinition, Metadata, Server, status } from "@grpc/grpc-js";
export type { PackageDefinition } from "@grpc/proto-loader";

/** One connection that was accepted elsewhere, inside a grpc-js server. */
export interface InjectedConnection {
  /** Sends the last GOAWAY and closes once open calls are finished; cut after `graceMs`. */
  drain(graceMs: number): void;
  /** Lets go of what the server keeps for the connection. */
  forget(): void;
}

/** What is to be known of the calls on one connection. */
export interface ConnectionWatch {
  /** What `getPeer()` of its calls gives: grpc-js knows the peers of its own TCP sockets only. */
  readonly peer: string;
  /** Called when a call's headers have come; gives what is called when it has ended, however that was. */
  onCall(path: string): (() => void) | undefined;
}

/**
 * Gives `server` an HTTP/2 connection (prior knowledge, or behind TLS that was made elsewhere). Each connection has an injector
 * of its own, which costs about 40 µs once.
 */
export function injectConnection(server: grpc.Server, connection: Duplex, watch: ConnectionWatch): InjectedConnection {
  const intercept: grpc.ServerInterceptor = (method, call) => {
    call.getPeer = () => watch.peer;
    const onEnd = watch.onCall(method.path);
    if (onEnd !== undefined) watchEnd(call, onEnd);
    // The interface of grpc-js asks for its wrapper class, but takes any call; a wrapper would cost a layer on each check.
    return call as grpc.ServerInterceptingCall;
  };
  const credentials = grpc.experimental.createServerCredentialsWithInterceptors(
    grpc.ServerCredentials.createInsecure(),
    [intercept],
  );
  const injector = server.createConnectionInjector(credentials);
  injector.injectConnection(connection);
  return { drain: (graceMs) => injector.drain(graceMs), forget: () => injector.destroy() };
}

/**
 * Calls `onEnd` once the call's stream has closed, however that was. PERF: grpc-js keeps the stream to itself, but its events
 * cost 1 µs where watching through the interceptor's own methods (`start`, `onCancel`) costs 15 to 20.
 */
function watchEnd(call: grpc.ServerInterceptingCallInterface, onEnd: () => void): void {
  const { stream } = call as unknown as { readonly stream: EventEmitter & { readonly closed: boolean } };
  if (stream.closed) onEnd();
  else stream.once("close", onEnd);
}

/** Reads message and service definitions from `proto/`, e.g. `grpc/health/v1/health.proto`; loads the parser on first use. */
export async function loadProto(...files: readonly string[]): Promise<PackageDefinition> {
  const { load } = await import("@grpc/proto-loader");
  return await load([...files], {
    includeDirs: [`${packageRoot()}/proto`],
    keepCase: true,
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  });
}
