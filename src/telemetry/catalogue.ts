// Every metric that svidgate exports: name, type, help, labels with their closed value sets, buckets.
// `docs/metrics.md` is written from this table and a test compares the two; Prometheus sees the same help texts.
// INVARIANT: a label's values are a closed list here or chosen by configuration or build, never by a request.

import { HTTP2_CATALOGUE } from "./http2-catalogue.ts";
import { IDENTITY_CATALOGUE } from "./identity-catalogue.ts";

/** The values a label can take: a list, or a sentence that names the closed set it comes from. */
export type LabelValues = readonly string[] | { readonly from: string };

/** One row of the catalogue. */
export interface MetricEntry {
  readonly type: "counter" | "gauge" | "histogram";
  /** One sentence for `# HELP`. */
  readonly help: string;
  readonly labels: Readonly<Record<string, LabelValues>>;
  /** Upper bounds in seconds, or in `unit`; histograms only. */
  readonly bucketsSeconds?: readonly number[];
  readonly unit?: "steps";
}

/** What a decision can come to: `error` is a failure of ours (a trap, staleness, overload), told apart from a policy's no. */
export const DECISION_OUTCOMES = ["allow", "deny", "error"] as const;
export type DecisionOutcome = (typeof DECISION_OUTCOMES)[number];

/** How a reload of policy and data can end; after a failure the former policy keeps deciding. */
export const RELOAD_RESULTS = ["success", "failure"] as const;
export type ReloadResult = (typeof RELOAD_RESULTS)[number];

/** Why a connection to the check listener was closed by svidgate before it asked, or before it asked again. */
export const REFUSAL_REASONS = [
  "connection_limit",
  "no_preface",
  "handshake_timeout",
  "handshake_failed",
  "no_alpn_h2",
  "client_certificate_missing",
  "client_certificate_untrusted",
  "client_certificate_invalid",
  "client_certificate_expired",
  "client_not_allowed",
  "no_client_bundle",
] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** How a request of a policy's `http.send` ended (docs/http-send.md). */
export const HTTP_SEND_OUTCOMES = [
  "answered",
  "cached",
  "revalidated",
  "invalid",
  "refused",
  "timeout",
  "unreachable",
  "too_large",
  "abandoned",
] as const;
export type HttpSendOutcome = (typeof HTTP_SEND_OUTCOMES)[number];

const REASONS: LabelValues = { from: "the reason codes" };

// 1 ms and 5 ms are the usual objectives, 200 ms is Envoy's default ext_authz timeout.
const CHECK_BUCKETS = [
  50e-6, 100e-6, 200e-6, 300e-6, 500e-6, 750e-6, 1e-3, 2e-3, 3e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 0.2, 0.25, 0.5, 1,
] as const;
const HTTP_SEND_BUCKETS = [1e-3, 2e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.2, 0.5, 1, 2, 5] as const;
// A small policy takes 4 to 8 µs, so the check's buckets would show one bar.
const EVALUATION_BUCKETS = [
  2e-6, 5e-6, 10e-6, 20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 25e-3, 100e-3,
] as const;

// Up to the default budget: what comes near it should be seen before it is refused.
const STEP_BUCKETS = [1e3, 1e4, 3e4, 1e5, 3e5, 1e6, 2e6, 5e6, 1e7, 1.5e7, 2e7, 1e8, 1e9] as const;

