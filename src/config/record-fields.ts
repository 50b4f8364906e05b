// Fields of what is written down: audit events, decision log, log. See `fields.ts`.

import { type Field, flag, integer, namedText, oneOf, text } from "./field.ts";

/** Parser, default and documentation of each. */
export const RECORD_FIELDS = {
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
  consoleDecisionLog: {
    key: "decision_logs.console",
    fallback: "false",
    parse: flag,
    kind: "boolean",
    doc: "write OPA's decision log to standard error, one JSON line per check. It holds the whole input, headers and bodies and so credentials included, and the policy's result",
  },
  labels: {
    key: "labels",
    repeatable: true,
    named: true,
    fallback: undefined,
    parse: namedText,
    kind: "map of text",
    doc: "names for this process in every audit event and decision log line, beside `id` and `version` which OPA's lines always have; `--set labels.NAME=TEXT`",
  },
  logLevel: {
    key: "svidgate.log.level",
    live: true,
    flag: "log-level",
    placeholder: "LEVEL",
    fallback: "info",
    parse: oneOf("debug", "info", "warn", "error"),
    kind: "`debug`, `info`, `warn` or `error`",
    doc: "least severe level that is logged (standard error, one JSON object a line)",
  },
} as const satisfies Readonly<Record<string, Field<unknown>>>;
