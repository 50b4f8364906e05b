// gRPC bodies by a FileDescriptorSet (`proto-descriptor`), with the plugin's rules (envoyauth/request.go, `getGRPCBody`):
// only the first message of a call, uncompressed, of a method that is not client-streaming. What is not known is not
// parsed; what is known and does not decode is an error. The protobuf library loads on first need.

import { readFile } from "node:fs/promises";
import type { DescMessage, FileRegistry } from "@bufbuild/protobuf";
import { fail, ok, type Result } from "../../base/result.ts";
import { fromByteText } from "../byte-text.ts";
import { decodeProtoMessage, ProtoMessageError } from "./grpc-message.ts";
import type { ParsedBody } from "./parse-body.ts";
import { toProtoJson } from "./protojson.ts";

/** Why a descriptor set cannot be used. */
export type ProtoDescriptorCode = "proto_descriptor_unreadable" | "proto_descriptor_invalid";

/** gRPC's length prefix: one byte of flags, four of length. */
const PREFIX_BYTES = 5;

const NOTHING: ParsedBody = { json: "null", truncated: false };

/** The services of a descriptor set, and the bodies of their methods. */
export class ProtoDescriptor {
  readonly #registry: FileRegistry;

  /** For `parseProtoDescriptor`. */
  constructor(registry: FileRegistry) {
    this.#registry = registry;
  }

  /** Parses `raw_body`, which is not empty, of a call to `/segments[0]/segments[1]` (byte texts). */
  parse(rawBody: Buffer, segments: readonly string[]): Result<ParsedBody, "request_malformed"> {
    if (segments.length !== 2) return fail("request_malformed", "invalid parsed path");
    if (rawBody.length < PREFIX_BYTES) return fail("request_malformed", "less than 5 bytes");
    if (rawBody[0] !== 0) return ok(NOTHING);
    const size = rawBody.readUInt32BE(1);
    if (size > rawBody.length - PREFIX_BYTES) return ok({ json: "null", truncated: true });
    const type = this.#inputType(fromByteText(segments[0] ?? ""), fromByteText(segments[1] ?? ""));
    if (type === undefined) return ok(NOTHING);
    try {
      const message = decodeProtoMessage(type, rawBody.subarray(PREFIX_BYTES, PREFIX_BYTES + size));
      const json = toProtoJson(message, (name) => this.#registry.getMessage(name));
      return ok({ json, truncated: false });
    } catch (error) {
      if (error instanceof ProtoMessageError) return fail("request_malformed", error.message);
      throw error;
    }
  }

  #inputType(service: string, method: string): DescMessage | undefined {
    const found = this.#registry.getService(service)?.methods.find((candidate) => candidate.name === method);
    const streams = found?.methodKind === "client_streaming" || found?.methodKind === "bidi_streaming";
    return streams ? undefined : found?.input;
  }
}

/** Loads a FileDescriptorSet from a file (`protoc --include_imports --descriptor_set_out=FILE`). */
export async function loadProtoDescriptor(path: string): Promise<Result<ProtoDescriptor, ProtoDescriptorCode>> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    return fail("proto_descriptor_unreadable", `\`${path}\`: ${(error as Error).message}`);
  }
  const parsed = await parseProtoDescriptor(bytes);
  return parsed.ok ? parsed : fail(parsed.code, `\`${path}\`: ${parsed.detail}`);
}

/** Reads a serialized FileDescriptorSet, which must include every file that it imports. */
export async function parseProtoDescriptor(
  bytes: Uint8Array,
): Promise<Result<ProtoDescriptor, "proto_descriptor_invalid">> {
  const { createFileRegistry, fromBinary } = await import("@bufbuild/protobuf");
  const wkt = await import("@bufbuild/protobuf/wkt");
  try {
    const set = fromBinary(wkt.FileDescriptorSetSchema, bytes);
    if (set.file.length === 0) return fail("proto_descriptor_invalid", "it holds no file");
    return ok(new ProtoDescriptor(createFileRegistry(set)));
  } catch (error) {
    const why = `not a descriptor set: ${(error as Error).message}; make one with \`protoc --include_imports\``;
    return fail("proto_descriptor_invalid", why);
  }
}
