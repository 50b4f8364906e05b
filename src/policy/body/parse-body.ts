// Chooses how a request's body is parsed, in the plugin's order (envoyauth/request.go, `getParsedBody`): the first matching
// rule decides, content types match as case-sensitive substrings, and only the `headers` map is asked.

import { ok, type Result } from "../../base/result.ts";
import { parseQuery } from "../request-path.ts";
import { isTruncated } from "./content-length.ts";
import { parseJsonBody } from "./json.ts";
import { parseMultipartBody } from "./multipart.ts";
import type { ProtoDescriptor } from "./proto-descriptor.ts";

/** What is needed of a request to parse its body. */
export interface BodyFacts {
  /** A header of the `headers` map by its lower-case name. */
  mapHeader(name: string): string | undefined;
  /** `http.body` in UTF-8; empty when absent. */
  readonly body: Buffer;
  /** `http.raw_body`; empty when absent. */
  readonly rawBody: Buffer;
}

/** The JSON text of `parsed_body` and the value of `truncated_body`. */
export interface ParsedBody {
  readonly json: string;
  readonly truncated: boolean;
}

const NOTHING: ParsedBody = { json: "null", truncated: false };
const CUT: ParsedBody = { json: "null", truncated: true };

/** Parses the body. `segments` is the parsed path, which names the method of a gRPC call. */
export function parseBody(
  facts: BodyFacts,
  segments: readonly string[],
  protoDescriptor: ProtoDescriptor | undefined,
): Result<ParsedBody, "request_malformed"> {
  // SECURITY: this header is Envoy's, but a client can send it where Envoy's `with_request_body` is off; the policy then
  // sees a truncated body, never a body that was not sent.
  if (facts.mapHeader("x-envoy-auth-partial-body") === "true") return ok(CUT);
  const contentType = facts.mapHeader("content-type");
  if (contentType === undefined) return ok(NOTHING);
  if (contentType.includes("application/json")) return parsePayload(facts, parseJsonBody);
  if (contentType.includes("application/grpc")) {
    if (protoDescriptor === undefined || facts.rawBody.length === 0) return ok(NOTHING);
    return protoDescriptor.parse(facts.rawBody, segments);
  }
  if (contentType.includes("application/x-www-form-urlencoded")) {
    return parsePayload(facts, (payload) => parseQuery(payload.toString("latin1")));
  }
  if (contentType.includes("multipart/form-data")) {
    return parsePayload(facts, (payload) => parseMultipartBody(payload, contentType));
  }
  return ok(NOTHING);
}

/** The rules that the text formats share: `body` before `raw_body`, an empty body is none, then the length. */
function parsePayload(
  facts: BodyFacts,
  parse: (payload: Buffer) => Result<string, "request_malformed">,
): Result<ParsedBody, "request_malformed"> {
  const payload = facts.body.length > 0 ? facts.body : facts.rawBody;
  if (payload.length === 0) return ok(NOTHING);
  const contentLength = facts.mapHeader("content-length");
  if (contentLength !== undefined) {
    const truncated = isTruncated(contentLength, payload.length);
    if (!truncated.ok) return truncated;
    if (truncated.value) return ok(CUT);
  }
  const json = parse(payload);
  return json.ok ? ok({ json: json.value, truncated: false }) : json;
}
