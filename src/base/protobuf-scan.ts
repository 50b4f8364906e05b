// Checks a whole message against its table before anything is read from it, building nothing: well-formed wire format,
// strings in UTF-8 (proto3), bounded depth. The rules are those of protobuf-go, which the plugin decodes with: a known
// field with another wire type is an unknown field, and unknown fields only have to be well-formed.

import { isUtf8 } from "node:buffer";
import { Kind, type MessageTable } from "./protobuf-table.ts";
import type { WireReader } from "./protobuf-wire.ts";

/** How deep messages may nest; protobuf-go allows 10,000, which no JavaScript stack can follow safely. */
export const MAX_MESSAGE_DEPTH = 1000;

/** What a scan found: `merge` = well-formed, but a singular field repeats, so `mergeRepeated` has to run first. */
export type ScanResult = "ok" | "merge" | "malformed";

/** Checks the bytes from the reader's position to `end` as one message. */
export function scanMessage(wire: WireReader, end: number, table: MessageTable): ScanResult {
  const found = scan(wire, end, table, 0);
  return found < 0 ? "malformed" : found === 0 ? "ok" : "merge";
}

/** -1 malformed, 0 fine, 1 fine with repeated singular fields. */
function scan(wire: WireReader, end: number, table: MessageTable, depth: number): number {
  if (depth > MAX_MESSAGE_DEPTH) return -1;
  const { byNumber } = table;
  let seen = 0;
  let repeated = 0;
  while (wire.pos < end) {
    const tag = wire.readTag(end);
    if (tag === 0) return -1;
    const number = tag >>> 3;
    const field = number < byNumber.length ? byNumber[number] : undefined;
    if (field === undefined || field.wireType !== (tag & 7)) {
      if (!wire.skip(tag, end)) return -1;
      continue;
    }
    if ((seen & field.presenceBit) !== 0) repeated = 1;
    seen |= field.presenceBit;
    if (field.message !== undefined || field.kind === Kind.string) {
      const length = wire.readLength(end);
      if (length < 0) return -1;
      const stop = wire.pos + length;
      if (field.message === undefined) {
        if (!isUtf8Range(wire.bytes, wire.pos, stop)) return -1;
        wire.pos = stop;
      } else {
        const inner = scan(wire, stop, field.message, depth + 1);
        if (inner < 0) return -1;
        repeated |= inner;
      }
    } else if (!wire.skip(tag, end)) return -1;
  }
  return repeated;
}

/** Whether the bytes from `start` to `end` are UTF-8. PERF: ASCII, the usual case, costs no call and no object. */
export function isUtf8Range(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if ((bytes[at] as number) >= 0x80) return isUtf8(bytes.subarray(at, end));
  return true;
}
