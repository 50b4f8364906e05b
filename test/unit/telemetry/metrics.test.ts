import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LOSS_CAUSES } from "../../../src/audit/event-fields.ts";
import { CATALOGUE, type MetricEntry, REFUSAL_REASONS, type RefusalReason } from "../../../src/telemetry/catalogue.ts";
import { CONNECTION_ENDS, STREAM_REFUSALS } from "../../../src/telemetry/http2-catalogue.ts";
import { createMetrics, type Metrics, type MetricsOptions } from "../../../src/telemetry/metrics.ts";
import { SPAN_LOSS_CAUSES } from "../../../src/telemetry/span-queue.ts";

const reasons = {
  allow: ["policy_allowed"],
  deny: ["policy_denied", "policy_undefined"],
  error: ["policy_trap", "internal"],
};
const audit = {
  written: 7,
  lost: { queue_full: 1, sink_error: 2, shutdown: 3, internal: 4 },
  sinkErrors: 5,
  queuedEvents: 6,
  queuedBytes: 800,
};
const refused = Object.fromEntries(REFUSAL_REASONS.map((reason, at) => [reason, at + 1])) as Record<
  RefusalReason,
  number
>;
const numbered = <Name extends string>(names: readonly Name[]) =>
  Object.fromEntries(names.map((name, at) => [name, at + 20])) as Record<Name, number>;
const build = (options: Partial<MetricsOptions> = {}): Metrics =>
  createMetrics({
    version: "0.1.0",
    nodeVersion: "v20.19.0",
    reasons,
    ports: {
      checksInFlight: () => 2,
      connections: () => 3,
      connectionsRefused: () => refused,
      http2: () => ({
        connectionEnds: numbered(CONNECTION_ENDS),
        streamRefusals: numbered(STREAM_REFUSALS),
        unfinishedBytes: 16,
      }),
      tlsCertificateExpiryUnixSeconds: () => 1_800_000_000,
      policy: () => ({ revision: "r1", loadedAtUnixSeconds: 1_767_225_600.5 }),
      audit: () => audit,
      spans: () => ({ exported: 11, lost: { queue_full: 12, unreachable: 13, refused: 14, shutdown: 15 } }),
    },
    onFault: (fault) => {
      throw fault;
    },
    processMetrics: false,
    ...options,
  });
/** The exposition as a map from series to value. */
const read = async (metrics: Metrics): Promise<ReadonlyMap<string, string>> =>
  new Map(
    (await metrics.text())
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => [line.slice(0, line.lastIndexOf(" ")), line.slice(line.lastIndexOf(" ") + 1)]),
  );

