// The shipped alerts and dashboard against what svidgate really exports: names, labels, values, buckets, runbooks.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { OUTCOMES, REASONS_BY_OUTCOME } from "../../src/authz/outcome.ts";
import { packageRoot } from "../../src/base/package-root.ts";
import { CATALOGUE, type MetricEntry, type RefusalReason } from "../../src/telemetry/catalogue.ts";
import { CONNECTION_ENDS, STREAM_REFUSALS } from "../../src/telemetry/http2-catalogue.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";

const read = (path: string): string => readFileSync(join(packageRoot(), path), "utf8");

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}
interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string; readonly refId: string }[];
}

const rules = (parse(read("deploy/prometheus/alerts.yaml")) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
const dashboard = JSON.parse(read("deploy/grafana/svidgate.json")) as {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
};

/** What Envoy 1.40 exports for a filter with `stat_prefix: svidgate`; the end-to-end tests compare with a real one. */
const ENVOY_METRICS = ["ok", "denied", "error", "failure_mode_allowed"].map((name) => `envoy_http_ext_authz_${name}`);
const ENVOY_LABELS = ["envoy_ext_authz_prefix", "envoy_http_conn_manager_prefix"];
/** What Prometheus adds to every series. */
const TARGET_LABELS = ["job", "instance"];

const zeroes = <Name extends string>(names: readonly Name[]) =>
  Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;

/** The names of a real exposition, as Prometheus sees them, and the labels of each. */
async function exported(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const metrics = createMetrics({
    version: "1",
    nodeVersion: "1",
    reasons: REASONS_BY_OUTCOME,
    ports: {
      checksInFlight: () => 0,
      connections: () => 0,
      connectionsRefused: () => ({}) as Record<RefusalReason, number>,
      http2: () => ({
        connectionEnds: zeroes(CONNECTION_ENDS),
        streamRefusals: zeroes(STREAM_REFUSALS),
        unfinishedBytes: 0,
      }),
      tlsCertificateExpiryUnixSeconds: () => 1,
      policy: () => ({ revision: "r", loadedAtUnixSeconds: 1 }),
      audit: () => ({ written: 0, lost: {}, sinkErrors: 0, queuedEvents: 0, queuedBytes: 0 }),
      identity: () => ({
        trustDomains: [
          { trustDomain: "example.org", fresh: true, ageSeconds: 1, x509Authorities: 1, jwtAuthorities: 1 },
        ],
        workloadApiStreams: [{ stream: "x509_bundles", connected: true } as const],
        certificates: { entries: 0, hits: 0, misses: 0 },
        tokens: { entries: 0, hits: 0, misses: 0, inFlight: 0 },
        denyList: { entries: 0, current: true },
        attributeFilesCurrent: true,
      }),
    },
    onFault: (fault) => {
      throw fault;
    },
  });
  const names = new Map<string, Set<string>>();
  for (const [, name = "", labels = ""] of (await metrics.text()).matchAll(/^([a-z]\w*)(?:\{(.*)\})? /gm)) {
    const known = names.get(name) ?? new Set();
    for (const [, label = ""] of labels.matchAll(/(\w+)="/g)) known.add(label);
    names.set(name, known);
  }
  for (const name of ENVOY_METRICS) names.set(name, new Set(ENVOY_LABELS));
  return names;
}
const series = await exported();

interface Selector {
  readonly metric: string;
  readonly matchers: readonly { readonly label: string; readonly operator: string; readonly value: string }[];
}

/** Every metric that a PromQL expression names, with its matchers. */
const selectorsOf = (expr: string): readonly Selector[] =>
  [...expr.matchAll(/\b((?:svidgate|envoy|process|nodejs|go|grpc)_\w+)(?:\{([^}]*)\})?/g)]
    .filter(([, metric = ""]) => !ENVOY_LABELS.includes(metric))
    .map(([, metric = "", matchers = ""]) => ({
      metric,
      matchers: [...matchers.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g)].map(
        ([, label = "", operator = "", value = ""]) => ({ label, operator, value }),
      ),
    }));

/** Labels that an expression groups or joins by. */
const groupedBy = (expr: string): readonly string[] =>
  [...expr.matchAll(/\b(?:by|on|without|ignoring)\s*\(([^)]*)\)/g)].flatMap(([, list = ""]) =>
    list.split(",").map((word) => word.trim()),
  );

const entryOf = (metric: string): MetricEntry | undefined =>
  (CATALOGUE as Readonly<Record<string, MetricEntry>>)[metric.replace(/_(bucket|sum|count)$/, "")];

function assertKnown(where: string, expr: string): void {
  const selectors = selectorsOf(expr);
  assert.ok(selectors.length > 0, `${where} asks for no metric: ${expr}`);
  const labels = new Set(TARGET_LABELS);
  for (const { metric, matchers } of selectors) {
    const own = series.get(metric);
    assert.ok(own !== undefined, `${where}: ${metric} is not exported`);
    for (const label of own) labels.add(label);
    for (const { label, operator, value } of matchers) {
      assert.ok(own.has(label) || TARGET_LABELS.includes(label), `${where}: ${metric} has no label ${label}`);
      if (value.includes("$")) continue;
      const entry = entryOf(metric);
      const closed = entry?.labels[label];
      // Alternatives are spelt out; any other regular expression would match by luck.
      const values = operator === "=~" || operator === "!~" ? value.split("|") : [value];
      for (const one of values) {
        if (closed !== undefined && !("from" in closed)) assert.ok(closed.includes(one), `${where}: ${label}="${one}"`);
        else if (label === "reason" && entry !== undefined) assert.ok(one in OUTCOMES, `${where}: no reason ${one}`);
      }
      if (label === "le")
        assert.ok(entry?.bucketsSeconds?.includes(Number(value)), `${where}: no bucket ends at ${value}`);
      if (operator === "=~" || operator === "!~")
        assert.match(value, /^\w+(\|\w+)+$/, `${where}: ${operator} "${value}"`);
    }
  }
  for (const label of groupedBy(expr)) assert.ok(labels.has(label), `${where}: nothing has the label ${label}`);
}

