// Keys of OPA's configuration file (opa v1/config, opa-envoy-plugin's Config) and what becomes of each here: the words for
// `svidgate migrate check`, and what is said of a key that is no field of ours. None is ever ignored in silence.

import { nearest } from "./nearest.ts";

/** How svidgate treats a key of OPA's. */
export interface OpaKey {
  /**
   * `same`: means what it means to OPA. `different`: read, with the difference that `why` tells.
   * `without_effect`: accepted and announced, since what it asks for is always so or never happens. `unsupported`: refused.
   */
  readonly support: "same" | "different" | "without_effect" | "unsupported";
  /** A clause: why, and what to do instead. */
  readonly why: string;
}

/** The plugin's section, by the name that every key here is known under. */
export const PLUGIN = "plugins.envoy_ext_authz_grpc";

/** The plugin's older name, under which it may be configured too. */
export const PLUGIN_ALIAS = "plugins.envoy.ext_authz.grpc";

const FILES = "name files with `svidgate.policy.paths` until then";

/** What svidgate reads of OPA's keys, and what it does not. A key stands for everything below it. */
export const OPA_KEYS: Readonly<Record<string, OpaKey>> = {
  [`${PLUGIN}.addr`]: { support: "same", why: "taken as it is, without TLS on any address" },
  [`${PLUGIN}.path`]: { support: "same", why: "the rule that decides" },
  [`${PLUGIN}.dry-run`]: {
    support: "different",
    why: "never blocks; the plugin's still blocks on undefined decisions, evaluation errors and malformed requests",
  },
  [`${PLUGIN}.skip-request-body-parse`]: { support: "same", why: "leaves `parsed_body` and `truncated_body` out" },
  [`${PLUGIN}.proto-descriptor`]: { support: "same", why: "gRPC bodies are parsed by it" },
  [`${PLUGIN}.grpc-max-recv-msg-size`]: { support: "same", why: "larger requests end with RESOURCE_EXHAUSTED" },
  [`${PLUGIN}.enable-performance-metrics`]: {
    support: "without_effect",
    why: "metrics are always on, under other names: `svidgate_check_duration_seconds` for `grpc_request_duration_seconds`, `svidgate_decisions_total` for `error_counter` (docs/metrics.md)",
  },
  [`${PLUGIN}.grpc-request-duration-seconds-buckets`]: {
    support: "without_effect",
    why: "the buckets of `svidgate_check_duration_seconds` are fixed (docs/metrics.md)",
  },
  [`${PLUGIN}.grpc-max-send-msg-size`]: { support: "without_effect", why: "answers have no limit" },
  [`${PLUGIN}.query`]: { support: "unsupported", why: "deprecated by the plugin; name the rule with `path`" },
  labels: { support: "same", why: "part of every decision log line and audit event" },
  "decision_logs.console": {
    support: "different",
    why: "the same line on standard error; `input.version` is a plain object, `input` has `identity` too, `metrics` has no compile and builtin timers; audit events on standard output are a second record (`svidgate.audit.sink`)",
  },
  decision_logs: {
    support: "unsupported",
    why: "decisions are not uploaded or masked yet; audit events go to `svidgate.audit.sink`, OPA's lines with `decision_logs.console: true` to standard error",
  },
  default_decision: {
    support: "without_effect",
    why: "it is for OPA's REST API, which svidgate does not have; the plugin does not read it either",
  },
  default_authorization_decision: {
    support: "without_effect",
    why: "it guards OPA's REST API, which svidgate does not have",
  },
  services: { support: "unsupported", why: `services are not built yet; ${FILES}` },
  bundles: {
    support: "unsupported",
    why: `bundles from services are not built yet; ${FILES}, or a bundle's \`.tar.gz\``,
  },
  bundle: { support: "unsupported", why: `deprecated by OPA, and bundles from services are not built yet; ${FILES}` },
  keys: { support: "unsupported", why: "signed bundles are not built yet" },
  discovery: { support: "unsupported", why: "discovery is not built yet; write what it would give into this file" },
  status: { support: "unsupported", why: "status updates are not built yet; read `GET /status` and `GET /metrics`" },
  caching: {
    support: "unsupported",
    why: "answers of `http.send` are bounded by `svidgate.policy.http_send.cache_max_bytes`; other builtins keep nothing",
  },
  server: { support: "unsupported", why: "there is no REST API; the admin port is `svidgate.admin`" },
  storage: { support: "unsupported", why: "policies and data are in memory only" },
  persistence_directory: { support: "unsupported", why: "nothing is kept on disk: bundles are not downloaded yet" },
  distributed_tracing: { support: "unsupported", why: "tracing under OPA's key is not built yet" },
  metrics_export: { support: "unsupported", why: "metrics are scraped from `GET /metrics`" },
  nd_builtin_cache: { support: "unsupported", why: "results of builtins are not recorded yet" },
  plugins: { support: "unsupported", why: "only the plugin envoy_ext_authz_grpc is built in" },
};

/** Keys of OPA below `decision_logs`, so that a misspelt one is told apart from one that is not supported. */
export const DECISION_LOG_KEYS = [
  "plugin",
  "service",
  "partition_name",
  "reporting",
  "request_context",
  "mask_decision",
  "drop_decision",
  "console",
  "resource",
] as const;

/** A key by its canonical name: the plugin's alias is replaced. */
export const canonicalKey = (key: string): string =>
  key === PLUGIN_ALIAS || key.startsWith(`${PLUGIN_ALIAS}.`) ? PLUGIN + key.slice(PLUGIN_ALIAS.length) : key;

/** The row of an exact key, or undefined. */
export const findOpaKey = (key: string): OpaKey | undefined =>
  Object.hasOwn(OPA_KEYS, key) ? OPA_KEYS[key] : undefined;

/** Whether a key below `plugins` is the one plugin that there is, misspelt. */
export const isNearPlugin = (key: string): boolean =>
  nearest(key.split(".")[1] ?? "", [PLUGIN.slice("plugins.".length)]) !== undefined;
