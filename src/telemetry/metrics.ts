// The counters of one process: plain numbers on the hot path, read when Prometheus asks (operations: RED by reason, policy age,
// audit loss). The catalogue says what exists; `exposition.ts` puts it into text. Nothing here may change or delay a decision.

import {
  CATALOGUE,
  DECISION_OUTCOMES,
  type DecisionOutcome,
  HTTP_SEND_OUTCOMES,
  type HttpSendOutcome,
  REFUSAL_REASONS,
  RELOAD_RESULTS,
  type RefusalReason,
  type ReloadResult,
} from "./catalogue.ts";
import { createDurationHistogram } from "./duration-histogram.ts";
import { createExposition, type MetricReaders } from "./exposition.ts";
import { createHttp2Readers, type Http2MetricCounts } from "./http2-metrics.ts";
import { createIdentityMetrics, type IdentityCounts, type IdentityMetrics } from "./identity-metrics.ts";

/** The audit trail's own counters, as the exposition needs them. */
export interface AuditCounts {
  readonly written: number;
  readonly lost: Readonly<Record<string, number>>;
  readonly sinkErrors: number;
  readonly queuedEvents: number;
  readonly queuedBytes: number;
}

/** The tracer's own counters, as the exposition needs them. */
export interface SpanCounts {
  readonly exported: number;
  readonly lost: Readonly<Record<string, number>>;
}

/** The policy that decides now. */
export interface ActivePolicy {
  readonly revision: string;
  readonly loadedAtUnixSeconds: number;
}

/** Values that others own, read at scrape; none may throw. */
export interface MetricsPorts {
  checksInFlight(): number;
  connections(): number;
  /** Connections that were closed as they came or asked, since the start. */
  connectionsRefused(): Readonly<Record<RefusalReason, number>>;
  /** Undefined where the listener counts none of it. */
  http2?(): Http2MetricCounts | undefined;
  /** Undefined without TLS. */
  tlsCertificateExpiryUnixSeconds(): number | undefined;
  /** Undefined while no policy is active. */
  policy(): ActivePolicy | undefined;
  audit(): AuditCounts;
  /** Undefined while nothing verifies credentials. */
  identity?(): IdentityCounts | undefined;
  /** Undefined while tracing is off: the counters are then 0. */
  spans?(): SpanCounts | undefined;
}

/** What `createMetrics` needs to know. */
export interface MetricsOptions {
  readonly version: string;
  readonly nodeVersion: string;
  /** Every reason code, under each outcome that it can come with; `error` must hold `internal`. Exported from the start, at 0. */
  readonly reasons: Readonly<Record<DecisionOutcome, readonly string[]>>;
  readonly ports: MetricsPorts;
  /** Called when a reason outside `reasons` is counted, which is our mistake; tests throw, the program logs. */
  readonly onFault: (fault: Error) => void;
  /** Whether Node's and the process's own metrics are exported too; true unless set. They observe the whole process, once. */
  readonly processMetrics?: boolean;
}

/** The counters and their exposition. */
export interface Metrics {
  /**
   * Counts one decision. Durations are microseconds, as in the audit event; `evaluationUs` below 0 means that no policy ran.
   * An unknown reason goes to `onFault` and is counted as `error`/`internal`. About 50 ns, no allocation.
   */
  decided(outcome: DecisionOutcome, reason: string, checkUs: number, evaluationUs: number): void;
  /** Counts the steps of one evaluation. */
  evaluated(steps: number): void;
  /** Counts a request that passed only because of dry run. */
  wouldDeny(reason: string): void;
  /** Counts one request of `http.send`; `durationMs` is undefined when nothing was sent. */
  httpRequested(outcome: HttpSendOutcome, durationMs: number | undefined): void;
  policyReloaded(result: ReloadResult): void;
  tlsReloaded(result: ReloadResult): void;
  /** Counters of identity. */
  readonly identity: Omit<IdentityMetrics, "readers">;
  /** The exposition in Prometheus' text format. */
  text(): Promise<string>;
  /** `Content-Type` of `text()`. */
  readonly contentType: string;
}

const zeroes = <Name extends string>(names: readonly Name[]): Record<Name, number> =>
  Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;

