// What a decision reads of a CheckRequest. `check-request.ts` is the reader that decides; a second one, made with a protobuf
// library, takes its place in tests, to show that reading without decoding changes nothing.

import type { Result } from "../base/result.ts";
import type { RequestCredentials } from "../identity/resolver-parts.ts";
import type { RequestFacts } from "../policy/input.ts";

/** A readable CheckRequest. Absent strings are `""`, absent bytes empty, as in proto3. */
export interface RequestView extends RequestCredentials, RequestFacts {
  /** The HTTP method, `GET`. */
  readonly method: string;
  /** The authority (`Host`), as the client sent it. */
  readonly host: string;
  /** The request target with its query, as the client sent it. */
  readonly path: string;
  /** `http` or `https`. */
  readonly scheme: string;
  /** `HTTP/1.1`, `HTTP/2`, … */
  readonly protocol: string;
  /** The `x-request-id` header, else Envoy's own stream id. */
  readonly requestId: string;
  /** The caller's address: `10.0.0.1:4242`, `[::1]:4242`, the path of a pipe, or `""`. */
  readonly sourceAddress: string;
  /** What the route's configuration adds to every check (`context_extensions`), by name. */
  readonly contextExtensions: ReadonlyMap<string, string>;
}

/** How a request is read. */
export interface ReadOptions {
  /**
   * Fills `attributes.request.http.headers` of the input, and the body rules, from `header_map` when Envoy sent that
   * (`encode_raw_headers`) in place of `headers`. Default false, as the plugin.
   */
  readonly fromHeaderMap?: boolean;
}

/**
 * Reads a serialized CheckRequest, which must not change afterwards. Code `request_unreadable`: malformed wire format, invalid
 * UTF-8 in a string, or nesting beyond 1,000.
 */
export type ReadRequest = (bytes: Uint8Array, options?: ReadOptions) => Result<RequestView, "request_unreadable">;
