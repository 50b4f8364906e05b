// The layout of HTTP/2 frames: types, flags, and the nine octets before each payload. SPEC: RFC 9113 §3.4, §4.1, §6.

/** By name. */
export const FRAME_TYPE = {
  DATA: 0x0,
  HEADERS: 0x1,
  PRIORITY: 0x2,
  RST_STREAM: 0x3,
  SETTINGS: 0x4,
  PUSH_PROMISE: 0x5,
  PING: 0x6,
  GOAWAY: 0x7,
  WINDOW_UPDATE: 0x8,
  CONTINUATION: 0x9,
} as const;

/** By name; what a flag means depends on the frame's type. */
export const FLAG = {
  /** Of SETTINGS and PING. */
  ACK: 0x1,
  /** Of DATA and HEADERS. */
  END_STREAM: 0x1,
  END_HEADERS: 0x4,
  PADDED: 0x8,
  PRIORITY: 0x20,
} as const;

/** What a client sends first (RFC 9113 §3.4). */
export const CLIENT_PREFACE: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** Octets before each payload: its length, type, flags and stream. */
export const FRAME_HEADER_BYTES = 9;

/** SETTINGS_MAX_FRAME_SIZE until announced otherwise. We announce nothing, and what we send is never larger: every peer takes it. */
export const MAX_FRAME_BYTES = 16_384;

/** SETTINGS_INITIAL_WINDOW_SIZE until announced otherwise, and the first window of every connection. */
export const DEFAULT_WINDOW_BYTES = 65_535;

/** Largest window, and largest stream identifier. */
export const MAX_31_BITS = 0x7fff_ffff;

/** The 32 bits at `at`, without the first one, which is reserved. */
export function read31Bits(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) & 0x7f) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}

/** Writes the nine octets; gives the offset after them. */
export function writeFrameHeader(
  bytes: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): number {
  bytes[at] = length >>> 16;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = length;
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  return write32Bits(bytes, at + 5, streamId);
}

/** Writes 32 bits; gives the offset after them. */
export function write32Bits(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
  return at + 4;
}