/** Creates the counters. Throws when `reasons.error` lacks `internal`. */
export function createMetrics(options: MetricsOptions): Metrics {
  const { ports, reasons } = options;
  const pairs = DECISION_OUTCOMES.flatMap((outcome) =>
    [...new Set(reasons[outcome])].map((reason) => ({ outcome, reason })),
  );
  const slots: Record<DecisionOutcome, Map<string, number>> = { allow: new Map(), deny: new Map(), error: new Map() };
  pairs.forEach(({ outcome, reason }, slot) => {
    slots[outcome].set(reason, slot);
  });
  const internal = slots.error.get("internal");
  if (internal === undefined)
    throw new Error("reasons: `internal` is missing among the errors: add it to the reason codes");

  const decisions = new Float64Array(pairs.length);
  const dryRunReasons = [...new Set([...reasons.deny, ...reasons.error])];
  const dryRunSlots = new Map(dryRunReasons.map((reason, slot) => [reason, slot]));
  const dryRun = new Float64Array(dryRunReasons.length);
  const reloads: Record<ReloadResult, number> = { success: 0, failure: 0 };
  let lastReload: ReloadResult = "success";
  const tlsReloads: Record<ReloadResult, number> = { success: 0, failure: 0 };
  const checks = createDurationHistogram(
    CATALOGUE.svidgate_check_duration_seconds.bucketsSeconds,
    DECISION_OUTCOMES.length,
  );
  const evaluations = createDurationHistogram(CATALOGUE.svidgate_evaluation_duration_seconds.bucketsSeconds, 1);
  const httpRequests: Record<HttpSendOutcome, number> = zeroes(HTTP_SEND_OUTCOMES);
  const httpDurations = createDurationHistogram(CATALOGUE.svidgate_http_send_duration_seconds.bucketsSeconds, 1);

  // One step is one second to the histogram, which knows durations.
  const steps = createDurationHistogram(CATALOGUE.svidgate_evaluation_steps.bucketsSeconds, 1);
  const identity = createIdentityMetrics(() => ports.identity?.());
  const readers: MetricReaders = {
    ...identity.readers,
    ...createHttp2Readers(() => ports.http2?.()),
    svidgate_decisions_total: () => pairs.map((labels, slot) => ({ labels, value: decisions[slot] ?? 0 })),
    svidgate_dry_run_would_deny_total: () =>
      dryRunReasons.map((reason, slot) => ({ labels: { reason }, value: dryRun[slot] ?? 0 })),
    svidgate_check_duration_seconds: () =>
      DECISION_OUTCOMES.map((outcome, series) => ({ labels: { outcome }, ...checks.read(series) })),
    svidgate_evaluation_duration_seconds: () => [{ labels: {}, ...evaluations.read(0) }],
    svidgate_evaluation_steps: () => [{ labels: {}, ...steps.read(0) }],
    svidgate_http_send_requests_total: () =>
      HTTP_SEND_OUTCOMES.map((outcome) => ({ labels: { outcome }, value: httpRequests[outcome] })),
    svidgate_http_send_duration_seconds: () => [{ labels: {}, ...httpDurations.read(0) }],
    svidgate_checks_in_flight: () => [{ labels: {}, value: ports.checksInFlight() }],
    svidgate_connections: () => [{ labels: {}, value: ports.connections() }],
    svidgate_connections_refused_total: () => {
      const refused = ports.connectionsRefused();
      return REFUSAL_REASONS.map((reason) => ({ labels: { reason }, value: refused[reason] }));
    },
    svidgate_tls_certificate_expiry_timestamp_seconds: () => {
      const value = ports.tlsCertificateExpiryUnixSeconds();
      return value === undefined ? [] : [{ labels: {}, value }];
    },
    svidgate_tls_reloads_total: () =>
      RELOAD_RESULTS.map((result) => ({ labels: { result }, value: tlsReloads[result] })),
    svidgate_policy_info: () => {
      const policy = ports.policy();
      return policy === undefined ? [] : [{ labels: { revision: policy.revision }, value: 1 }];
    },
    svidgate_policy_loaded_timestamp_seconds: () => {
      const policy = ports.policy();
      return policy === undefined ? [] : [{ labels: {}, value: policy.loadedAtUnixSeconds }];
    },
    svidgate_policy_reloads_total: () =>
      RELOAD_RESULTS.map((result) => ({ labels: { result }, value: reloads[result] })),
    svidgate_policy_last_reload_successful: () => [{ labels: {}, value: lastReload === "success" ? 1 : 0 }],
    svidgate_audit_events_total: () => [{ labels: {}, value: ports.audit().written }],
    svidgate_audit_lost_total: () => {
      const { lost } = ports.audit();
      const { cause: causes } = CATALOGUE.svidgate_audit_lost_total.labels;
      return causes.map((cause) => ({ labels: { cause }, value: lost[cause] ?? 0 }));
    },
    svidgate_audit_sink_errors_total: () => [{ labels: {}, value: ports.audit().sinkErrors }],
    svidgate_audit_queue_events: () => [{ labels: {}, value: ports.audit().queuedEvents }],
    svidgate_audit_queue_bytes: () => [{ labels: {}, value: ports.audit().queuedBytes }],
    svidgate_spans_exported_total: () => [{ labels: {}, value: ports.spans?.()?.exported ?? 0 }],
    svidgate_spans_lost_total: () => {
      const lost = ports.spans?.()?.lost;
      const { cause: causes } = CATALOGUE.svidgate_spans_lost_total.labels;
      return causes.map((cause) => ({ labels: { cause }, value: lost?.[cause] ?? 0 }));
    },
    svidgate_build_info: () => [{ labels: { version: options.version, node: options.nodeVersion }, value: 1 }],
  };
  const exposition = createExposition(readers, options.processMetrics ?? true);

  const unknown = (reason: string): void => {
    options.onFault(new Error(`reason \`${reason}\` is not in the closed set: add it to the reason codes`));
  };
  return {
    decided: (outcome, reason, checkUs, evaluationUs) => {
      let slot = slots[outcome].get(reason);
      if (slot === undefined) {
        unknown(reason);
        slot = internal;
      }
      (decisions[slot] as number)++;
      checks.observe(outcome === "allow" ? 0 : outcome === "deny" ? 1 : 2, checkUs);
      if (evaluationUs >= 0) evaluations.observe(0, evaluationUs);
    },
    evaluated: (count) => steps.observe(0, count * 1e6),
    wouldDeny: (reason) => {
      let slot = dryRunSlots.get(reason);
      if (slot === undefined) {
        unknown(reason);
        slot = dryRunSlots.get("internal") as number;
      }
      (dryRun[slot] as number)++;
    },
    httpRequested: (outcome, durationMs) => {
      httpRequests[outcome]++;
      if (durationMs !== undefined) httpDurations.observe(0, durationMs * 1000);
    },
    policyReloaded: (result) => {
      reloads[result]++;
      lastReload = result;
    },
    tlsReloaded: (result) => {
      tlsReloads[result]++;
    },
    identity,
    text: exposition.text,
    contentType: exposition.contentType,
  };
}
