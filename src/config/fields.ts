// The table of configuration fields: parser, default and documentation of each, in one place.
// Flags, `--set`, `docs/configuration.md` and the tests are made from it. Keys that OPA has keep OPA's name and meaning.

import { bytes, duration, type Field, fileMode, flag, integer, oneOf, text } from "./field.ts";

const MIB = 1024 ** 2;

/** Every field, by the name it has in {@link Config}. */
export const FIELDS = {
  policyPaths: {
    key: "svidgate.policy.paths",
    flag: "policy",
    placeholder: "PATH",
    repeatable: true,
    fallback: undefined,
    parse: text,
    kind: "path, repeatable",
    doc: "policy to decide by: a `.rego` file, a folder (read as `opa build` reads it, without `*_test.rego` and dot-files), a bundle `.tar.gz`, or a `policy.wasm`",
  },
  dataFiles: {
    key: "svidgate.policy.data",
    flag: "data",
    placeholder: "FILE",
    repeatable: true,
    fallback: undefined,
    parse: text,
    kind: "path, repeatable",
    doc: "JSON or YAML document merged into `data`; two values for one key are an error",
  },
  regoVersion: {
    key: "svidgate.policy.rego_version",
    flag: "rego-version",
    placeholder: "v0|v1",
    fallback: "v1",
    parse: oneOf("v0", "v1"),
    kind: "`v0` or `v1`",
    doc: "Rego language version of `.rego` sources",
  },
  entrypoint: {
    key: "svidgate.policy.entrypoint",
    flag: "entrypoint",
    placeholder: "PATH",
    fallback: undefined,
    parse: text,
    kind: "path below `data`",
    doc: "the rule that decides; default `plugins.envoy_ext_authz_grpc.path`",
  },
  opaPath: {
    key: "plugins.envoy_ext_authz_grpc.path",
    fallback: "envoy/authz/allow",
    parse: text,
    kind: "path below `data`",
    doc: "OPA's key for the rule that decides",
  },
  engine: {
    key: "svidgate.policy.engine",
    fallback: "native",
    parse: oneOf("native", "opa-wasm"),
    kind: "`native` or `opa-wasm`",
    doc: "what runs the policy's WASM: svidgate's own host, or the npm package @open-policy-agent/opa-wasm (second engine; fewer builtins)",
  },
  strictBuiltinErrors: {
    key: "svidgate.policy.strict_builtin_errors",
    fallback: "false",
    parse: flag,
    kind: "boolean",
    doc: "a failing builtin function is an error (`policy_builtin_error`) and not undefined",
  },
  maxMemoryBytes: {
    key: "svidgate.policy.max_memory",
    fallback: "256MiB",
    parse: bytes(8 * MIB, 4096 * MIB),
    kind: "size",
    doc: "most memory that the policy's WASM may grow to, data included",
  },
  listen: {
    key: "svidgate.listen",
    flag: "listen",
    placeholder: "ADDR",
    fallback: "127.0.0.1:9191",
    parse: text,
    kind: "`host:port` or `unix:/path`",
    doc: "address of the ext_authz listener",
  },
  opaAddr: {
    key: "plugins.envoy_ext_authz_grpc.addr",
    fallback: undefined,
    parse: text,
    kind: "`host:port`, `grpc://host:port` or `unix:///path`",
    doc: "OPA's key for the listener's address; set, it wins over the default of `svidgate.listen` and may be any address without `--insecure-listen`",
  },
  insecureListen: {
    key: "svidgate.insecure_listen",
    flag: "insecure-listen",
    fallback: "false",
    parse: flag,
    kind: "boolean",
    doc: "allow a non-loopback TCP address without TLS; whoever reaches it may ask",
  },
  unixSocketMode: {
    key: "svidgate.unix_socket_mode",
    fallback: "0660",
    parse: fileMode,
    kind: "octal mode",
    doc: "permissions of the unix socket",
  },
  listener: {
    key: "svidgate.listener",
    flag: "listener",
    placeholder: "grpc-js",
    fallback: "grpc-js",
    parse: oneOf("grpc-js", "line-rate"),
    kind: "`grpc-js`",
    doc: "the HTTP/2 server (`line-rate` is not built yet)",
  },
  workers: {
    key: "svidgate.workers",
    flag: "workers",
    placeholder: "N",
    fallback: "1",
    parse: integer(1, 256),
    kind: "whole number",
    doc: "processes that decide (more than 1 is not built yet)",
  },
  maxRequestBytes: {
    key: "plugins.envoy_ext_authz_grpc.grpc-max-recv-msg-size",
    fallback: "4194304",
    parse: bytes(1024, 256 * MIB),
    kind: "size",
    doc: "largest CheckRequest; a larger one ends with RESOURCE_EXHAUSTED",
  },
  maxConnections: {
    key: "svidgate.limits.max_connections",
    fallback: "10000",
    parse: integer(1, 1_000_000),
    kind: "whole number",
    doc: "open connections; further ones are closed at once and counted",
  },
  maxConcurrentStreams: {
    key: "svidgate.limits.max_concurrent_streams",
    fallback: "1024",
    parse: integer(1, 1_000_000),
    kind: "whole number",
    doc: "checks in flight on one connection",
  },
  admin: {
    key: "svidgate.admin",
    flag: "admin",
    placeholder: "ADDR|off",
    fallback: "127.0.0.1:8282",
    parse: text,
    kind: "`host:port` or `off`",
    doc: "address of the read-only admin port (health, metrics, status)",
  },
  onError: {
    key: "svidgate.on_error",
    flag: "on-error",
    placeholder: "deny|error_response|grpc_error",
    fallback: undefined,
    parse: oneOf("deny", "error_response", "grpc_error"),
    kind: "`deny`, `error_response` or `grpc_error`",
    doc: "what Envoy is told when there is no decision: a denial with 503 (400 for an unreadable request), CheckResponse.error_response, or a gRPC error as opa-envoy-plugin answers; default `deny`",
  },
  dryRun: {
    key: "svidgate.dry_run",
    flag: "dry-run",
    fallback: "false",
    parse: flag,
    kind: "boolean",
    doc: "decide, log and count, but never block: every answer is an allow",
  },
  opaDryRun: {
    key: "plugins.envoy_ext_authz_grpc.dry-run",
    fallback: "false",
    parse: flag,
    kind: "boolean",
    doc: "OPA's key for `svidgate.dry_run`",
  },
  skipRequestBodyParse: {
    key: "plugins.envoy_ext_authz_grpc.skip-request-body-parse",
    fallback: "false",
    parse: flag,
    kind: "boolean",
    doc: "leave `parsed_body` and `truncated_body` out of the input",
  },
  protoDescriptor: {
    key: "plugins.envoy_ext_authz_grpc.proto-descriptor",
    fallback: undefined,
    parse: text,
    kind: "path",
    doc: "FileDescriptorSet by which gRPC request bodies are parsed",
  },
  fromHeaderMap: {
    key: "svidgate.input.from_header_map",
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
  audit: {
    key: "svidgate.audit.sink",
    flag: "audit",
    placeholder: "stdout|file:PATH|none",
    fallback: "stdout",
    parse: text,
    kind: "`stdout`, `file:PATH` or `none`",
    doc: "where audit events go, one JSON object a line",
  },
  auditQueueEvents: {
    key: "svidgate.audit.queue_events",
    fallback: "16384",
    parse: integer(16, 10_000_000),
    kind: "whole number",
    doc: "audit events that may wait for a slow sink; further ones are lost, counted and announced",
  },
  auditPath: {
    key: "svidgate.audit.path",
    fallback: "full",
    parse: oneOf("full", "none"),
    kind: "`full` or `none`",
    doc: "whether the event holds the request path (never its query); `none` where paths hold secrets or personal data",
  },
  compatibility: {
    key: "compatibility",
    fallback: "none",
    parse: oneOf("none", "opa-envoy-plugin"),
    kind: "`none` or `opa-envoy-plugin`",
    doc: "`opa-envoy-plugin` turns every deliberate deviation from the plugin off (docs/compatibility.md)",
  },
  lameDuckMs: {
    key: "svidgate.drain.lame_duck",
    fallback: "5s",
    parse: duration(0, 600_000),
    kind: "duration",
    doc: "time between NOT_SERVING and the end of new connections on SIGTERM",
  },
  graceMs: {
    key: "svidgate.drain.grace",
    fallback: "20s",
    parse: duration(0, 600_000),
    kind: "duration",
    doc: "time for checks in flight to finish on SIGTERM",
  },
  logLevel: {
    key: "svidgate.log.level",
    flag: "log-level",
    placeholder: "LEVEL",
    fallback: "info",
    parse: oneOf("debug", "info", "warn", "error"),
    kind: "`debug`, `info`, `warn` or `error`",
    doc: "least severe level that is logged (standard error, one JSON object a line)",
  },
} as const satisfies Record<string, Field<unknown>>;

type Parsed<F> = F extends { readonly parse: (text: string) => infer R }
  ? R extends { readonly ok: true; readonly value: infer T }
    ? T
    : never
  : never;

type FieldValue<F> = F extends { readonly repeatable: true }
  ? readonly Parsed<F>[]
  : F extends { readonly fallback: string }
    ? Parsed<F>
    : Parsed<F> | undefined;

/** The configuration: frozen, checked, in base units. */
export type Config = { readonly [K in keyof typeof FIELDS]: FieldValue<(typeof FIELDS)[K]> };

/** The name of a field. */
export type FieldName = keyof typeof FIELDS;