describe("the alerts", () => {
  for (const { alert, expr, labels, annotations, ...rest } of rules) {
    it(`${alert} asks for what is exported`, () => assertKnown(alert, expr));
    it(`${alert} says what is wrong and where to read on`, () => {
      assert.match(alert, /^Svidgate[A-Z][A-Za-z]+$/);
      assert.ok(["page", "ticket"].includes(labels["severity"] ?? ""));
      assert.match(annotations["summary"] ?? "", /svidgate|Envoy|polic|checks/);
      assert.match(annotations["description"] ?? "", /\.$/);
      assert.equal(annotations["runbook"], `docs/operations.md#${alert.toLowerCase()}`);
      for (const [, label = ""] of Object.values(annotations)
        .join(" ")
        .matchAll(/\$labels\.(\w+)/g)) {
        const own = selectorsOf(expr).flatMap(({ metric }) => [...(series.get(metric) ?? [])]);
        const kept = groupedBy(expr).length === 0 ? own : groupedBy(expr);
        assert.ok(
          kept.includes(label) || TARGET_LABELS.includes(label),
          `${alert} shows a label ${label} that is gone`,
        );
      }
    });
    it(`${alert} waits no longer than half an hour, and its ratio is one`, () => {
      const [, minutes = "0"] = /^(\d+)m$/.exec(rest.for ?? "0m") ?? [];
      assert.ok(Number(minutes) <= 30);
      const [, threshold] = / > (\d[\d.]*)\s*$/.exec(expr) ?? [];
      if (expr.includes("\n  / ") || expr.includes(" / "))
        assert.ok(threshold === undefined || Number(threshold) < 0.5);
    });
  }

  it("have a section in the runbook each, and no section is without its alert", () => {
    const sections = [...read("docs/operations.md").matchAll(/^### (Svidgate\w+)$/gm)].map(([, name]) => name);
    assert.deepEqual(sections.sort(), rules.map(({ alert }) => alert).sort());
  });

  it("are tested to fire and to be silent", () => {
    const { tests } = parse(read("deploy/prometheus/alerts_test.yaml")) as {
      tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[];
    };
    const cases = tests.flatMap((test) => test.alert_rule_test);
    for (const { alert } of rules) {
      const own = cases.filter(({ alertname }) => alertname === alert);
      assert.ok(
        own.some(({ exp_alerts: expected }) => expected.length > 0),
        `${alert} never fires in the tests`,
      );
      assert.ok(
        own.some(({ exp_alerts: expected }) => expected.length === 0),
        `${alert} is never silent in the tests`,
      );
    }
  });

  it("cover errors, no policy, stale policy, audit loss, denials after a new policy, latency, fail-open and identity", () => {
    const names = rules.map(({ alert }) => alert);
    for (const name of ["TrustBundleStale", "DenyListNotCurrent", "WorkloadApiDown", "CredentialsRefused"]) {
      assert.ok(names.includes(`Svidgate${name}`), name);
    }
    for (const name of ["Errors", "NoPolicy", "StalePolicy", "AuditLoss", "DenySpike", "Slow", "EnvoyFailOpen"]) {
      assert.ok(names.includes(`Svidgate${name}`), name);
    }
  });
});

describe("the dashboard", () => {
  const panels = dashboard.panels.filter(({ type }) => type !== "row");
  for (const { title, targets = [], description } of panels) {
    it(`«${title}» asks for what is exported and says what it shows`, () => {
      assert.ok(targets.length > 0);
      for (const { expr, legendFormat } of targets) {
        assertKnown(title, expr);
        for (const [, label = ""] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
          const kept = groupedBy(expr).length > 0 ? groupedBy(expr) : TARGET_LABELS;
          assert.ok(kept.includes(label), `the legend shows ${label}, which ${expr} does not keep`);
        }
      }
      assert.match(description ?? "", /\.$/);
    });
  }

  it("names only its own variables", () => {
    const known = new Set([
      ...dashboard.templating.list.map(({ name }) => name),
      "__rate_interval",
      "__interval",
      "__all",
    ]);
    const text = JSON.stringify(dashboard);
    for (const [, name = ""] of text.matchAll(/\$\{?(\w+)\}?/g)) assert.ok(known.has(name), `$${name}`);
    for (const { definition } of dashboard.templating.list) {
      if (definition !== undefined) assertKnown(definition, definition);
    }
    for (const { expr } of dashboard.annotations.list) assertKnown("annotation", expr);
  });

  it("has panels that do not overlap, and ids of their own", () => {
    assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
    for (const [at, { gridPos: a, title }] of dashboard.panels.entries()) {
      assert.ok(a.x + a.w <= 24, title);
      for (const { gridPos: b, title: other } of dashboard.panels.slice(at + 1)) {
        const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
        assert.ok(apart, `«${title}» lies over «${other}»`);
      }
    }
  });

  it("shows every metric that svidgate exports", () => {
    const shown = new Set(
      panels.flatMap(({ targets = [] }) =>
        targets.flatMap(({ expr }) => selectorsOf(expr).map(({ metric }) => metric)),
      ),
    );
    for (const name of Object.keys(CATALOGUE)) {
      assert.ok(
        [...shown].some((metric) => metric.replace(/_bucket$/, "") === name),
        `${name} is on no panel`,
      );
    }
  });
});
