// Stands in for Envoy where there is none: sends the CheckRequest that Envoy would send, and reads from the answer what
// Envoy would do. SPEC: envoy.service.auth.v3, CheckRequest and CheckResponse.

import { encodeCheckRequest } from "../../authz/check-request-json.ts";
import { Client, credentials, Metadata, type ServiceError } from "../../base/grpc.ts";
import { WireReader, WireType } from "../../base/protobuf-wire.ts";
import { CHECK_PATH } from "../../server/listener.ts";

/** What is asked. */
export interface DirectCheck {
  readonly principal: string;
  /** The caller's leaf; undefined where it has none. */
  readonly certificatePem: string | undefined;
  readonly destination: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The HTTP status that the answer comes to and the headers that it sets on the request, or the gRPC error. */
export type DirectAnswer =
  | { readonly ok: true; readonly status: number; readonly headers: ReadonlyMap<string, string> }
  | { readonly ok: false; readonly why: string };

/** A connection to svidgate. */
export interface DirectClient {
  check(asked: DirectCheck): Promise<DirectAnswer>;
  close(): void;
}

const DEADLINE_MS = 1000;
const asIs = (bytes: Buffer): Buffer => bytes;

/** Connects to `unix:/path` or `host:port`. */
export function createDirectClient(address: string): DirectClient {
  const client = new Client(address, credentials.createInsecure());
  return {
    check: (asked) =>
      new Promise((resolve) => {
        const options = { deadline: Date.now() + DEADLINE_MS };
        client.makeUnaryRequest(
          CHECK_PATH,
          asIs,
          asIs,
          toCheckRequest(asked),
          new Metadata(),
          options,
          (error: ServiceError | null, bytes?: Buffer) => {
            if (error !== null || bytes === undefined) resolve({ ok: false, why: error?.details ?? "no answer" });
            else resolve({ ok: true, status: readHttpStatus(bytes), headers: readRequestHeaders(bytes) });
          },
        );
      }),
    close: () => client.close(),
  };
}

function toCheckRequest({ principal, certificatePem, destination, method, path, headers }: DirectCheck): Buffer {
  const host = "orders.example.org";
  const pseudo = { ":method": method, ":path": path, ":authority": host, ":scheme": "https" };
  const address = { socketAddress: { address: "127.0.0.1", portValue: 40_000 } };
  // Envoy encodes what `encodeURIComponent` encodes in PEM: space, line feed, `+`, `/` and `=`.
  const certificate = encodeURIComponent(certificatePem ?? "");
  const request = {
    attributes: {
      source: { address, principal, certificate },
      destination: { address, principal: destination },
      request: {
        http: { method, path, host, scheme: "https", protocol: "HTTP/1.1", headers: { ...pseudo, ...headers } },
      },
    },
  };
  const bytes = encodeCheckRequest(request);
  if (!bytes.ok) throw new Error(`the demo's own request is malformed: ${bytes.detail ?? bytes.code}`);
  return Buffer.from(bytes.value);
}

// Field numbers of CheckResponse, DeniedHttpResponse, OkHttpResponse, HeaderValueOption and HeaderValue.
const STATUS = 1;
const DENIED_RESPONSE = 2;
const OK_RESPONSE = 3;
const CODE = 1;
const OK_HEADERS = 2;
const HEADER = 1;
const KEY = 1;
const VALUE = 2;

/** 200 for `status.code` 0, else `denied_response.status.code` or Envoy's 403. */
export function readHttpStatus(response: Uint8Array): number {
  const [rpcStatus] = readMessages(response, STATUS);
  if (rpcStatus !== undefined && readVarint(rpcStatus, CODE) === 0) return 200;
  const [denied] = readMessages(response, DENIED_RESPONSE);
  const [httpStatus] = denied === undefined ? [] : readMessages(denied, STATUS);
  return (httpStatus && readVarint(httpStatus, CODE)) || 403;
}

/** The headers of an allow's `ok_response`, by name. */
export function readRequestHeaders(response: Uint8Array): ReadonlyMap<string, string> {
  const options = readMessages(response, OK_RESPONSE).flatMap((okResponse) => readMessages(okResponse, OK_HEADERS));
  const text = (header: Uint8Array, field: number): string =>
    Buffer.from(readMessages(header, field)[0] ?? []).toString("utf8");
  return new Map(
    options.flatMap((option) => readMessages(option, HEADER)).map((header) => [text(header, KEY), text(header, VALUE)]),
  );
}

/** The values of all length-delimited fields with this number. */
function readMessages(bytes: Uint8Array, field: number): readonly Uint8Array[] {
  const wire = new WireReader(bytes);
  const found: Uint8Array[] = [];
  while (seek(wire, (field << 3) | WireType.bytes)) {
    const length = wire.readLength(bytes.length);
    if (length < 0) break;
    found.push(bytes.subarray(wire.pos, wire.pos + length));
    wire.pos += length;
  }
  return found;
}

function readVarint(bytes: Uint8Array, field: number): number {
  const wire = new WireReader(bytes);
  return seek(wire, field << 3) && wire.readVarint(bytes.length) ? wire.varintNumber() : 0;
}

/** Moves to the value of the next such field. */
function seek(wire: WireReader, wanted: number): boolean {
  while (wire.pos < wire.bytes.length) {
    const tag = wire.readTag(wire.bytes.length);
    if (tag === wanted) return true;
    if (tag === 0 || !wire.skip(tag, wire.bytes.length)) return false;
  }
  return false;
}
