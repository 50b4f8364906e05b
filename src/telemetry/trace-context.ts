// The trace that a request belongs to, from W3C `traceparent` (Trace Context §3.2) or Zipkin's B3 headers, for the audit event.
// Pure: headers in, ids out. An invalid header counts as absent (W3C §3.2.2.3: a vendor restarts the trace then); nothing is repaired.
// It does not create spans and does not read `tracestate` or baggage.

import { fail, ok, type Result } from "../base/result.ts";

/** A trace that the caller is part of. */
export interface TraceContext {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string;
  /** The caller's span: 16 lower-case hex digits, not all zero. */
  readonly spanId: string;
  /** Whether the caller records this trace. */
  readonly sampled: boolean;
}

/** Why a header is not a trace context. */
export type TraceContextCode = "traceparent_malformed" | "b3_malformed";

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/s;
const B3 = /^([0-9a-f]{16}|[0-9a-f]{32})-([0-9a-f]{16})(?:-([01d])(?:-[0-9a-f]{16})?)?$/;
const ZEROS = /^0+$/;
// SECURITY: longer than any version could need; keeps the expression above off megabyte headers.
const MAX_HEADER_CHARS = 512;

/**
 * Parses a `traceparent` header.
 * SPEC: Trace Context §4.3: version `ff` is invalid, version 00 has nothing after the flags, later versions may.
 */
export function parseTraceparent(text: string): Result<TraceContext, "traceparent_malformed"> {
  const match = text.length > MAX_HEADER_CHARS ? null : TRACEPARENT.exec(text);
  if (match === null) return fail("traceparent_malformed");
  const [, version = "", traceId = "", spanId = "", flags = "", rest] = match;
  if (version === "ff" || (version === "00" && rest !== undefined)) return fail("traceparent_malformed");
  if (ZEROS.test(traceId) || ZEROS.test(spanId)) return fail("traceparent_malformed");
  return ok({ traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 });
}

/** Parses the single `b3` header, `trace-span[-sampled[-parent]]`; 64-bit trace ids are padded to 128 bits with zeros. */
export function parseB3(text: string): Result<TraceContext, "b3_malformed"> {
  const match = text.length > MAX_HEADER_CHARS ? null : B3.exec(text);
  if (match === null) return fail("b3_malformed");
  const [, traceId = "", spanId = "", sampled] = match;
  if (ZEROS.test(traceId) || ZEROS.test(spanId)) return fail("b3_malformed");
  return ok({ traceId: traceId.padStart(32, "0"), spanId, sampled: sampled === "1" || sampled === "d" });
}

/**
 * Chooses the request's trace: `traceparent`, else `b3`, else the `x-b3-*` headers; undefined when none is valid.
 * `header` gives a header's value by lower-case name.
 */
export function resolveTraceContext(header: (name: string) => string | undefined): TraceContext | undefined {
  const traceparent = header("traceparent");
  if (traceparent !== undefined) {
    const parsed = parseTraceparent(traceparent);
    if (parsed.ok) return parsed.value;
  }
  const single = header("b3");
  if (single !== undefined) {
    const parsed = parseB3(single);
    if (parsed.ok) return parsed.value;
  }
  const traceId = header("x-b3-traceid");
  if (traceId === undefined) return undefined;
  // `true` and `false` are what old Zipkin clients send.
  const sampled = (header("x-b3-sampled") ?? "0").replace(/^true$/, "1").replace(/^false$/, "0");
  const flag = header("x-b3-flags") === "1" ? "d" : sampled;
  const parsed = parseB3(`${traceId}-${header("x-b3-spanid") ?? ""}-${flag}`);
  return parsed.ok ? parsed.value : undefined;
}
