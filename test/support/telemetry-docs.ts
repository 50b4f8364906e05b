// The documentation that is written from tables: metrics, and the fields of audit events. `node dist/test/support/write-docs.js`
// writes it after a build; the tests compare it with what is committed.

import { type AuditField, DECISION_FIELDS, GAP_FIELDS } from "../../src/audit/event-fields.ts";
import { CATALOGUE, type LabelValues, type MetricEntry } from "../../src/telemetry/catalogue.ts";

const code = (text: string | number): string => `\`${text}\``;

const toDuration = (seconds: number): string =>
  seconds >= 1
    ? `${seconds} s`
    : seconds >= 1e-3
      ? `${+(seconds * 1e3).toFixed(3)} ms`
      : `${+(seconds * 1e6).toFixed(3)} µs`;

const toLabelText = ([name, values]: readonly [string, LabelValues]): string =>
  "from" in values ? `${code(name)}: ${values.from}` : `${code(name)}: ${values.map(code).join(", ")}`;

/** `docs/metrics.md`, whole. */
export function metricsPage(): string {
  const rows = Object.entries<MetricEntry>(CATALOGUE).map(([name, { type, help, labels }]) => {
    const labelText = Object.entries(labels).map(toLabelText).join("; ");
    return `| ${code(name)} | ${type} | ${labelText} | ${help} |`;
  });
  const buckets = Object.entries<MetricEntry>(CATALOGUE)
    .filter(([, { bucketsSeconds }]) => bucketsSeconds !== undefined)
    .map(([name, { bucketsSeconds = [], unit }]) => {
      const bounds = unit === undefined ? bucketsSeconds.map(toDuration) : bucketsSeconds.map(String);
      return `- ${code(name)}: ${bounds.join(", ")}${unit === undefined ? "" : ` ${unit}`}`;
    });
  return `# Metrics

\`GET /metrics\` on the admin port, in Prometheus' text format. This page is written from \`src/telemetry/catalogue.ts\`.
A *check* is the RPC, a *decision* its result. Labels come from closed sets: no request can make a new time series.

| metric | type | labels | meaning |
| --- | --- | --- | --- |
${rows.join("\n")}

Buckets:

${buckets.join("\n")}

Node's and the process's own metrics come along as prom-client names them: \`process_…\` and \`nodejs_…\`.

Only Envoy sees a svidgate that cannot be reached: alert on its \`ext_authz\` counters too (\`error\`, \`failure_mode_allowed\`).
Alerts and a dashboard that use them are in \`deploy/\`; [operations.md](operations.md) says what to do.
`;
}

const fieldRow = ([name, { type, doc, always, maxChars, values }]: readonly [string, AuditField]): string => {
  const bound = maxChars === undefined ? "" : `, at most ${maxChars}`;
  const closed = values === undefined ? "" : ` One of ${values.map(code).join(", ")}.`;
  return `| ${code(name)} | ${type}${bound} | ${always === true ? "always" : ""} | ${doc}${closed} |`;
};

/** The table of one kind of event, for `docs/audit-event.md`. */
const fieldTable = (fields: Readonly<Record<string, AuditField>>): string =>
  ["| field | type | | meaning |", "| --- | --- | --- | --- |", ...Object.entries(fields).map(fieldRow)].join("\n");

/** Puts the tables between their markers in the text of `docs/audit-event.md`. */
export function withFieldTables(page: string): string {
  const tables = { decision: fieldTable(DECISION_FIELDS), gap: fieldTable(GAP_FIELDS) };
  return Object.entries(tables).reduce(
    (text, [name, table]) =>
      text.replace(
        new RegExp(`(<!-- fields of ${name} -->\\n)[^]*?(<!-- end -->)`),
        (_, start: string, end: string) => `${start}${table}\n${end}`,
      ),
    page,
  );
}

const toSchema = (title: string, fields: Readonly<Record<string, AuditField>>): unknown => ({
  title,
  type: "object",
  required: Object.entries(fields)
    .filter(([, { always }]) => always === true)
    .map(([name]) => name),
  properties: Object.fromEntries(
    Object.entries(fields).map(([name, { type, doc, maxChars, values, pattern }]) => [
      name,
      {
        type,
        description: doc,
        ...(values === undefined ? {} : { enum: values }),
        ...(type === "integer" ? { minimum: 0 } : {}),
        ...(type === "object" ? { additionalProperties: { type: "string" } } : {}),
        ...(maxChars === undefined || type === "object" ? {} : { maxLength: maxChars }),
        ...(pattern === undefined ? {} : { pattern }),
      },
    ]),
  ),
});

/** `docs/audit-event.schema.json`, whole. Unknown fields are allowed, since new ones may come within version 1. */
export function auditSchema(): string {
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "svidgate audit event, version 1",
    description: "One line of the audit trail.",
    oneOf: [{ $ref: "#/$defs/decision" }, { $ref: "#/$defs/gap" }],
    $defs: { decision: toSchema("decision", DECISION_FIELDS), gap: toSchema("audit.gap", GAP_FIELDS) },
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}
