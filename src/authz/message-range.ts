// Finds fields inside a checked protobuf message without decoding it: a message is a byte range, a field is a range in it.
// INVARIANT: the bytes passed `scanMessage` and no singular field repeats, so the first occurrence is the value.

import type { MessageTable } from "../base/protobuf-table.ts";
import { WireReader, WireType } from "../base/protobuf-wire.ts";

/** Bytes `[start, end)` of a message; `start` -1 means that the field is not set. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** The range of a field that is not set. */
export const ABSENT: Range = { start: -1, end: -1 };

/** A table's field numbers by name, for use as constants. Throws for a name that the table lacks. */
export function fieldNumbers<Name extends string>(table: MessageTable, ...names: Name[]): Record<Name, number> {
  const numbers = names.map((name) => {
    const field = table.fields.find((candidate) => candidate.name === name);
    if (field === undefined) throw new Error(`no field \`${name}\` in ${table.name}`);
    return [name, field.number] as const;
  });
  return Object.fromEntries(numbers) as Record<Name, number>;
}

/** Where the string, bytes or message field `number` of a message stands. */
export function findField(bytes: Buffer, range: Range, number: number): Range {
  if (range.start < 0) return ABSENT;
  const wanted = (number << 3) | WireType.bytes;
  const wire = new WireReader(bytes, range.start);
  while (wire.pos < range.end) {
    const tag = wire.readTag(range.end);
    if (tag === wanted) {
      const length = wire.readLength(range.end);
      return { start: wire.pos, end: wire.pos + length };
    }
    wire.skip(tag, range.end);
  }
  return ABSENT;
}

/** The ranges of a message's length-delimited fields by number, up to `maxNumber`; of a repeated field, the last. */
export function indexFields(bytes: Buffer, range: Range, maxNumber: number): readonly Range[] {
  const fields: Range[] = new Array(maxNumber + 1).fill(ABSENT);
  if (range.start < 0) return fields;
  const wire = new WireReader(bytes, range.start);
  while (wire.pos < range.end) {
    const tag = wire.readTag(range.end);
    if ((tag & 7) !== WireType.bytes || tag >>> 3 > maxNumber) {
      wire.skip(tag, range.end);
      continue;
    }
    const length = wire.readLength(range.end);
    fields[tag >>> 3] = { start: wire.pos, end: wire.pos + length };
    wire.pos += length;
  }
  return fields;
}

/** Every occurrence of the length-delimited field `number`, in order. */
export function findAll(bytes: Buffer, range: Range, number: number): readonly Range[] {
  const found: Range[] = [];
  if (range.start < 0) return found;
  const wanted = (number << 3) | WireType.bytes;
  const wire = new WireReader(bytes, range.start);
  while (wire.pos < range.end) {
    const tag = wire.readTag(range.end);
    if (tag !== wanted) {
      wire.skip(tag, range.end);
      continue;
    }
    const length = wire.readLength(range.end);
    found.push({ start: wire.pos, end: wire.pos + length });
    wire.pos += length;
  }
  return found;
}

/** The unsigned 32-bit varint field `number`, 0 when it is not set. */
export function readUint32(bytes: Buffer, range: Range, number: number): number {
  const wire = new WireReader(bytes, Math.max(range.start, 0));
  while (wire.pos < range.end) {
    const tag = wire.readTag(range.end);
    wire.skip(tag, range.end);
    if (tag === number << 3) return wire.low >>> 0;
  }
  return 0;
}

/** The text of a string field, `""` when it is not set. */
export function readText(bytes: Buffer, range: Range): string {
  return range.start < 0 ? "" : bytes.toString("utf8", range.start, range.end);
}
