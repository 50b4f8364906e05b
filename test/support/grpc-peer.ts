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

/** What a client of a TLS listener brings; the server's name is not compared. */
export interface PeerTls {
  readonly caPem: string;
  readonly certificate?: { readonly certificatePem: string; readonly privateKeyPem: string };
}

function toCredentials(tls: PeerTls | undefined): ReturnType<typeof credentials.createInsecure> {
  if (tls === undefined) return credentials.createInsecure();
  const { caPem, certificate } = tls;
  const [key, chain] =
    certificate === undefined
      ? [null, null]
      : [Buffer.from(certificate.privateKeyPem), Buffer.from(certificate.certificatePem)];
  return credentials.createSsl(Buffer.from(caPem), key, chain, { checkServerIdentity: () => undefined });
}

/** Connects to `host:port` or `unix:/path`, on a connection of its own. */
export function createGrpcPeer(
  address: string,
  options: Record<string, string | number> = {},
  tls?: PeerTls,
): GrpcPeer {
  const client = new Client(address, toCredentials(tls), {
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
