// Requests of all shapes, and how each must be answered when nothing is done to it on its way.

import { gzipSync } from "node:zlib";
import type { HeaderField } from "../../src/server/http2/header-list.ts";
import { CHECK_PATH } from "../../src/server/listener.ts";
import type { Random } from "../support/random.ts";
import { EMPTY } from "./client-frame.ts";

/** What the answer of a stream must be. */
export type Expectation =
  | { readonly kind: "message"; readonly bytes: Buffer }
  | { readonly kind: "status"; readonly code: string }
  | { readonly kind: "http"; readonly status: string }
  | { readonly kind: "reset"; readonly code: number };

export interface FuzzRequest {
  readonly fields: readonly HeaderField[];
  readonly body: Buffer;
  readonly trailers: readonly HeaderField[] | undefined;
  readonly expected: Expectation;
}

/** What a handler does, said by the first octet of its message. */
export const MODE = { ECHO: 0, STATUS: 1, SOON: 2, LATER: 3, LARGE: 4 } as const;
const LARGE_FACTOR = 40;
const MAX_ENLARGED_BYTES = 4_000;
/** The code of MODE.STATUS. */
export const HANDLER_CODE = 7;

const PROTOCOL_ERROR = 1;

const field = (name: string, value: string): HeaderField => ({ name, value });
const POST = field(":method", "POST");
const GRPC = field("content-type", "application/grpc");
const TRAILERS = field("te", "trailers");
const EXTRA: readonly HeaderField[] = [
  field("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
  field("user-agent", "fuzz"),
  field("grpc-timeout", "99999999S"),
  field("x-envoy-internal", "true"),
  field("x-forwarded-for", "10.0.0.1"),
  field("x-bin-\u007e", "\u00ff\u00fe obs-text"),
  field("x-long", "l".repeat(300)),
  field("x-empty", ""),
];
const BAD: readonly (readonly HeaderField[])[] = [
  [field("Upper", "1")],
  [field("connection", "close")],
  [field("transfer-encoding", "chunked")],
  [field("te", "gzip")],
  [field(":late", "1")],
  [field("x", "1"), field(":path", "/")],
  [field("", "1")],
  [field("x y", "1")],
  [field("x", "a\nb")],
  [field("x", " a")],
  [field("content-length", "x")],
  [field("content-length", "1"), field("content-length", "1")],
];

/** A message behind its five octets. */
export function prefixed(message: Buffer, flag = 0): Buffer {
  const bytes = Buffer.allocUnsafe(message.length + 5);
  bytes[0] = flag;
  bytes.writeUInt32BE(message.length, 1);
  message.copy(bytes, 5);
  return bytes;
}

/** A line that the handler gives back behind its message: so it is seen when a request gets the head of another. */
export const ECHOED_LINE = "x-fuzz";
const ECHOED = ["", "a", "b", "fuzz-1234"];

function messageOf(random: Random, { maxMessageBytes: maxBytes, isBulky }: RequestOptions): Buffer {
  // Most are small, as checks are; some need several frames, a few more than a window.
  const most = random.chance(94) ? 300 : random.chance(85) ? 5_000 : random.chance(85) ? 40_000 : maxBytes;
  const length = random.below(isBulky ? maxBytes : most);
  const message = Buffer.alloc(Math.min(length, maxBytes), random.below(256));
  if (message.length > 4) message.writeUInt32LE(random.next(), message.length - 4);
  if (message.length > 0) message[0] = random.chance(70) ? MODE.ECHO : random.below(5);
  return message;
}

/** What the handler of fuzz-server.ts answers. */
export function answerOf(message: Uint8Array, line: string | undefined): Buffer | undefined {
  if (message[0] === MODE.STATUS) return undefined;
  const times = message[0] === MODE.LARGE && message.length <= MAX_ENLARGED_BYTES ? LARGE_FACTOR : 1;
  return Buffer.concat([...new Array<Uint8Array>(times).fill(message), Buffer.from(line ?? "")]);
}

const call = (path: string, random: Random): HeaderField[] => {
  const fields = [POST, field(":scheme", random.chance(90) ? "http" : "https"), field(":path", path)];
  fields.splice(random.below(3), 0, field(":authority", random.pick(["a.test", "envoy-authz:9191"])));
  fields.push(GRPC, TRAILERS);
  for (let more = random.below(4); more > 0; more--) fields.push(random.pick(EXTRA));
  return fields.filter((one, at) => fields.indexOf(one) === at);
};

const trailersOf = (random: Random): readonly HeaderField[] | undefined =>
  random.chance(5) ? [field("x-trailer", "1")] : undefined;

export interface RequestOptions {
  readonly maxMessageBytes: number;
  /** Some messages are packed: a thread of zlib unpacks them, whose time nobody knows. */
  readonly usesThreads: boolean;
  /** No body is larger than some hundred octets. */
  readonly isSmall: boolean;
  /** Large messages are the rule: all of them are more than any window. */
  readonly isBulky: boolean;
}

/** One request. */
export function createRequest(random: Random, options: RequestOptions): FuzzRequest {
  const { maxMessageBytes, usesThreads, isSmall } = options;
  const kind = random.below(100);
  const trailers = trailersOf(random);
  if (usesThreads && random.chance(20)) return packed(random, options, trailers);
  if (kind < 78) return check(random, options, trailers);
  if (kind < 82) {
    const fields = call(random.pick(["/a.B/C", "/envoy.service.auth.v3.Authorization/Watch", "/"]), random);
    return { fields, body: prefixed(EMPTY), trailers, expected: { kind: "status", code: "12" } };
  }
  if (kind < 86) return plain(random, isSmall ? 400 : 40_000, trailers);
  if (kind < 90) {
    const expected = { kind: "message", bytes: Buffer.from("0801", "hex") } as const;
    return { fields: call("/grpc.health.v1.Health/Check", random), body: prefixed(EMPTY), trailers, expected };
  }
  if (kind < 93) {
    const fields = [...call(CHECK_PATH, random), ...random.pick(BAD)];
    return {
      fields,
      body: random.chance(50) ? EMPTY : Buffer.alloc(20),
      trailers,
      expected: { kind: "reset", code: PROTOCOL_ERROR },
    };
  }
  return brokenMessage(random, maxMessageBytes, trailers);
}

function check(random: Random, options: RequestOptions, trailers: FuzzRequest["trailers"]): FuzzRequest {
  const message = messageOf(random, options);
  const line = random.chance(50) ? random.pick(ECHOED) : undefined;
  const body = prefixed(message);
  const fields = call(CHECK_PATH, random);
  if (random.chance(10)) fields.push(field("content-length", `${body.length}`));
  if (random.chance(5)) fields.push(field("grpc-encoding", random.pick(["identity", "gzip", "br"])));
  if (line !== undefined) fields.push(field(ECHOED_LINE, line));
  const bytes = answerOf(message, line);
  const expected: Expectation =
    bytes === undefined ? { kind: "status", code: `${HANDLER_CODE}` } : { kind: "message", bytes };
  return { fields, body, trailers, expected };
}

function packed(random: Random, options: RequestOptions, trailers: FuzzRequest["trailers"]): FuzzRequest {
  const message = messageOf(random, { ...options, maxMessageBytes: Math.min(options.maxMessageBytes, 2_000) });
  const bytes = answerOf(message, undefined);
  return {
    fields: [...call(CHECK_PATH, random), field("grpc-encoding", "gzip")],
    body: prefixed(gzipSync(message), 1),
    trailers,
    expected: bytes === undefined ? { kind: "status", code: `${HANDLER_CODE}` } : { kind: "message", bytes },
  };
}

function plain(random: Random, maxBytes: number, trailers: FuzzRequest["trailers"]): FuzzRequest {
  const method = random.pick(["GET", "PUT", "OPTIONS", "HEAD", "POST"]);
  const fields = [
    field(":method", method),
    field(":scheme", "http"),
    field(":path", "/"),
    field(":authority", "a.test"),
  ];
  if (random.chance(50))
    fields.push(field("content-type", random.pick(["text/html", "application/grpc-web", "application/json"])));
  const body = Buffer.alloc(random.chance(50) ? 0 : random.below(maxBytes));
  return { fields, body, trailers, expected: { kind: "http", status: "415" } };
}

function brokenMessage(random: Random, maxMessageBytes: number, trailers: FuzzRequest["trailers"]): FuzzRequest {
  const fields = call(CHECK_PATH, random);
  const status = (code: string, body: Buffer): FuzzRequest => ({
    fields,
    body,
    trailers,
    expected: { kind: "status", code },
  });
  switch (random.below(6)) {
    case 0:
      return status("12", EMPTY);
    case 1:
      return status("12", prefixed(Buffer.alloc(50)).subarray(0, 1 + random.below(54)));
    case 2:
      return status("12", Buffer.concat([prefixed(Buffer.alloc(9)), prefixed(Buffer.alloc(9))]));
    case 3:
      return status("13", prefixed(Buffer.alloc(9), 1));
    case 4:
      return status("13", prefixed(Buffer.alloc(9), 2 + random.below(254)));
    default: {
      const body = prefixed(Buffer.alloc(100));
      body.writeUInt32BE(maxMessageBytes + 1 + random.below(1_000_000), 1);
      return status("8", body);
    }
  }
}
