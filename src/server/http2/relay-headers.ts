// Header lists between our own form and that of node:http2, for the relay.

import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { MAX_DELAY_MS } from "../../base/timers.ts";
import { parseGrpcTimeoutMs } from "./grpc-timeout.ts";
import type { HeaderField, HeaderList } from "./header-list.ts";

/** What names a connection's own affairs, or frames a message that is framed anew. */
const NOT_RELAYED: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
  "host",
  "te",
  "content-length",
]);

/** Longer than a timer of Node waits: grpc-js takes such a deadline for one that has passed. */
function isForEver(timeout: string): boolean {
  const timeoutMs = parseGrpcTimeoutMs(timeout);
  return timeoutMs.ok && timeoutMs.value > MAX_DELAY_MS;
}

/**
 * A well-formed request's headers for node:http2. Lines of one name become one, joined as RFC 9110 §5.2 has it (RFC 9113 §8.2.3
 * for `cookie`): Node takes no name twice, and metadata of gRPC, also `-bin`, means the same joined.
 */
export function toRequestHeaders({ fields }: HeaderList): OutgoingHttpHeaders {
  // No prototype: `__proto__` is a name like any other.
  const headers: Record<string, string> = Object.create(null);
  for (const { name, value } of fields) {
    if (NOT_RELAYED.has(name) || (name === "grpc-timeout" && isForEver(value))) continue;
    const before = headers[name];
    headers[name] = before === undefined ? value : `${before}${name === "cookie" ? "; " : ", "}${value}`;
  }
  headers["te"] = "trailers";
  return headers;
}

/** What node:http2 read, in its order; pseudo-headers come first there. */
export function toFields(headers: IncomingHttpHeaders): HeaderField[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((line) => ({ name, value: String(line) })),
  );
}
