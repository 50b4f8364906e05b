// Decodes header blocks of one connection, in full. SPEC: RFC 7541 §3, §6; limits: RFC 9113 §4.3.1, §6.5.2.
// A block that the decoder cannot follow ends the connection, for nothing after it could be read. One that is only too large is
// followed to its end, because what it does to the dynamic table holds for the blocks after it; its lines are not kept.
// Whether the lines make a request is judged elsewhere.

import type { HeaderField, HeaderList } from "./header-list.ts";
import { BlockMemo } from "./hpack-block-memo.ts";
import { BlockCursor, MALFORMED } from "./hpack-cursor.ts";
import { DynamicTable, FIELD_OVERHEAD_BYTES, fieldBytes } from "./hpack-dynamic-table.ts";
import { STATIC_TABLE } from "./hpack-static-table.ts";
import { DEFAULT_TABLE_BYTES } from "./settings.ts";

/** Turns header blocks to lines, in the order in which they came. */
export interface HpackDecoder {
  /** Decodes block[start, end). "too_large": over maxListBytes, table kept consistent. "malformed": COMPRESSION_ERROR, the connection is over. */
  decode(block: Buffer, start: number, end: number): HeaderList | "too_large" | "malformed";
  /** Our SETTINGS_HEADER_TABLE_SIZE that the peer has acknowledged. Lowering: the next block must begin with an update, else malformed. */
  setMaxTableBytes(bytes: number): void;
}

const INDEXED = 0x80;
const WITH_INDEXING = 0x40;
const SIZE_UPDATE = 0x20;

/**
 * A decoder for one connection. `maxTableBytes` is what we announce; the peer may use 4096 until it has acknowledged less.
 * `maxListBytes` counts as SETTINGS_MAX_HEADER_LIST_SIZE does.
 */
export function createHpackDecoder(options: {
  readonly maxTableBytes: number;
  readonly maxListBytes: number;
}): HpackDecoder {
  return new Decoder(options.maxTableBytes, options.maxListBytes);
}

class Decoder implements HpackDecoder {
  readonly #maxListBytes: number;
  readonly #table = new DynamicTable(DEFAULT_TABLE_BYTES);
  readonly #cursor = new BlockCursor();
  readonly #memo = new BlockMemo();
  #maxTableBytes: number;
  #mustUpdateSize = false;
  /** Of the block that is being decoded: what its lines count so far, and whether that is too much. */
  #listBytes = 0;
  #tooLarge = false;

  constructor(maxTableBytes: number, maxListBytes: number) {
    this.#maxTableBytes = Math.max(maxTableBytes, DEFAULT_TABLE_BYTES);
    this.#maxListBytes = maxListBytes;
  }

  setMaxTableBytes(bytes: number): void {
    this.#maxTableBytes = bytes;
    // SPEC: RFC 9113 §4.3.1: only where the size in use is larger; raising again before the next block takes it back.
    this.#mustUpdateSize = this.#table.maxBytes > bytes;
  }

  decode(block: Buffer, start: number, end: number): HeaderList | "too_large" | "malformed" {
    const table = this.#table;
    const changes = table.changes;
    if (!this.#mustUpdateSize) {
      const known = this.#memo.find(block, start, end, changes);
      if (known !== undefined) return known;
    }
    this.#listBytes = 0;
    this.#tooLarge = false;
    const cursor = this.#cursor;
    cursor.open(block, start, end);
    const fields: HeaderField[] = [];
    const isWhole = this.#updateSize(block, end) && this.#readFields(block, end, fields);
    cursor.close();
    if (!isWhole) return "malformed";
    if (this.#tooLarge) return "too_large";
    const list: HeaderList = { fields, bytes: this.#listBytes };
    if (table.changes === changes) this.#memo.keep(block, start, end, changes, list);
    return list;
  }

  /** SPEC: RFC 7541 §4.2, §6.3: size updates stand at the beginning of a block, never above what we allow. */
  #updateSize(block: Buffer, end: number): boolean {
    const cursor = this.#cursor;
    while (cursor.at < end && ((block[cursor.at] as number) & 0xe0) === SIZE_UPDATE) {
      const bytes = cursor.integer(block[cursor.at++] as number, 0x1f);
      if (bytes === MALFORMED || bytes > this.#maxTableBytes) return false;
      this.#table.resize(bytes);
      this.#mustUpdateSize = false;
    }
    return !this.#mustUpdateSize;
  }

  #readFields(block: Buffer, end: number, fields: HeaderField[]): boolean {
    const cursor = this.#cursor;
    while (cursor.at < end) {
      const first = block[cursor.at++] as number;
      if (first >= INDEXED) {
        const field = this.#indexed(cursor.integer(first, 0x7f));
        if (field === undefined) return false;
        if (this.#count(fieldBytes(field))) fields.push(field);
      } else if (!this.#readLiteral(first, fields)) return false;
    }
    return true;
  }

  /** SPEC: RFC 7541 §6.2: with incremental indexing, without it, or never indexed, which to a server is the same as without. */
  #readLiteral(first: number, fields: HeaderField[]): boolean {
    const cursor = this.#cursor;
    const isIndexing = first >= WITH_INDEXING;
    if (!isIndexing && first >= SIZE_UPDATE) return false;
    const index = cursor.integer(first, isIndexing ? 0x3f : 0x0f);
    if (index === MALFORMED) return false;
    // SECURITY: text is made only of what will be kept, in the list or in the table, so a block costs its octets and no more.
    const most = Math.max(isIndexing ? this.#table.maxBytes : 0, this.#roomBytes());
    let name = "";
    let bytes = FIELD_OVERHEAD_BYTES;
    if (index === 0) {
      const nameBytes = cursor.string();
      if (nameBytes === MALFORMED) return false;
      bytes += nameBytes;
      if (bytes <= most) name = cursor.text();
    } else {
      const named = this.#indexed(index);
      if (named === undefined) return false;
      name = named.name;
      bytes += name.length;
    }
    const valueBytes = cursor.string();
    if (valueBytes === MALFORMED) return false;
    bytes += valueBytes;
    const isListed = this.#count(bytes);
    const isKept = isIndexing && bytes <= this.#table.maxBytes;
    if (isListed || isKept) {
      const field: HeaderField = { name, value: cursor.text() };
      if (isListed) fields.push(field);
      if (isKept) this.#table.add(field, bytes);
    }
    if (isIndexing && !isKept) this.#table.clear();
    return true;
  }

  /** Counts a line; false when it is not to be kept, because the list is too large. */
  #count(bytes: number): boolean {
    this.#listBytes += bytes;
    if (this.#listBytes > this.#maxListBytes) this.#tooLarge = true;
    return !this.#tooLarge;
  }

  #roomBytes(): number {
    return this.#tooLarge ? 0 : this.#maxListBytes - this.#listBytes;
  }

  /** The line at an index of both tables (RFC 7541 §2.3.3); undefined for 0, for MALFORMED, and past the end. */
  #indexed(index: number): HeaderField | undefined {
    const age = index - 1 - STATIC_TABLE.length;
    return age < 0 ? STATIC_TABLE[index - 1] : this.#table.at(age);
  }
}
