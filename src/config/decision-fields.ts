// Fields of a decision: what becomes of a request, and what Envoy is told. See `fields.ts`.

import { type Field, flag, oneOf, text } from "./field.ts";

/** Parser, default and documentation of each. */
export const DECISION_FIELDS = {
  onError: {
    key: "svidgate.on_error",
    live: true,
    flag: "on-error",
    placeholder: "deny|error_response|grpc_error",
    fallback: undefined,
    parse: oneOf("deny", "error_response", "grpc_error"),
    kind: "`deny`, `error_response` or `grpc_error`",
    doc: "what Envoy is told when there is no decision: a denial with 503 (400 for an unreadable request), CheckResponse.error_response, or a gRPC error as opa-envoy-plugin answers; default `deny`",
  },
  dryRun: {
    key: "svidgate.dry_run",
    live: true,
    flag: "dry-run",
    fallback: "false",
    parse: flag,
    kind: "boolean",
    doc: "decide, log and count, but never block: every answer is an allow",
  },
  opaDryRun: {
    key: "plugins.envoy_ext_authz_grpc.dry-run",
    live: true,
    fallback: "false",
    parse: flag,
    kind: "boolean",
    doc: "OPA's key for `svidgate.dry_run`",
  },
  skipRequestBodyParse: {
    key: "plugins.envoy_ext_authz_grpc.skip-request-body-parse",
    live: true,
    fallback: "false",
    parse: flag,
    kind: "boolean",
    doc: "leave `parsed_body` and `truncated_body` out of the input",
  },
  protoDescriptor: {
    key: "plugins.envoy_ext_authz_grpc.proto-descriptor",
    live: true,
    fallback: undefined,
    parse: text,
    kind: "path",
    doc: "FileDescriptorSet by which gRPC request bodies are parsed",
  },
  fromHeaderMap: {
    key: "svidgate.input.from_header_map",
    live: true,
    fallback: "false",
    parse: flag,
    kind: "boolean",
    doc: "fill `input.attributes.request.http.headers` from `header_map` (Envoy's `encode_raw_headers`); the plugin leaves it empty",
  },
  decisionCache: {
    key: "svidgate.decision_cache.enabled",
    flag: "decision-cache",
    placeholder: "off",
    fallback: "off",
    parse: oneOf("on", "off"),
    kind: "`off`",
    doc: "answer repeated checks from memory (`on` is not built yet)",
  },
  compatibility: {
    key: "compatibility",
    fallback: "none",
    parse: oneOf("none", "opa-envoy-plugin"),
    kind: "`none` or `opa-envoy-plugin`",
    doc: "`opa-envoy-plugin` turns every deliberate deviation from the plugin off (docs/compatibility.md)",
  },
} as const satisfies Readonly<Record<string, Field<unknown>>>;
