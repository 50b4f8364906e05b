// SETTINGS: what we announce, and what a peer announces that concerns a server. SPEC: RFC 9113 §6.5.

import { fail, ok, type Result } from "../../base/result.ts";
import { MAX_31_BITS, MAX_FRAME_BYTES } from "./frame.ts";
import type { Http2Limits } from "./limits.ts";

const SETTING = {
  HEADER_TABLE_SIZE: 0x1,
  ENABLE_PUSH: 0x2,
  MAX_CONCURRENT_STREAMS: 0x3,
  INITIAL_WINDOW_SIZE: 0x4,
  MAX_FRAME_SIZE: 0x5,
  MAX_HEADER_LIST_SIZE: 0x6,
} as const;

const ENTRY_BYTES = 6;
/** SETTINGS_HEADER_TABLE_SIZE until announced otherwise, and what a peer uses until it has read ours. */
export const DEFAULT_TABLE_BYTES = 4096;
const LARGEST_FRAME_BYTES = 0xff_ffff;

/** What a SETTINGS frame of a peer changes; what it does not name stays as it is. */
export interface PeerSettings {
  readonly headerTableBytes?: number;
  readonly initialWindowBytes?: number;
}

/** Why a SETTINGS frame ends the connection; the codes are those of RFC 9113 §7. */
export type SettingsFault = "protocol_error" | "flow_control_error" | "frame_size_error";

/**
 * Reads the payload bytes[start, end). Of a setting that comes several times the last one counts, for they take effect
 * together: SECURITY: a frame of 2,730 changed windows costs as much as one.
 */
export function parsePeerSettings(bytes: Uint8Array, start: number, end: number): Result<PeerSettings, SettingsFault> {
  if ((end - start) % ENTRY_BYTES !== 0) return fail("frame_size_error");
  const changed: { headerTableBytes?: number; initialWindowBytes?: number } = {};
  for (let at = start; at < end; at += ENTRY_BYTES) {
    const id = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
    const value =
      (bytes[at + 2] as number) * 0x100_0000 +
      (((bytes[at + 3] as number) << 16) | ((bytes[at + 4] as number) << 8) | (bytes[at + 5] as number));
    switch (id) {
      case SETTING.HEADER_TABLE_SIZE:
        changed.headerTableBytes = value;
        break;
      case SETTING.ENABLE_PUSH:
        if (value > 1) return fail("protocol_error");
        break;
      case SETTING.INITIAL_WINDOW_SIZE:
        if (value > MAX_31_BITS) return fail("flow_control_error");
        changed.initialWindowBytes = value;
        break;
      case SETTING.MAX_FRAME_SIZE:
        // Frames larger than the least that a peer may allow are never sent.
        if (value < MAX_FRAME_BYTES || value > LARGEST_FRAME_BYTES) return fail("protocol_error");
        break;
      default:
        // MAX_CONCURRENT_STREAMS bounds pushes, which are never sent; MAX_HEADER_LIST_SIZE is advice; others are unknown.
        break;
    }
  }
  return ok(changed);
}

/** The payload of our SETTINGS frame: what differs from what every peer assumes, and what it is to know. */
export function printSettings(limits: Http2Limits): Buffer {
  const entries: [id: number, value: number][] = [
    [SETTING.MAX_CONCURRENT_STREAMS, limits.maxConcurrentStreams],
    [SETTING.MAX_HEADER_LIST_SIZE, limits.maxHeaderListBytes],
  ];
  if (limits.maxHeaderTableBytes !== DEFAULT_TABLE_BYTES) {
    entries.push([SETTING.HEADER_TABLE_SIZE, limits.maxHeaderTableBytes]);
  }
  const payload = Buffer.alloc(entries.length * ENTRY_BYTES);
  for (const [i, [id, value]] of entries.entries()) {
    payload.writeUInt16BE(id, i * ENTRY_BYTES);
    payload.writeUInt32BE(value, i * ENTRY_BYTES + 2);
  }
  return payload;
}
