// Fields of what connections to the check listener may take, one and all of them together. See `fields.ts`; what happens beyond
// each is in docs/operations.md, `limit-settings.ts` says which contradict each other.

import { bytes, duration, durationOrOff, type Field, integer } from "./field.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Parser, default and documentation of each. */
export const LIMIT_FIELDS = {
  maxRequestBytes: {
    key: "plugins.envoy_ext_authz_grpc.grpc-max-recv-msg-size",
    fallback: "4194304",
    parse: bytes(1024, 256 * MIB),
    kind: "size",
    doc: "largest CheckRequest, also after decompression; a larger one ends with RESOURCE_EXHAUSTED",
  },
  maxConnections: {
    key: "svidgate.limits.max_connections",
    fallback: "10000",
    parse: integer(1, 1_000_000),
    kind: "whole number",
    doc: "open connections; further ones are closed at once and counted",
  },
  maxConcurrentStreams: {
    key: "svidgate.limits.max_concurrent_streams",
    fallback: "1024",
    parse: integer(1, 1_000_000),
    kind: "whole number",
    doc: "checks in flight on one connection, announced to the client; further ones are refused, and a client may ask them again",
  },
  keepAliveTimeMs: {
    key: "svidgate.limits.keep_alive.interval",
    fallback: "30s",
    parse: duration(1_000, DAY_MS),
    kind: "duration",
    doc: "a connection that has been silent for this time gets an HTTP/2 PING",
  },
  keepAliveTimeoutMs: {
    key: "svidgate.limits.keep_alive.timeout",
    fallback: "10s",
    parse: duration(1_000, HOUR_MS),
    kind: "duration",
    doc: "a connection that has not answered that PING within this time is closed",
  },
  idleTimeoutMs: {
    key: "svidgate.limits.idle_timeout",
    fallback: "1h",
    parse: durationOrOff(1_000, 365 * DAY_MS),
    kind: "duration, or `off`",
    doc: "a connection without an open call for this time is asked to leave; `line-rate` only",
  },
  maxConnectionAgeMs: {
    key: "svidgate.limits.max_connection_age",
    fallback: "off",
    parse: durationOrOff(10_000, 365 * DAY_MS),
    kind: "duration, or `off`",
    doc: "a connection is asked to leave at this age, give or take a tenth, so that its client spreads over instances anew; no check is lost by it; `line-rate` only",
  },
  maxHeaderListBytes: {
    key: "svidgate.limits.max_header_list",
    fallback: "32KiB",
    parse: bytes(4 * KIB, MIB),
    kind: "size",
    doc: "largest header list of a call, decoded, 32 bytes a line added (RFC 9113 §6.5.2); a larger one is refused, and one of twice the size on the wire ends the connection; `line-rate` only",
  },
  maxHeaderTableBytes: {
    key: "svidgate.limits.header_table",
    fallback: "4KiB",
    parse: bytes(0, 64 * KIB),
    kind: "size",
    doc: "HPACK table that a client may use, in memory for each connection; `line-rate` only",
  },
  maxContinuations: {
    key: "svidgate.limits.max_continuations",
    fallback: "8",
    parse: integer(0, 1_024),
    kind: "whole number",
    doc: "CONTINUATION frames of one header block; more end the connection; `line-rate` only",
  },
  maxControlFramesPerSecond: {
    key: "svidgate.limits.control_frames_per_second",
    fallback: "1000",
    parse: integer(10, 1_000_000),
    kind: "whole number",
    doc: "frames of one connection that ask for work and carry none (PING, SETTINGS, PRIORITY, empty DATA, tiny WINDOW_UPDATEs); more end it; `line-rate` only",
  },
  maxResetsPerSecond: {
    key: "svidgate.limits.resets_per_second",
    fallback: "200",
    parse: integer(1, 1_000_000),
    kind: "whole number",
    doc: "checks that one connection may give up, beyond one for each that was answered; more end it (rapid reset); `line-rate` only",
  },
  maxUnfinishedBytes: {
    key: "svidgate.limits.max_unfinished",
    fallback: "64MiB",
    parse: bytes(MIB, 4096 * MIB),
    kind: "size",
    doc: "what open calls and replies that nobody has read yet hold, over all connections together, at least two messages; beyond it the connection that holds the most is closed; `line-rate` only",
  },
  maxUnsentBytes: {
    key: "svidgate.limits.max_unsent",
    fallback: "1MiB",
    parse: bytes(64 * KIB, 256 * MIB),
    kind: "size",
    doc: "replies that wait for one client that does not read them; beyond it nothing more is read from that client; `line-rate` only",
  },
  requestTimeoutMs: {
    key: "svidgate.limits.request_timeout",
    fallback: "10s",
    parse: duration(100, 600_000),
    kind: "duration",
    doc: "time for a message to arrive whole after its headers; a slower one is refused; `line-rate` only",
  },
  writeTimeoutMs: {
    key: "svidgate.limits.write_timeout",
    fallback: "10s",
    parse: duration(100, 600_000),
    kind: "duration",
    doc: "a connection on which replies wait and nothing of them moves for this time is closed; `line-rate` only",
  },
} as const satisfies Readonly<Record<string, Field<unknown>>>;
