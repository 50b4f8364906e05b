// CheckRequests decoded by @grpc/proto-loader from the shipped protos: an oracle that shares no code with svidgate's reader.

import { join } from "node:path";
import { loadSync } from "@grpc/proto-loader";
import { packageRoot } from "../../src/base/package-root.ts";

const definition = loadSync("envoy/service/auth/v3/external_auth.proto", {
  includeDirs: [join(packageRoot(), "proto")],
  keepCase: true,
  longs: String,
  enums: Number,
  bytes: String,
  oneofs: false,
});

interface Codec {
  readonly requestSerialize: (value: object) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => object;
}

const { Check } = definition["envoy.service.auth.v3.Authorization"] as unknown as { readonly Check: Codec };

/** The message as plain objects: proto names, 64-bit integers as strings, enums as numbers, bytes in base64. */
export const decodeByProtos = (bytes: Uint8Array): Record<string, unknown> =>
  Check.requestDeserialize(Buffer.from(bytes)) as Record<string, unknown>;

/** Serializes such objects; what the protos don't know is left out. */
export const encodeByProtos = (request: object): Uint8Array => Check.requestSerialize(request);
