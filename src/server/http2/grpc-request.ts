// What a header list asks for, as gRPC: which method, until when, packed how. Kept beside the last few header lists that were seen,
// since a client sends the same one with call after call. SPEC: gRPC over HTTP/2, "Requests".

import { CHECK_PATH } from "../listener.ts";
import { parseGrpcTimeoutMs } from "./grpc-timeout.ts";
import type { HeaderList } from "./header-list.ts";

/** What answers: `other` is any other gRPC method, `not_grpc` no gRPC at all. */
export type GrpcKind = "check" | "health_check" | "health_list" | "other" | "not_grpc";

/** How a message is packed whose flag says that it is. */
export type GrpcEncoding = "identity" | "gzip" | "unsupported";

/** The head of one request. */
export interface GrpcRequest {
  readonly kind: GrpcKind;
  readonly path: string;
  /** An answer to HEAD has no body. */
  readonly isHead: boolean;
  /** `Infinity` when the caller set none, undefined when what it set cannot be read. */
  readonly timeoutMs: number | undefined;
  readonly encoding: GrpcEncoding;
  readonly list: HeaderList;
}

const METHOD_KINDS: ReadonlyMap<string, GrpcKind> = new Map([
  [CHECK_PATH, "check"],
  ["/grpc.health.v1.Health/Check", "health_check"],
  ["/grpc.health.v1.Health/List", "health_list"],
]);

// Lists that are remembered: about as many as there are connections that take turns. SECURITY: each is bounded by maxHeaderListBytes.
const REMEMBERED = 16;

/** Total mapping: what is duplicated or unreadable is never taken for what it resembles. */
export function toGrpcRequest(list: HeaderList): GrpcRequest {
  let method = "";
  let path = "";
  let contentType: string | undefined;
  let timeout: string | undefined;
  let encoding: string | undefined;
  let isAmbiguous = false;
  let isTimeoutAmbiguous = false;
  for (const { name, value } of list.fields) {
    switch (name) {
      case ":method":
        method = value;
        break;
      case ":path":
        path = value;
        break;
      case "content-type":
        isAmbiguous ||= contentType !== undefined;
        contentType = value;
        break;
      case "grpc-timeout":
        isTimeoutAmbiguous ||= timeout !== undefined;
        timeout = value;
        break;
      case "grpc-encoding":
        encoding = encoding === undefined ? value : "";
        break;
      default:
    }
  }
  const isGrpc = method === "POST" && !isAmbiguous && contentType !== undefined && isGrpcContentType(contentType);
  return {
    kind: isGrpc ? (METHOD_KINDS.get(path) ?? "other") : "not_grpc",
    path,
    isHead: method === "HEAD",
    timeoutMs: isTimeoutAmbiguous ? undefined : toTimeoutMs(timeout),
    encoding: toEncoding(encoding),
    list,
  };
}

/** `toGrpcRequest`, with the last few lists remembered by identity. */
export function createRequestReader(): (list: HeaderList) => GrpcRequest {
  const known: GrpcRequest[] = [];
  let last: GrpcRequest | undefined;
  let next = 0;
  return (list) => {
    if (last !== undefined && last.list === list) return last;
    for (let at = 0; at < known.length; at++) {
      const request = known[at] as GrpcRequest;
      if (request.list !== list) continue;
      last = request;
      return request;
    }
    last = toGrpcRequest(list);
    known[next] = last;
    next = (next + 1) % REMEMBERED;
    return last;
  };
}

/**
 * The first value of a call's own metadata, as text: ASCII, and decoded from base64 for names that end in `-bin`. Undefined too for what
 * belongs to gRPC and HTTP/2 themselves.
 */
export function findMetadata(list: HeaderList, name: string): string | undefined {
  if (name.startsWith(":") || NOT_METADATA.has(name)) return undefined;
  const field = list.fields.find((candidate) => candidate.name === name);
  if (field === undefined || !/^[ -~]*$/.test(field.value)) return undefined;
  if (!name.endsWith("-bin")) return field.value;
  return Buffer.from(field.value.split(",", 1)[0] ?? "", "base64").toString("utf8");
}

const NOT_METADATA: ReadonlySet<string> = new Set([
  "accept-encoding",
  "content-type",
  "grpc-accept-encoding",
  "grpc-encoding",
  "grpc-timeout",
  "te",
]);

const GRPC_TYPE = "application/grpc";

/** `application/grpc`, with `+` a format or with parameters; gRPC-Web is something else. */
function isGrpcContentType(value: string): boolean {
  if (!value.startsWith(GRPC_TYPE)) return false;
  const next = value.charAt(GRPC_TYPE.length);
  return next === "" || next === "+" || next === ";";
}

function toTimeoutMs(text: string | undefined): number | undefined {
  if (text === undefined) return Number.POSITIVE_INFINITY;
  const timeoutMs = parseGrpcTimeoutMs(text);
  return timeoutMs.ok ? timeoutMs.value : undefined;
}

function toEncoding(text: string | undefined): GrpcEncoding {
  if (text === undefined || text === "identity") return "identity";
  return text === "gzip" ? "gzip" : "unsupported";
}
