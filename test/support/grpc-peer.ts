// A policy enforcement point for tests: calls Check with raw bytes, as Envoy does, over TCP or a unix socket.

import { Client, credentials, Metadata, type ServiceError } from "../../src/base/grpc.ts";

const identity = (bytes: Buffer): Buffer => bytes;

/** How a call ended: its message, or its status. */
export type Ended = { readonly bytes: Buffer } | { readonly code: number; readonly details: string };

export interface GrpcPeer {
  readonly client: Client;
  /** One unary call; `deadlineMs` from now. */
  call(
    path: string,
    request: Uint8Array,
    options?: { deadlineMs?: number; metadata?: Record<string, string> },
  ): Promise<Ended>;
  close(): void;
}

/** Connects to `host:port` or `unix:/path`, on a connection of its own. */
export function createGrpcPeer(address: string, options: Record<string, string | number> = {}): GrpcPeer {
  const client = new Client(address, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_retries": 0,
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
    ...options,
  });
  return {
    client,
    call: (path, request, { deadlineMs, metadata = {} } = {}) =>
      new Promise((resolve) => {
        const sent = new Metadata();
        for (const [key, value] of Object.entries(metadata)) sent.set(key, value);
        client.makeUnaryRequest(
          path,
          identity,
          identity,
          Buffer.from(request),
          sent,
          deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs },
          (error: ServiceError | null, bytes?: Buffer) => {
            if (error !== null) resolve({ code: error.code, details: error.details });
            else resolve({ bytes: bytes ?? Buffer.alloc(0) });
          },
        );
      }),
    close: () => client.close(),
  };
}
