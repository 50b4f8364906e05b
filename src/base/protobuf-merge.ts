// Rewrites a message in which singular fields repeat into the equal one in which they don't (protobuf encoding guide,
// "Last One Wins"): the last scalar stays, sub-messages are joined (concatenation is merging), the last member of a
// oneof stays. So every reader after it may take the first occurrence. Rare: Envoy never sends such a message.

import type { Field, MessageTable } from "./protobuf-table.ts";
import { WireReader } from "./protobuf-wire.ts";
import { WireWriter } from "./protobuf-write.ts";

/** Merges repeated singular fields, at every depth. `bytes` passed `scanMessage`; unknown fields are dropped. */
export function mergeRepeated(bytes: Uint8Array, table: MessageTable): Uint8Array {
  const wire = new WireReader(bytes);
  const writer = new WireWriter();
  const singular = new Map<number, { readonly field: Field; parts: Uint8Array[] }>();
  while (wire.pos < bytes.length) {
    const start = wire.pos;
    const tag = wire.readTag(bytes.length);
    const field = table.byNumber[tag >>> 3];
    const known = field !== undefined && field.wireType === (tag & 7);
    if (field?.message === undefined || !known) {
      wire.skip(tag, bytes.length);
      if (known) keep(field, bytes.subarray(start, wire.pos), false);
      continue;
    }
    const length = wire.readLength(bytes.length);
    const content = bytes.subarray(wire.pos, wire.pos + length);
    wire.pos += length;
    if (field.cardinality === "one") keep(field, content, true);
    else writer.bytes(field.number, mergeRepeated(content, field.message));
  }
  for (const { field, parts } of singular.values()) {
    if (field.message === undefined) writer.raw(parts[0] as Uint8Array);
    else writer.bytes(field.number, mergeRepeated(Buffer.concat(parts), field.message));
  }
  return writer.finish();

  function keep(field: Field, content: Uint8Array, joins: boolean): void {
    if (field.presenceBit === 0) {
      writer.raw(content);
      return;
    }
    const before = singular.get(field.presenceBit);
    if (joins && before !== undefined && before.field === field) before.parts.push(content);
    else singular.set(field.presenceBit, { field, parts: [content] });
  }
}