/** The catalogue, by metric name. */
export const CATALOGUE = {
  svidgate_decisions_total: {
    type: "counter",
    help: "Decisions by outcome and reason code, counted as decided even where dry run lets the request pass.",
    labels: { outcome: DECISION_OUTCOMES, reason: REASONS },
  },
  svidgate_check_duration_seconds: {
    type: "histogram",
    help: "Time from the arrival of a check to its reply.",
    labels: { outcome: DECISION_OUTCOMES },
    bucketsSeconds: CHECK_BUCKETS,
  },
  svidgate_evaluation_duration_seconds: {
    type: "histogram",
    help: "Time inside the policy's WASM, for checks that got that far; what an evaluation waits for (`http.send`) is part of it.",
    labels: {},
    bucketsSeconds: EVALUATION_BUCKETS,
  },
  svidgate_evaluation_steps: {
    type: "histogram",
    help: "Steps that evaluations took of their budget (svidgate.policy.budget), also those that failed.",
    labels: {},
    bucketsSeconds: STEP_BUCKETS,
    unit: "steps",
  },
  svidgate_http_send_requests_total: {
    type: "counter",
    help: "Requests of policies by `http.send`, by how they ended; `refused` is a host that configuration does not allow.",
    labels: { outcome: HTTP_SEND_OUTCOMES },
  },
  svidgate_http_send_duration_seconds: {
    type: "histogram",
    help: "Time of the requests of `http.send` that were sent, redirects and retries included.",
    labels: {},
    bucketsSeconds: HTTP_SEND_BUCKETS,
  },
  ...IDENTITY_CATALOGUE,
  svidgate_dry_run_would_deny_total: {
    type: "counter",
    help: "Requests that dry run let pass although the decision was not an allow, by reason code.",
    labels: { reason: REASONS },
  },
  svidgate_checks_in_flight: { type: "gauge", help: "Checks that have arrived and have no reply yet.", labels: {} },
  svidgate_connections: { type: "gauge", help: "Open connections to the check listener.", labels: {} },
  svidgate_connections_refused_total: {
    type: "counter",
    help: "Connections to the check listener that svidgate closed, by reason (docs/tls.md).",
    labels: { reason: REFUSAL_REASONS },
  },
  ...HTTP2_CATALOGUE,
  svidgate_tls_certificate_expiry_timestamp_seconds: {
    type: "gauge",
    help: "When the listener's certificate ends, Unix time; absent without TLS.",
    labels: {},
  },
  svidgate_tls_reloads_total: {
    type: "counter",
    help: "Reloads of certificate, key and client CA by result; after a failure the former ones stay in use.",
    labels: { result: RELOAD_RESULTS },
  },
  svidgate_policy_info: {
    type: "gauge",
    help: "1 for the revision of the policy that decides now; absent while there is none.",
    labels: { revision: { from: "the revision of the active policy" } },
  },
  svidgate_policy_loaded_timestamp_seconds: {
    type: "gauge",
    help: "When the active policy was loaded, Unix time; its age is time() minus this.",
    labels: {},
  },
  svidgate_policy_reloads_total: {
    type: "counter",
    help: "Reloads of policy and data by result; after a failure the former policy keeps deciding.",
    labels: { result: RELOAD_RESULTS },
  },
  svidgate_policy_last_reload_successful: {
    type: "gauge",
    help: "Whether the last reload succeeded: 0 when it failed, so that an older policy decides than the files say; 1 otherwise.",
    labels: {},
  },
  svidgate_audit_events_total: { type: "counter", help: "Audit events that the sink has taken.", labels: {} },
  svidgate_audit_lost_total: {
    type: "counter",
    help: "Audit events that were lost, by cause; the objective is 0.",
    labels: { cause: ["queue_full", "sink_error", "shutdown", "internal"] },
  },
  svidgate_audit_sink_errors_total: {
    type: "counter",
    help: "Writes that the audit sink refused; they are tried again, and events are lost only when the queue is full.",
    labels: {},
  },
  svidgate_audit_queue_events: { type: "gauge", help: "Audit events that wait for the sink.", labels: {} },
  svidgate_audit_queue_bytes: { type: "gauge", help: "Bytes of audit lines that wait for the sink.", labels: {} },
  svidgate_spans_exported_total: { type: "counter", help: "Trace spans that the collector has taken.", labels: {} },
  svidgate_spans_lost_total: {
    type: "counter",
    help: "Trace spans that were lost, by cause; decisions and audit events do not depend on them.",
    labels: { cause: ["queue_full", "unreachable", "refused", "shutdown"] },
  },
  svidgate_build_info: {
    type: "gauge",
    help: "1 for the running version of svidgate and of Node.",
    labels: { version: { from: "svidgate's version" }, node: { from: "Node's version" } },
  },
} as const satisfies Readonly<Record<`svidgate_${string}`, MetricEntry>>;

/** A name of the catalogue. */
export type MetricName = keyof typeof CATALOGUE;
