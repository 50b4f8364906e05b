// The metrics of the line-rate listener: why it ended connections and streams, and what it holds. Part of the catalogue in
// catalogue.ts; http2-metrics.ts reads the values. Absent with `listener: grpc-js`, which counts none of it. What to do about each
// reason is in docs/operations.md.

import type { MetricEntry } from "./catalogue.ts";

/** Why svidgate ended a connection (GOAWAY, or a cut). */
export const CONNECTION_ENDS = [
  "protocol_error",
  "compression_error",
  "flow_control_error",
  "frame_size_error",
  "header_block_size",
  "continuation_flood",
  "control_flood",
  "reset_flood",
  "unfinished_bytes",
  "slow_reader",
  "keep_alive",
  "idle",
  "max_age",
  "peer_refused",
  "drain",
  "fault",
] as const;
export type ConnectionEnd = (typeof CONNECTION_ENDS)[number];

/** Why svidgate refused or reset a stream; what the answer of a check says is counted as a decision. */
export const STREAM_REFUSALS = [
  "concurrent_streams",
  "malformed",
  "header_list",
  "message_size",
  "compression",
  "message",
  "slow_sender",
  "flow_control",
  "not_grpc",
  "unimplemented",
  "peer_refused",
] as const;
export type StreamRefusal = (typeof STREAM_REFUSALS)[number];

/** The rows, by metric name. */
export const HTTP2_CATALOGUE = {
  svidgate_http2_connections_ended_total: {
    type: "counter",
    help: "Connections to the check listener that svidgate ended after they had begun to ask, by reason (docs/operations.md#connections-and-limits); absent with listener grpc-js.",
    labels: { reason: CONNECTION_ENDS },
  },
  svidgate_http2_streams_refused_total: {
    type: "counter",
    help: "Calls that ended without a decision because svidgate refused or reset them, by reason (docs/operations.md#connections-and-limits); absent with listener grpc-js.",
    labels: { reason: STREAM_REFUSALS },
  },
  svidgate_http2_unfinished_bytes: {
    type: "gauge",
    help: "Bytes held by calls that are not whole or not answered yet and by replies that nobody has read, over all connections (svidgate.limits.max_unfinished); absent with listener grpc-js.",
    labels: {},
  },
} as const satisfies Readonly<Record<`svidgate_${string}`, MetricEntry>>;
