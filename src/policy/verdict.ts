// What the policy said, checked. A result set is input like any other: it counts for nothing until its shape is known,
// and only the boolean `true` allows. Keys, their order and the sentences follow opa-envoy-plugin 1.19.1
// (envoyauth/response.go); a wrong type in a key of the branch that is not taken is no error there, nor here.

import { fail, ok, type Result } from "../base/result.ts";
import { parseValue, RegoObject, type Value, ValueSyntaxError } from "./value.ts";
import { goType, VerdictError } from "./verdict-error.ts";
import { type Header, type QueryParameter, readHeaders, readQueryParameters, readStrings } from "./verdict-fields.ts";
import { readHttpStatus } from "./verdict-status.ts";

export type { Header, QueryParameter } from "./verdict-fields.ts";

/** An answer of the policy. `plain` is a bare boolean: no headers, no body, no http response at all. */
export type Verdict = PlainVerdict | AllowVerdict | DenyVerdict;

/** The policy answered `true` or `false`. */
export interface PlainVerdict {
  readonly allow: boolean;
  readonly plain: true;
}

/** The policy answered `{"allowed": true, …}`. */
export interface AllowVerdict {
  readonly allow: true;
  readonly plain: false;
  /** Added to the request that goes upstream. */
  readonly headers: readonly Header[];
  readonly headersToRemove: readonly string[];
  /** Added to the response that goes to the client. */
  readonly responseHeadersToAdd: readonly Header[];
  readonly queryParametersToRemove: readonly string[];
  readonly queryParametersToSet: readonly QueryParameter[];
  readonly dynamicMetadata?: RegoObject;
}

/** The policy answered `{"allowed": false, …}`. */
export interface DenyVerdict {
  readonly allow: false;
  readonly plain: false;
  /** Sent to the client. */
  readonly headers: readonly Header[];
  readonly body: string;
  /** One of Envoy's status codes; 403 unless the policy said otherwise. */
  readonly httpStatus: number;
  readonly dynamicMetadata?: RegoObject;
}

/** Why a result set is no verdict. */
export type VerdictCode = "policy_undefined" | "policy_result_type";

const PLAIN_ALLOW: Verdict = { allow: true, plain: true };
const PLAIN_DENY: Verdict = { allow: false, plain: true };

/** Options of {@link toVerdict}. */
export interface VerdictOptions {
  /** Pass header names and values with CR, LF or NUL on to Envoy, as opa-envoy-plugin does. Default false. */
  readonly allowHeaderControlCharacters?: boolean;
}

/**
 * Reads OPA's result set, JSON text such as `[{"result":true}]`. `detail` of a failure is the plugin's sentence.
 */
export function toVerdict(resultSet: string, options: VerdictOptions = {}): Result<Verdict, VerdictCode> {
  // PERF: nearly every policy answers with a bare boolean; comparing the text saves parsing it.
  if (resultSet === '[{"result":true}]') return ok(PLAIN_ALLOW);
  if (resultSet === '[{"result":false}]') return ok(PLAIN_DENY);
  if (resultSet === "[]") return fail("policy_undefined", "undefined decision");
  try {
    return ok(readDecision(theResult(parseValue(resultSet)), options));
  } catch (error) {
    // A syntax error is a result that nests too deep: the native engine finds it before, the other engine does not look.
    if (error instanceof VerdictError || error instanceof ValueSyntaxError)
      return fail("policy_result_type", error.message);
    throw error;
  }
}

function theResult(resultSet: Value): Value {
  if (Array.isArray(resultSet) && resultSet.length === 1) {
    const row = (resultSet as readonly Value[])[0];
    const result = row instanceof RegoObject ? row.get("result") : undefined;
    if (result !== undefined) return result;
  }
  throw new VerdictError("multiple evaluation results");
}

function readDecision(decision: Value, options: VerdictOptions): Verdict {
  if (typeof decision === "boolean") return decision ? PLAIN_ALLOW : PLAIN_DENY;
  if (!(decision instanceof RegoObject)) {
    throw new VerdictError(
      `failed to get response status: illegal value for policy evaluation result: ${goType(decision)}`,
    );
  }
  const allow = readAllowed(decision);
  const headers = readHeaders(decision, "headers", "failed to get response headers", options);
  const dynamicMetadata = readDynamicMetadata(decision);
  const common = { plain: false, headers, ...(dynamicMetadata && { dynamicMetadata }) } as const;
  if (!allow) return { ...common, allow, body: readBody(decision), httpStatus: readHttpStatus(decision) };
  return {
    ...common,
    allow,
    headersToRemove: readStrings(decision, "request_headers_to_remove", "failed to get request headers to remove"),
    responseHeadersToAdd: readHeaders(
      decision,
      "response_headers_to_add",
      "failed to get response headers to send to client",
      options,
    ),
    queryParametersToRemove: readStrings(
      decision,
      "query_parameters_to_remove",
      "failed to get request query parameters to remove",
    ),
    queryParametersToSet: readQueryParameters(decision),
  };
}

function readAllowed(decision: RegoObject): boolean {
  const allowed = decision.get("allowed");
  if (typeof allowed === "boolean") return allowed;
  throw new VerdictError(
    allowed === undefined
      ? 'failed to get response status: unable to determine evaluation result due to missing "allowed" key'
      : `failed to get response status: type assertion error, expected allowed to be of type 'boolean' but got '${goType(allowed)}'`,
  );
}

function readBody(decision: RegoObject): string {
  const body = decision.get("body");
  if (body === undefined) return "";
  if (typeof body === "string") return body;
  throw new VerdictError(
    `failed to get response body: type assertion error, expected body to be of type 'string' but got '${goType(body)}'`,
  );
}

function readDynamicMetadata(decision: RegoObject): RegoObject | undefined {
  const metadata = decision.get("dynamic_metadata");
  if (metadata === undefined) return undefined;
  if (!(metadata instanceof RegoObject)) {
    throw new VerdictError(
      `failed to get dynamic metadata: type assertion error, expected dynamic_metadata to be of type 'object' but got '${goType(metadata)}'`,
    );
  }
  checkMetadata(metadata, 0);
  return metadata;
}

/**
 * SPEC: protobuf's C++ readers, Envoy among them, follow 100 nested messages; an object in a Struct takes three. What nests
 * deeper would be an answer that Envoy cannot read, and its bytes would be copied once for each level.
 */
const MAX_METADATA_DEPTH = 30;

/** SPEC: google.protobuf.Value holds doubles; a number that is none (`1e400`) has no place there. */
function checkMetadata(value: Value, depth: number): void {
  if (value === null || typeof value !== "object") return;
  if (depth > MAX_METADATA_DEPTH) {
    throw new VerdictError(`failed to get dynamic metadata: nested deeper than ${MAX_METADATA_DEPTH}`);
  }
  if (value instanceof RegoObject) for (const [, member] of value.entries) checkMetadata(member, depth + 1);
  else if (Array.isArray(value)) for (const member of value as readonly Value[]) checkMetadata(member, depth + 1);
  else if ("text" in value && !Number.isFinite(value.toNumber())) {
    throw new VerdictError(`failed to get dynamic metadata: invalid number format "${value.text}", expected a float64`);
  }
}
