// The metrics of the line-rate listener: why it ended connections and streams, and what it holds. Part of the catalogue in
// catalogue.ts; http2-metrics.ts reads the values.

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