describe("the exposition", () => {
  it("is Prometheus' text format with help and type of every metric of the catalogue", async () => {
    const metrics = build();
    assert.equal(metrics.contentType, "text/plain; version=0.0.4; charset=utf-8");
    const text = await metrics.text();
    for (const [name, { help, type }] of Object.entries<MetricEntry>(CATALOGUE)) {
      assert.ok(text.includes(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`), name);
    }
  });
  it("has every decision series from the start, at 0, so that the first increase of each is seen", async () => {
    const series = await read(build());
    for (const [outcome, codes] of Object.entries(reasons)) {
      for (const reason of codes) {
        assert.equal(series.get(`svidgate_decisions_total{outcome="${outcome}",reason="${reason}"}`), "0");
      }
    }
    const allowed = [...series.keys()].filter((name) => name.startsWith('svidgate_decisions_total{outcome="allow"'));
    assert.equal(allowed.length, 1);
  });
  it("gives what the ports say at the time of the scrape", async () => {
    const series = await read(build());
    const want = {
      svidgate_checks_in_flight: "2",
      svidgate_connections: "3",
      'svidgate_connections_refused_total{reason="connection_limit"}': "1",
      'svidgate_connections_refused_total{reason="client_not_allowed"}': "10",
      'svidgate_http2_connections_ended_total{reason="protocol_error"}': "20",
      'svidgate_http2_streams_refused_total{reason="malformed"}': "21",
      svidgate_http2_unfinished_bytes: "16",
      svidgate_tls_certificate_expiry_timestamp_seconds: "1800000000",
      'svidgate_policy_info{revision="r1"}': "1",
      svidgate_policy_loaded_timestamp_seconds: "1767225600.5",
      svidgate_audit_events_total: "7",
      'svidgate_audit_lost_total{cause="queue_full"}': "1",
      'svidgate_audit_lost_total{cause="sink_error"}': "2",
      'svidgate_audit_lost_total{cause="shutdown"}': "3",
      'svidgate_audit_lost_total{cause="internal"}': "4",
      svidgate_audit_sink_errors_total: "5",
      svidgate_audit_queue_events: "6",
      svidgate_audit_queue_bytes: "800",
      svidgate_spans_exported_total: "11",
      'svidgate_spans_lost_total{cause="queue_full"}': "12",
      'svidgate_spans_lost_total{cause="unreachable"}': "13",
      'svidgate_spans_lost_total{cause="refused"}': "14",
      'svidgate_spans_lost_total{cause="shutdown"}': "15",
      'svidgate_build_info{version="0.1.0",node="v20.19.0"}': "1",
    };
    for (const [name, value] of Object.entries(want)) assert.equal(series.get(name), value, name);
  });
  it("shows one revision at a time, and none while no policy is active", async () => {
    let revision: string | undefined = "r1";
    const metrics = build({
      ports: {
        checksInFlight: () => 0,
        connections: () => 0,
        connectionsRefused: () => refused,
        tlsCertificateExpiryUnixSeconds: () => undefined,
        policy: () => (revision === undefined ? undefined : { revision, loadedAtUnixSeconds: 1 }),
        audit: () => audit,
      },
    });
    const infos = async (): Promise<readonly string[]> =>
      [...(await read(metrics)).keys()].filter((name) => name.startsWith("svidgate_policy_"));
    const reloads = [
      'svidgate_policy_reloads_total{result="success"}',
      'svidgate_policy_reloads_total{result="failure"}',
      "svidgate_policy_last_reload_successful",
    ];
    assert.deepEqual(await infos(), [
      'svidgate_policy_info{revision="r1"}',
      "svidgate_policy_loaded_timestamp_seconds",
      ...reloads,
    ]);
    revision = 'r"2\n';
    assert.deepEqual((await infos())[0], 'svidgate_policy_info{revision="r\\"2\\n"}');
    revision = undefined;
    assert.deepEqual(await infos(), reloads);
  });
  it("leaves a certificate's end out without TLS, and counts reloads of TLS files", async () => {
    const metrics = build();
    metrics.tlsReloaded("failure");
    const series = await read(metrics);
    assert.equal(series.get('svidgate_tls_reloads_total{result="failure"}'), "1");
    assert.equal(series.get('svidgate_tls_reloads_total{result="success"}'), "0");
    const ports = { checksInFlight: () => 0, connections: () => 0, policy: () => undefined, audit: () => audit };
    const without = build({
      ports: { ...ports, connectionsRefused: () => refused, tlsCertificateExpiryUnixSeconds: () => undefined },
    });
    assert.equal((await read(without)).has("svidgate_tls_certificate_expiry_timestamp_seconds"), false);
  });
  it("adds Node's and the process's own metrics", async () => {
    const text = await build({ processMetrics: true }).text();
    for (const name of ["process_cpu_seconds_total", "process_resident_memory_bytes", "nodejs_eventloop_lag_seconds"]) {
      assert.ok(text.includes(`\n${name} `), name);
    }
  });
});

describe("counting", () => {
  it("counts a decision by outcome and reason, and both durations", async () => {
    const metrics = build();
    metrics.decided("allow", "policy_allowed", 60, 7);
    metrics.decided("deny", "policy_denied", 200_000, 12);
    metrics.decided("deny", "policy_denied", 90, 3);
    const series = await read(metrics);
    assert.equal(series.get('svidgate_decisions_total{outcome="allow",reason="policy_allowed"}'), "1");
    assert.equal(series.get('svidgate_decisions_total{outcome="deny",reason="policy_denied"}'), "2");
    assert.equal(series.get('svidgate_check_duration_seconds_bucket{le="0.00005",outcome="allow"}'), "0");
    assert.equal(series.get('svidgate_check_duration_seconds_bucket{le="0.0001",outcome="allow"}'), "1");
    assert.equal(series.get('svidgate_check_duration_seconds_bucket{le="0.1",outcome="deny"}'), "1");
    assert.equal(series.get('svidgate_check_duration_seconds_bucket{le="0.2",outcome="deny"}'), "2");
    assert.equal(series.get('svidgate_check_duration_seconds_bucket{le="+Inf",outcome="deny"}'), "2");
    assert.equal(series.get('svidgate_check_duration_seconds_count{outcome="deny"}'), "2");
    assert.equal(series.get('svidgate_check_duration_seconds_sum{outcome="deny"}'), "0.20009");
    assert.equal(series.get("svidgate_evaluation_duration_seconds_count"), "3");
    assert.equal(series.get('svidgate_evaluation_duration_seconds_bucket{le="0.00001"}'), "2");
  });
  it("counts the steps of evaluations", async () => {
    const metrics = build();
    for (const steps of [900, 10_000, 10_001, 20_000_000]) metrics.evaluated(steps);
    const series = await read(metrics);
    assert.equal(series.get('svidgate_evaluation_steps_bucket{le="1000"}'), "1");
    assert.equal(series.get('svidgate_evaluation_steps_bucket{le="10000"}'), "2");
    assert.equal(series.get('svidgate_evaluation_steps_bucket{le="15000000"}'), "3");
    assert.equal(series.get('svidgate_evaluation_steps_bucket{le="20000000"}'), "4");
    assert.equal(series.get("svidgate_evaluation_steps_sum"), "20020901");
  });
  it("counts no evaluation for a decision that no policy made", async () => {
    const metrics = build();
    metrics.decided("error", "policy_trap", 60, -1);
    metrics.decided("error", "policy_trap", 60, Number.NaN);
    assert.equal((await read(metrics)).get("svidgate_evaluation_duration_seconds_count"), "0");
  });
  it("gives the same numbers at every scrape", async () => {
    const metrics = build();
    metrics.decided("allow", "policy_allowed", 60, 7);
    metrics.wouldDeny("policy_denied");
    assert.deepEqual(await read(metrics), await read(metrics));
  });
  it("counts dry run and reloads", async () => {
    const metrics = build();
    metrics.wouldDeny("policy_denied");
    metrics.wouldDeny("policy_trap");
    assert.equal((await read(metrics)).get("svidgate_policy_last_reload_successful"), "1");
    metrics.policyReloaded("failure");
    const series = await read(metrics);
    assert.equal(series.get("svidgate_policy_last_reload_successful"), "0");
    assert.equal(series.get('svidgate_dry_run_would_deny_total{reason="policy_denied"}'), "1");
    assert.equal(series.get('svidgate_dry_run_would_deny_total{reason="policy_trap"}'), "1");
    assert.equal(series.get('svidgate_policy_reloads_total{result="success"}'), "0");
    assert.equal(series.get('svidgate_policy_reloads_total{result="failure"}'), "1");
    metrics.policyReloaded("success");
    assert.equal((await read(metrics)).get("svidgate_policy_last_reload_successful"), "1");
  });
});

describe("a reason outside the closed set", () => {
  it("is a fault", () => {
    assert.throws(() => build().decided("deny", "made_up", 1, 1), /reason `made_up` is not in the closed set/);
    assert.throws(() => build().decided("allow", "policy_denied", 1, 1), /not in the closed set/);
    assert.throws(() => build().wouldDeny("__proto__"), /not in the closed set/);
  });
  it("is counted as internal at run time, so that no request can make a series", async () => {
    const metrics = build({ onFault: () => undefined });
    metrics.decided("deny", "made_up", 1, 1);
    metrics.wouldDeny("made_up");
    const series = await read(metrics);
    assert.equal(series.get('svidgate_decisions_total{outcome="error",reason="internal"}'), "1");
    assert.equal(series.get('svidgate_dry_run_would_deny_total{reason="internal"}'), "1");
    assert.equal(
      [...series.keys()].some((name) => name.includes("made_up")),
      false,
    );
  });
  it("cannot be caught without a reason `internal`", () => {
    assert.throws(() => build({ reasons: { allow: [], deny: ["internal"], error: [] } }), /`internal` is missing/);
  });
});

describe("the catalogue", () => {
  for (const [name, entry] of Object.entries<MetricEntry>(CATALOGUE)) {
    it(`${name} is named and described as Prometheus asks`, () => {
      assert.match(name, /^svidgate(_[a-z][a-z0-9]*)+$/);
      assert.match(entry.help, /^[A-Z1].*\.$/);
      assert.equal(name.endsWith("_total"), entry.type === "counter");
      assert.equal(name.endsWith(entry.unit ? `_${entry.unit}` : "_duration_seconds"), entry.type === "histogram");
      const bounds = entry.bucketsSeconds ?? [];
      assert.equal(bounds.length > 0, entry.type === "histogram");
      assert.deepEqual(
        bounds,
        [...new Set(bounds)].sort((a, b) => a - b),
      );
    });
  }
  it("starts the check's buckets at 50 µs and has Envoy's default timeout as an edge", () => {
    const { bucketsSeconds } = CATALOGUE.svidgate_check_duration_seconds;
    assert.equal(bucketsSeconds[0], 50e-6);
    assert.ok(bucketsSeconds.includes(0.2));
  });
  it("knows exactly the causes of loss that the audit trail and the tracer count", () => {
    assert.deepEqual(CATALOGUE.svidgate_audit_lost_total.labels.cause, LOSS_CAUSES);
    assert.deepEqual(CATALOGUE.svidgate_spans_lost_total.labels.cause, SPAN_LOSS_CAUSES);
  });
});
