// Rewrites a message in which singular fields repeat into the equal one in which they don't (protobuf encoding guide,
// "Last One Wins"): the last scalar stays, sub-messages are joined (concatenation is merging), the last member of a
// oneof stays. So every reader after it may take the first occurrence. Rare: Envoy never sends such a message.
// SECURITY: time and memory are linear in the size, at any depth: the parts of a message are ranges of the original, read
// where they stand, and one buffer is written from its end, so that every length is known when its turn comes.

import type { Field, MessageTable } from "./protobuf-table.ts";
import { WireReader, WireType } from "./protobuf-wire.ts";

/** Positions in the original, `start, end, start, end, …`. PERF: flat, as hostile messages have millions of fields. */
type Ranges = number[];

/** Merges repeated singular fields, at every depth. `bytes` passed `scanMessage`; unknown fields are dropped. */
export function mergeRepeated(bytes: Uint8Array, table: MessageTable): Uint8Array {
  const merger = new Merger(bytes);
  merger.write([0, bytes.length], table);
  return merger.merged;
}

class Merger {
  readonly #wire: WireReader;
  /** INVARIANT: never larger than the original, as merging two fields saves a tag and lengthens no length. */
  readonly #out: Uint8Array;
  /** Where the written part of `#out` begins. */
  #at: number;

  constructor(bytes: Uint8Array) {
    this.#wire = new WireReader(bytes);
    this.#out = new Uint8Array(bytes.length);
    this.#at = bytes.length;
  }

  get merged(): Uint8Array {
    return this.#out.subarray(this.#at);
  }

  /** Writes the message whose parts are `parts`, in front of what is written. */
  write(parts: Ranges, table: MessageTable): void {
    const repeatable: Ranges = [];
    const singular = new Map<number, { readonly field: Field; readonly ranges: Ranges }>();
    for (let part = 0; part < parts.length; part += 2) {
      this.#sort(parts[part] as number, parts[part + 1] as number, table, repeatable, singular);
    }
    for (const { field, ranges } of [...singular.values()].reverse()) {
      if (field.message === undefined) this.#copy(ranges[0] as number, ranges[1] as number);
      else this.#writeMessage(field, field.message, ranges);
    }
    for (let index = repeatable.length - 2; index >= 0; index -= 2) {
      const [start, end] = [repeatable[index] as number, repeatable[index + 1] as number];
      this.#wire.pos = start;
      const field = table.byNumber[this.#wire.readTag(end) >>> 3] as Field;
      if (field.message === undefined) this.#copy(start, end);
      else {
        this.#wire.readLength(end);
        this.#writeMessage(field, field.message, [this.#wire.pos, end]);
      }
    }
  }

  /** Finds what stays of one part: whole fields, tag included; of singular messages the contents, which join. */
  #sort(
    start: number,
    end: number,
    { byNumber }: MessageTable,
    repeatable: Ranges,
    singular: Map<number, { readonly field: Field; readonly ranges: Ranges }>,
  ): void {
    const wire = this.#wire;
    wire.pos = start;
    while (wire.pos < end) {
      const fieldStart = wire.pos;
      const tag = wire.readTag(end);
      const tagEnd = wire.pos;
      const field = byNumber[tag >>> 3];
      wire.skip(tag, end);
      const fieldEnd = wire.pos;
      if (field === undefined || field.wireType !== (tag & 7)) continue;
      if (field.presenceBit === 0) repeatable.push(fieldStart, fieldEnd);
      else if (field.message === undefined) singular.set(field.presenceBit, { field, ranges: [fieldStart, fieldEnd] });
      else {
        wire.pos = tagEnd;
        wire.readLength(end);
        const before = singular.get(field.presenceBit);
        if (before?.field === field) before.ranges.push(wire.pos, fieldEnd);
        else singular.set(field.presenceBit, { field, ranges: [wire.pos, fieldEnd] });
        wire.pos = fieldEnd;
      }
    }
  }

  #writeMessage(field: Field, table: MessageTable, parts: Ranges): void {
    const end = this.#at;
    this.write(parts, table);
    this.#varint(end - this.#at);
    this.#varint((field.number << 3) | WireType.bytes);
  }

  #copy(start: number, end: number): void {
    this.#at -= end - start;
    this.#out.set(this.#wire.bytes.subarray(start, end), this.#at);
  }

  #varint(value: number): void {
    let length = 1;
    for (let rest = value; rest > 0x7f; rest >>>= 7) length++;
    this.#at -= length;
    for (let index = 0; index < length; index++) {
      const more = index < length - 1 ? 0x80 : 0;
      this.#out[this.#at + index] = ((value >>> (7 * index)) & 0x7f) | more;
    }
  }
}
