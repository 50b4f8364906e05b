// One decision as an OpenTelemetry span in OTLP's JSON encoding, and many as one export request.
// SPEC: opentelemetry-proto trace/v1 in the OTLP 1.x JSON mapping: ids in hex, 64-bit integers as decimal strings.
// SECURITY: like the metrics, a span has no field for a header, path, subject or body: what leaves for the collector is the
// decision's id, its code and the policy's name; who asked for what is found by the id in the audit trail.

import type { TraceContext } from "./trace-context.ts";

/** The name of every span, which is the gRPC method. */
export const SPAN_NAME = "envoy.service.auth.v3.Authorization/Check";

/** What a span tells of a decision; an audit event's facts have all of it. */
export interface SpanFacts {
  readonly decisionId: string;
  readonly outcome: "allow" | "deny" | "error";
  readonly reason: string;
  /** False when dry run let the request pass. */
  readonly enforced: boolean;
  /** The trace of the request; undefined when it has none. */
  readonly trace?: TraceContext | undefined;
  readonly policy?: { readonly revision: string; readonly entrypoint: string } | undefined;
  readonly evaluationUs: number;
  readonly totalUs: number;
}

/** A span's ids and times, which the tracer gives. */
export interface SpanPlace {
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** 16 lower-case hex digits. */
  readonly spanId: string;
  /** Undefined for the first span of a trace. */
  readonly parentSpanId: string | undefined;
  /** Unix time in microseconds. */
  readonly endUnixUs: number;
}

const MAX_TEXT_CHARS = 256;
const KIND_SERVER = 2;
const STATUS_ERROR = 2;
// SPEC: SpanFlags: bit 0 sampled, bit 8 "it is known whether the parent is remote", bit 9 "it is".
const FLAGS_REMOTE_PARENT = 0x301;
const FLAGS_ROOT = 0x101;

const text = (key: string, value: string): unknown => ({
  key,
  value: { stringValue: value.slice(0, MAX_TEXT_CHARS) },
});

const nanoseconds = (us: number): string => `${Math.max(0, Math.floor(us))}000`;

/** One span as JSON text. */
export function toSpanText(facts: SpanFacts, place: SpanPlace): string {
  const { outcome, reason, policy } = facts;
  const { traceId, spanId, parentSpanId, endUnixUs } = place;
  return JSON.stringify({
    traceId,
    spanId,
    ...(parentSpanId === undefined ? { flags: FLAGS_ROOT } : { parentSpanId, flags: FLAGS_REMOTE_PARENT }),
    name: SPAN_NAME,
    kind: KIND_SERVER,
    startTimeUnixNano: nanoseconds(endUnixUs - Math.max(0, facts.totalUs)),
    endTimeUnixNano: nanoseconds(endUnixUs),
    attributes: [
      text("rpc.system.name", "grpc"),
      text("rpc.method", SPAN_NAME),
      text("svidgate.decision_id", facts.decisionId),
      text("svidgate.outcome", outcome),
      text("svidgate.reason", reason),
      { key: "svidgate.enforced", value: { boolValue: facts.enforced } },
      { key: "svidgate.evaluation_us", value: { intValue: `${Math.max(0, Math.round(facts.evaluationUs))}` } },
      ...(policy === undefined
        ? []
        : [text("svidgate.policy.revision", policy.revision), text("svidgate.policy.entrypoint", policy.entrypoint)]),
    ],
    // A deny is an answer, not a failure: only what kept svidgate from deciding is an error.
    ...(outcome === "error" ? { status: { code: STATUS_ERROR, message: reason } } : {}),
  });
}

/** Who sends the spans. */
export interface SpanResource {
  readonly serviceName: string;
  readonly serviceVersion: string;
  /** Unique per process. */
  readonly instanceId: string;
}

/** Makes the frame of an export request once; the function puts spans into it. */
export function createExportText(resource: SpanResource): (spans: readonly string[]) => string {
  const attributes = [
    text("service.name", resource.serviceName),
    text("service.version", resource.serviceVersion),
    text("service.instance.id", resource.instanceId),
  ];
  const scope = JSON.stringify({ name: "svidgate", version: resource.serviceVersion });
  const head = `{"resourceSpans":[{"resource":${JSON.stringify({ attributes })},"scopeSpans":[{"scope":${scope},"spans":[`;
  return (spans) => `${head}${spans.join(",")}]}]}]}`;
}
