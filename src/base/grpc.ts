// The one door to @grpc/grpc-js and @grpc/proto-loader: nothing else imports them, so that their versions and quirks are known
// in one place. Holds no rules of ours.

import type { EventEmitter } from "node:events";
import type { ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import * as grpc from "@grpc/grpc-js";
import type { PackageDefinition } from "@grpc/proto-loader";
import { packageRoot } from "./package-root.ts";

export type { ServerUnaryCall, ServerWritableStream, ServiceError, sendUnaryData } from "@grpc/grpc-js";
export { Client, credentials, loadPackageDefinition, Metadata, ServerCredentials, status } from "@grpc/grpc-js";
export type { PackageDefinition } from "@grpc/proto-loader";

type StreamHandler = (interceptors: unknown, stream: ServerHttp2Stream, headers: unknown) => void;

/**
 * grpc-js's server, without a way to end the process from outside. SECURITY: Node tells of a stream one tick after its headers,
 * and a RST_STREAM behind them may have closed it by then; grpc-js 1.14.7 answers an unknown method, and what is no gRPC, without
 * looking, and `respond` on a closed stream throws where nobody catches it. So streams that are gone are passed over.
 */
export class Server extends grpc.Server {
  constructor(options?: grpc.ServerOptions) {
    super(options);
    const inside = this as unknown as { _streamHandler: StreamHandler; _channelzHandler: StreamHandler };
    for (const name of ["_streamHandler", "_channelzHandler"] as const) {
      const handle = inside[name].bind(this);
      inside[name] = (interceptors, stream, headers) => {
        if (stream.destroyed || stream.closed) stream.on("error", () => undefined);
        else handle(interceptors, stream, headers);
      };
    }
  }
}

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

/** What a server streams, message by message, and how its stream ended; nothing comes after `onEnd`. */
export interface StreamHandlers {
  onMessage(bytes: Uint8Array): void;
  /** A status of gRPC, also when the connection failed (14), and what was said with it. */
  onEnd(code: number, details: string): void;
}

/** Opens streams to one server. */
export interface StreamClient {
  /** Sends `request` and takes what is streamed. The function that comes back ends the stream, and no handler is called any more. */
  open(path: string, request: Uint8Array, handlers: StreamHandlers): () => void;
}

/** What each stream says, and how large a message of it may be. */
export interface StreamClientOptions {
  readonly metadata: Readonly<Record<string, string>>;
  readonly maxMessageBytes: number;
}

/** A Go server ends connections that ping more often than each 5 minutes; this finds a peer that hangs. */
const KEEPALIVE = { "grpc.keepalive_time_ms": 360_000, "grpc.keepalive_timeout_ms": 20_000 } as const;

/**
 * Creates a client without TLS for `unix:/path`, `ipv4:…` or `ipv6:…`. All streams share a connection, which is made when the
 * first one opens and closed with the last one: so a stream that is opened after a failure tries at once, where grpc-js would
 * keep to a back-off of its own.
 */
export function createStreamClient(target: string, { metadata, maxMessageBytes }: StreamClientOptions): StreamClient {
  let client: grpc.Client | undefined;
  let open = 0;
  const pass = (bytes: Buffer): Buffer => bytes;
  return {
    open: (path, request, { onMessage, onEnd }) => {
      client ??= new grpc.Client(target, grpc.credentials.createInsecure(), {
        "grpc.max_receive_message_length": maxMessageBytes,
        // A connection that nobody else in the process shares; no proxy of the environment, no retries, no DNS beside the address.
        "grpc.use_local_subchannel_pool": 1,
        "grpc.enable_http_proxy": 0,
        "grpc.enable_retries": 0,
        "grpc.service_config_disable_resolution": 1,
        ...KEEPALIVE,
      });
      open++;
      const sent = new grpc.Metadata();
      for (const [key, value] of Object.entries(metadata)) sent.set(key, value);
      const call = client.makeServerStreamRequest(path, pass, pass, Buffer.from(request), sent);
      let isOver = false;
      const end = (): boolean => {
        if (isOver) return false;
        isOver = true;
        open--;
        if (open === 0) {
          client?.close();
          client = undefined;
        }
        return true;
      };
      call.on("data", (bytes: Buffer) => {
        if (!isOver) onMessage(bytes);
      });
      // The same failure comes as a status, which is also there when nothing failed.
      call.on("error", () => undefined);
      call.on("status", ({ code, details }) => {
        if (end()) onEnd(code, details);
      });
      return () => {
        if (isOver) return;
        call.cancel();
        end();
      };
    },
  };
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
