// What one connection, and all of them together, may take. Every limit has a reason code in telemetry/http2-catalogue.ts and a
// key under `svidgate.limits`.

/** Limits of the HTTP/2 server. */
export interface Http2Limits {
  /** Streams open at once on a connection, announced; more are refused with REFUSED_STREAM. */
  readonly maxConcurrentStreams: number;
  /** Largest gRPC message, also after decompression. */
  readonly maxMessageBytes: number;
  /** Largest decoded header list (RFC 9113 §6.5.2), announced. A block of several frames may have twice that on the wire. */
  readonly maxHeaderListBytes: number;
  /** Largest HPACK table that the peer may use, announced. */
  readonly maxHeaderTableBytes: number;
  /** CONTINUATION frames of one header block. */
  readonly maxContinuations: number;
  /** Frames a second that ask for work and carry none: PING, SETTINGS, PRIORITY, unknown types, empty DATA, tiny WINDOW_UPDATEs. */
  readonly maxControlFramesPerSecond: number;
  /** Streams a second that the peer may reset, beyond one for each that was answered. */
  readonly maxResetsPerSecond: number;
  /**
   * What calls that are not answered when their batch is over hold (header lines, messages, half a KiB each), and answers that have not
   * been taken, over all connections; beyond it the connection that holds the most is closed.
   */
  readonly maxUnfinishedBytes: number;
  /**
   * Bytes of one connection that wait for the kernel; beyond them nothing more is read from the peer. As many may wait for its
   * windows; beyond them no stream is opened.
   */
  readonly maxUnsentBytes: number;
  /** A request must be complete within this time after its headers, a header block after its first frame, the preface after the connection. */
  readonly requestTimeoutMs: number;
  /** Bytes that wait must move within this time, or the connection is closed. */
  readonly writeTimeoutMs: number;
  /** A connection without an open stream is asked to leave after this time; Infinity for never. */
  readonly idleTimeoutMs: number;
  /** A connection is asked to leave after this time, give or take a tenth; Infinity for never. */
  readonly maxConnectionAgeMs: number;
  /** HTTP/2 PING after this time without a frame from the peer … */
  readonly keepAliveTimeMs: number;
  /** … and the connection is closed when no frame has come within this time after it. */
  readonly keepAliveTimeoutMs: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** What holds unless configuration says otherwise. */
export const DEFAULT_LIMITS: Http2Limits = {
  maxConcurrentStreams: 1024,
  maxMessageBytes: 4 * MIB,
  maxHeaderListBytes: 32 * KIB,
  maxHeaderTableBytes: 4 * KIB,
  maxContinuations: 8,
  maxControlFramesPerSecond: 1000,
  maxResetsPerSecond: 200,
  maxUnfinishedBytes: 64 * MIB,
  maxUnsentBytes: MIB,
  requestTimeoutMs: 10_000,
  writeTimeoutMs: 10_000,
  idleTimeoutMs: 3_600_000,
  maxConnectionAgeMs: Number.POSITIVE_INFINITY,
  keepAliveTimeMs: 30_000,
  keepAliveTimeoutMs: 10_000,
};
