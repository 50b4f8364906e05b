// How a call is answered: a message between two constant header blocks, a status as trailers alone, or 415 for what is no gRPC.
// SPEC: gRPC over HTTP/2, "Responses".

import type { StreamRefusal } from "../../telemetry/http2-catalogue.ts";
import { GRPC_STATUS, toPercentEncoded } from "./grpc-status.ts";
import { encodeHeaderBlock } from "./header-block.ts";
import type { HeaderField } from "./header-list.ts";
import type { Http2Stream } from "./stream.ts";

const STATUS_OK: HeaderField = { name: ":status", value: "200" };
const CONTENT_TYPE: HeaderField = { name: "content-type", value: "application/grpc" };
const ACCEPT_ENCODING: HeaderField = { name: "grpc-accept-encoding", value: "identity,gzip" };

/** Before every message. */
export const REPLY_HEADERS: Buffer = encodeHeaderBlock([STATUS_OK, CONTENT_TYPE]);
/** After every message. */
export const REPLY_TRAILERS: Buffer = encodeHeaderBlock([{ name: "grpc-status", value: "0" }]);

/** The block of a trailers-only answer. */
export function encodeStatusBlock(code: number, message: string, more: readonly HeaderField[] = []): Buffer {
  const text: readonly HeaderField[] =
    message === "" ? [] : [{ name: "grpc-message", value: toPercentEncoded(message) }];
  return encodeHeaderBlock([STATUS_OK, CONTENT_TYPE, { name: "grpc-status", value: `${code}` }, ...text, ...more]);
}

/** A refusal that is always the same: what is sent, and what it is counted as. */
export interface Refusal {
  readonly block: Buffer;
  readonly counted: StreamRefusal | undefined;
}

const refusal = (counted: StreamRefusal | undefined, block: Buffer): Refusal => ({ block, counted });
const { INTERNAL, RESOURCE_EXHAUSTED, UNIMPLEMENTED } = GRPC_STATUS;

/** Answers to calls that never reach what would answer them. Codes as grpc-js gives them. */
export const REFUSALS = {
  message_too_large: refusal(
    "message_size",
    encodeStatusBlock(RESOURCE_EXHAUSTED, "the request message is larger than the server accepts"),
  ),
  unpacked_too_large: refusal(
    "message_size",
    encodeStatusBlock(RESOURCE_EXHAUSTED, "the request message unpacks to more than the server accepts"),
  ),
  unpacker_busy: refusal(
    "compression",
    encodeStatusBlock(RESOURCE_EXHAUSTED, "too many compressed messages wait: send them uncompressed"),
  ),
  packing_corrupt: refusal("compression", encodeStatusBlock(INTERNAL, "the request message is no valid gzip")),
  encoding_missing: refusal(
    "compression",
    encodeStatusBlock(INTERNAL, "the request message is marked as compressed, but grpc-encoding names no compression"),
  ),
  encoding_unsupported: refusal(
    "compression",
    // SPEC: grpc/doc/compression.md: the answer names what the server takes.
    encodeStatusBlock(UNIMPLEMENTED, "unknown grpc-encoding: use gzip or identity", [ACCEPT_ENCODING]),
  ),
  flag_unknown: refusal("message", encodeStatusBlock(INTERNAL, "the request message has an unknown compression flag")),
  second_message: refusal("message", encodeStatusBlock(UNIMPLEMENTED, "more than one request message")),
  message_missing: refusal("message", encodeStatusBlock(UNIMPLEMENTED, "no request message")),
  message_cut_off: refusal("message", encodeStatusBlock(UNIMPLEMENTED, "the request message is cut off")),
  timeout_unreadable: refusal("message", encodeStatusBlock(INTERNAL, "unreadable grpc-timeout")),
  method_unknown: refusal("unimplemented", encodeStatusBlock(UNIMPLEMENTED, "unknown method")),
  deadline_passed: refusal(undefined, encodeStatusBlock(GRPC_STATUS.DEADLINE_EXCEEDED, "Deadline exceeded")),
  fault: refusal(undefined, encodeStatusBlock(INTERNAL, "internal error")),
} as const satisfies Record<string, Refusal>;

const NOT_GRPC_BODY: Buffer = Buffer.from("this port speaks gRPC: use POST with content-type application/grpc\n");
const NOT_GRPC_HEADERS: Buffer = encodeHeaderBlock([
  { name: ":status", value: "415" },
  { name: "content-type", value: "text/plain; charset=utf-8" },
  { name: "content-length", value: `${NOT_GRPC_BODY.length}` },
]);

/** Answers 415 with a sentence; to HEAD without it. */
export function sendNotGrpc(stream: Http2Stream, isHead: boolean): void {
  stream.sendHeaders(NOT_GRPC_HEADERS, isHead);
  if (!isHead) stream.sendData(NOT_GRPC_BODY, true);
}
