// Encodes header blocks that depend on nothing before them: a block of ours is a constant, made once and copied into every answer.
// SPEC: RFC 7541 §6.1, §6.2.2. Not used: the dynamic table (a block would mean something only in its place) and Huffman coding
// (it saves some octets of an answer's hundred and costs the peer more to undo).

import type { HeaderField } from "./header-list.ts";
import { STATIC_TABLE } from "./hpack-static-table.ts";

/** SPEC: RFC 7541 §4.2, §6.3: a table size update to 0, sent once before the first block after the peer lowered SETTINGS_HEADER_TABLE_SIZE. */
export const TABLE_SIZE_ZERO: Buffer = Buffer.of(0x20);

const INDEXED = 0x80;

/** Static-table indexes and literals without indexing, never a dynamic entry. Names must be lower-case, both parts latin1. */
export function encodeHeaderBlock(fields: readonly HeaderField[]): Buffer {
  return Buffer.concat(fields.map(encodeField));
}

function encodeField({ name, value }: HeaderField): Buffer {
  const whole = STATIC_TABLE.findIndex((entry) => entry.name === name && entry.value === value) + 1;
  // Every static index fits its seven bits.
  if (whole > 0) return Buffer.of(INDEXED | whole);
  const named = STATIC_TABLE.findIndex((entry) => entry.name === name) + 1;
  return named > 0
    ? Buffer.concat([encodeInteger(0, 4, named), encodeString(value)])
    : Buffer.concat([encodeInteger(0, 4, 0), encodeString(name), encodeString(value)]);
}

const encodeString = (text: string): Buffer =>
  Buffer.concat([encodeInteger(0, 7, text.length), Buffer.from(text, "latin1")]);

/** SPEC: RFC 7541 §5.1: `value` in the low `bits` of the first octet, below `flags`, and what follows. */
function encodeInteger(flags: number, bits: number, value: number): Buffer {
  const mask = (1 << bits) - 1;
  if (value < mask) return Buffer.of(flags | value);
  const octets = [flags | mask];
  let rest = value - mask;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) octets.push((rest & 0x7f) | 0x80);
  return Buffer.from([...octets, rest]);
}
