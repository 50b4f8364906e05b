// CheckRequest and CheckResponse through @grpc/proto-loader and the shipped protos: an independent codec for tests.

import { join } from "node:path";
import { loadSync } from "@grpc/proto-loader";
import { packageRoot } from "../../src/base/package-root.ts";

const definition = loadSync("envoy/service/auth/v3/external_auth.proto", {
  includeDirs: [join(packageRoot(), "proto")],
  keepCase: true,
  longs: Number,
  enums: Number,
  defaults: false,
  oneofs: true,
});

interface Method {
  readonly requestSerialize: (value: object) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => object;
  readonly responseDeserialize: (bytes: Buffer) => object;
}

const { Check } = definition["envoy.service.auth.v3.Authorization"] as unknown as { readonly Check: Method };

/** A header value option as it is decoded. */
export interface DecodedHeader {
  readonly header: { readonly key?: string; readonly value?: string };
}

/** A CheckResponse as it is decoded: proto names, enums as numbers, absent fields absent. */
export interface DecodedCheckResponse {
  readonly status?: { readonly code?: number; readonly message?: string };
  readonly http_response?: "denied_response" | "ok_response" | "error_response";
  readonly denied_response?: DecodedDenial;
  readonly error_response?: DecodedDenial;
  readonly ok_response?: {
    readonly headers?: readonly DecodedHeader[];
    readonly headers_to_remove?: readonly string[];
    readonly response_headers_to_add?: readonly DecodedHeader[];
    readonly query_parameters_to_set?: readonly { readonly key?: string; readonly value?: string }[];
    readonly query_parameters_to_remove?: readonly string[];
  };
  readonly dynamic_metadata?: DecodedStruct;
}

/** A denied or error response as it is decoded. */
export interface DecodedDenial {
  readonly status?: { readonly code?: number };
  readonly headers?: readonly DecodedHeader[];
  readonly body?: string;
}

interface DecodedStruct {
  readonly fields?: Readonly<Record<string, DecodedValue>>;
}

interface DecodedValue {
  readonly kind?: string;
  readonly numberValue?: number;
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly structValue?: DecodedStruct;
  readonly listValue?: { readonly values?: readonly DecodedValue[] };
}

/** Serializes a CheckRequest given with proto field names. */
export const encodeCheckRequest = (request: object): Uint8Array => Check.requestSerialize(request);

/** A CheckRequest as it is decoded, as far as tests look at it: absent fields absent. */
export interface DecodedCheckRequest {
  readonly attributes?: {
    readonly source?: DecodedPeer;
    readonly destination?: DecodedPeer;
    readonly request?: {
      readonly http?: {
        readonly path?: string;
        readonly headers?: Readonly<Record<string, string>>;
        readonly header_map?: { readonly headers?: readonly { readonly key?: string; readonly raw_value?: Buffer }[] };
      };
    };
    readonly tls_session?: { readonly sni?: string };
  };
}

/** One end of a connection as it is decoded. */
export interface DecodedPeer {
  readonly principal?: string;
  readonly certificate?: string;
  readonly service?: string;
}

/** Reads a CheckRequest. Throws when the bytes are none. */
export const decodeCheckRequest = (bytes: Uint8Array): DecodedCheckRequest =>
  Check.requestDeserialize(Buffer.from(bytes)) as DecodedCheckRequest;

/** Reads a CheckResponse. Throws when the bytes are none. */
export const decodeCheckResponse = (bytes: Uint8Array): DecodedCheckResponse =>
  Check.responseDeserialize(Buffer.from(bytes)) as DecodedCheckResponse;

/** The dynamic metadata as plain JSON. */
export function toPlainMetadata(response: DecodedCheckResponse): Record<string, unknown> {
  return response.dynamic_metadata === undefined ? {} : toPlainStruct(response.dynamic_metadata);
}

const toPlainStruct = (struct: DecodedStruct): Record<string, unknown> =>
  Object.fromEntries(Object.entries(struct.fields ?? {}).map(([key, value]) => [key, toPlainValue(value)]));

function toPlainValue(value: DecodedValue): unknown {
  if (value.numberValue !== undefined) return value.numberValue;
  if (value.stringValue !== undefined) return value.stringValue;
  if (value.boolValue !== undefined) return value.boolValue;
  if (value.structValue !== undefined) return toPlainStruct(value.structValue);
  if (value.listValue !== undefined) return (value.listValue.values ?? []).map(toPlainValue);
  return null;
}
