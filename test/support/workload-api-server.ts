// A SPIFFE Workload API for tests: a real gRPC server on a unix socket whose streams the test feeds by hand, with messages
// written by a protobuf library from proto/.

import { rmSync } from "node:fs";
import type { TestContext } from "node:test";
import { loadProto, type Metadata, Server, ServerCredentials, type ServerWritableStream } from "../../src/base/grpc.ts";
import { withDeadline } from "./deadline.ts";

/** A stream that a client has opened. */
export interface OpenedStream {
  /** What the client sent with it, by key. */
  readonly metadata: Readonly<Record<string, readonly string[]>>;
  /** The request message. */
  readonly request: Uint8Array;
  send(message: Uint8Array): void;
  /** Ends it without an error. */
  end(): void;
  /** Ends it with a status of gRPC. */
  fail(code: number, details: string): void;
  /** Resolves when the client has left it. */
  readonly left: Promise<void>;
}

export type StreamName = "FetchX509Bundles" | "FetchJWTBundles" | "FetchX509SVID";

export interface WorkloadApiServer {
  /** `unix:///path` or `tcp://127.0.0.1:port`. */
  readonly socket: string;
  /** The next stream of this kind, in the order in which they were opened; fails when none comes. */
  next(name: StreamName): Promise<OpenedStream>;
  /** How many streams of this kind were opened so far. */
  opened(name: StreamName): number;
  /** Cuts every connection and takes no more. */
  stop(): Promise<void>;
}

const WAIT_MS = 20_000;

interface Codec {
  requestSerialize(message: object): Buffer;
  responseSerialize(message: object): Buffer;
  responseDeserialize(bytes: Buffer): unknown;
}

const proto = (await loadProto("spiffe/workload/workload.proto"))["SpiffeWorkloadAPI"] as unknown as Record<
  StreamName,
  Codec
>;

/** An `X509BundlesResponse`: DER by trust domain ID. */
export const x509Bundles = (bundles: Readonly<Record<string, Uint8Array>>): Uint8Array =>
  proto.FetchX509Bundles.responseSerialize({ bundles });

/** A `JWTBundlesResponse`: JWK Sets by trust domain ID. */
export const jwtBundles = (bundles: Readonly<Record<string, string>>): Uint8Array =>
  proto.FetchJWTBundles.responseSerialize({
    bundles: Object.fromEntries(Object.entries(bundles).map(([id, text]) => [id, Buffer.from(text)])),
  });

/** One identity as the wire has it. */
export interface SvidFields {
  readonly spiffe_id: string;
  readonly x509_svid: Uint8Array;
  readonly x509_svid_key: Uint8Array;
  readonly bundle?: Uint8Array;
  readonly hint?: string;
}

/** An `X509SVIDResponse`. */
export const x509Svids = (...svids: readonly SvidFields[]): Uint8Array =>
  proto.FetchX509SVID.responseSerialize({ svids });

/** Starts it on a socket of `folder`, or on a port of 127.0.0.1; gone when the test is. */
export async function startWorkloadApiServer(
  t: TestContext,
  folder: string,
  transport: "unix" | "tcp" = "unix",
): Promise<WorkloadApiServer> {
  const path = `${folder}/workload.sock`;
  rmSync(path, { force: true });
  const server = new Server();
  const queues = new Map<string, { opened: OpenedStream[]; taken: number; wake: () => void }>();
  const queue = (name: string): { opened: OpenedStream[]; taken: number; wake: () => void } => {
    const known = queues.get(name) ?? { opened: [], taken: 0, wake: () => undefined };
    queues.set(name, known);
    return known;
  };
  const bytes = (message: Uint8Array): Buffer => Buffer.from(message);
  const names = ["FetchX509Bundles", "FetchJWTBundles", "FetchX509SVID"] as const;
  server.addService(
    Object.fromEntries(
      names.map((name) => [
        name,
        {
          path: `/SpiffeWorkloadAPI/${name}`,
          requestStream: false,
          responseStream: true,
          requestSerialize: bytes,
          requestDeserialize: (message: Buffer) => message,
          responseSerialize: bytes,
          responseDeserialize: (message: Buffer) => message,
        },
      ]),
    ),
    Object.fromEntries(
      names.map((name) => [
        name,
        (call: ServerWritableStream<Buffer, Uint8Array>) => {
          const its = queue(name);
          its.opened.push(toOpened(call));
          its.wake();
        },
      ]),
    ),
  );
  const target = transport === "unix" ? `unix:${path}` : "127.0.0.1:0";
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(target, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  let isStopped = false;
  const stop = (): Promise<void> => {
    if (!isStopped) server.forceShutdown();
    isStopped = true;
    rmSync(path, { force: true });
    return Promise.resolve();
  };
  t.after(stop);
  return {
    socket: transport === "unix" ? `unix://${path}` : `tcp://127.0.0.1:${port}`,
    next: async (name) => {
      const its = queue(name);
      const index = its.taken++;
      for (;;) {
        const stream = its.opened[index];
        if (stream !== undefined) return stream;
        const more = new Promise<void>((resolve) => {
          its.wake = resolve;
        });
        await withDeadline(more, WAIT_MS, () => `another ${name}`);
      }
    },
    opened: (name) => queue(name).opened.length,
    stop,
  };
}

function toOpened(call: ServerWritableStream<Buffer, Uint8Array>): OpenedStream {
  // The failure of a stream that the client has left is no failure of the test.
  call.on("error", () => undefined);
  return {
    metadata: toRecord(call.metadata),
    request: call.request,
    send: (message) => void call.write(message),
    end: () => call.end(),
    fail: (code, details) => void call.emit("error", { code, details }),
    left: new Promise((resolve) => {
      if (call.cancelled) resolve();
      else call.once("cancelled", () => resolve());
    }),
  };
}

const toRecord = (metadata: Metadata): Record<string, string[]> =>
  Object.fromEntries(
    Object.keys(metadata.getMap()).map((key) => [key, metadata.get(key).map((value) => value.toString())]),
  );
