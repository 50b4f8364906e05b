// An HPACK encoder that does all that an encoder may do, at random: indexes, literals of all kinds, Huffman or not, entries that evict
// others, size updates. SPEC: RFC 7541. It shares only the static table with the decoder that it is to try.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../src/base/package-root.ts";
import type { HeaderField } from "../../src/server/http2/header-list.ts";
import { STATIC_TABLE } from "../../src/server/http2/hpack-static-table.ts";
import { integer } from "../support/hpack-integer.ts";
import type { Random } from "../support/random.ts";

const { codes } = JSON.parse(readFileSync(join(packageRoot(), "test/vectors/hpack/huffman.json"), "utf8")) as {
  readonly codes: readonly string[];
};

const DEFAULT_TABLE_BYTES = 4096;
const LITERALS = [
  { flags: 0x40, bits: 6 },
  { flags: 0x00, bits: 4 },
  { flags: 0x10, bits: 4 },
] as const;

/** A client's encoder; one for each connection. */
export class HeaderWriter {
  /** Newest first. */
  #table: HeaderField[] = [];
  #tableBytes = 0;
  #maxBytes = DEFAULT_TABLE_BYTES;
  /** What the server allows. */
  #limit = DEFAULT_TABLE_BYTES;
  #mustUpdate = false;

  /** SETTINGS_HEADER_TABLE_SIZE of the server, from the moment when it is acknowledged. */
  setLimit(bytes: number): void {
    this.#limit = bytes;
    if (this.#maxBytes > bytes) this.#mustUpdate = true;
  }

  write(fields: readonly HeaderField[], random: Random): Buffer {
    const parts: Buffer[] = [];
    if (this.#mustUpdate || random.chance(1)) {
      if (random.chance(20)) parts.push(this.#resize(random.below(this.#limit + 1)));
      parts.push(this.#resize(random.chance(70) ? this.#limit : random.below(this.#limit + 1)));
      this.#mustUpdate = false;
    }
    for (const field of fields) parts.push(this.#field(field, random));
    return Buffer.concat(parts);
  }

  #resize(bytes: number): Buffer {
    this.#maxBytes = bytes;
    this.#evict();
    return integer(0x20, 5, bytes);
  }

  #field(field: HeaderField, random: Random): Buffer {
    const { name, value } = field;
    const whole = random.chance(15) ? 0 : this.#find(name, value);
    if (whole > 0) return integer(0x80, 7, whole);
    const named = random.chance(10) ? 0 : this.#find(name, undefined);
    const kind = random.chance(60) ? LITERALS[0] : random.pick(LITERALS);
    const parts = [integer(kind.flags, kind.bits, named)];
    if (named === 0) parts.push(string(name, random));
    parts.push(string(value, random));
    if (kind.flags === 0x40) {
      this.#table.unshift(field);
      this.#tableBytes += name.length + value.length + 32;
      this.#evict();
    }
    return Buffer.concat(parts);
  }

  /** The index of a line, or of a name when `value` is undefined; 0 when there is none. */
  #find(name: string, value: string | undefined): number {
    const fixed = indexIn(STATIC_TABLE, name, value);
    if (fixed !== -1) return fixed + 1;
    const own = indexIn(this.#table, name, value);
    return own === -1 ? 0 : own + 1 + STATIC_TABLE.length;
  }

  #evict(): void {
    while (this.#tableBytes > this.#maxBytes) {
      const { name, value } = this.#table.pop() as HeaderField;
      this.#tableBytes -= name.length + value.length + 32;
    }
  }
}

function indexIn(table: readonly HeaderField[], name: string, value: string | undefined): number {
  for (let at = 0; at < table.length; at++) {
    const entry = table[at] as HeaderField;
    if (entry.name === name && (value === undefined || entry.value === value)) return at;
  }
  return -1;
}

/** PERF: the same strings come again and again. */
const coded = new Map<string, Buffer>();

function string(text: string, random: Random): Buffer {
  const isHuffman = random.chance(50);
  const key = isHuffman ? `h${text}` : `r${text}`;
  let bytes = coded.get(key);
  if (bytes === undefined) {
    const octets = isHuffman ? huffman(text) : Buffer.from(text, "latin1");
    bytes = Buffer.concat([integer(isHuffman ? 0x80 : 0, 7, octets.length), octets]);
    if (coded.size > 5_000) coded.clear();
    coded.set(key, bytes);
  }
  return bytes;
}

function huffman(text: string): Buffer {
  let bits = "";
  for (const octet of Buffer.from(text, "latin1")) bits += codes[octet];
  bits += "1".repeat((8 - (bits.length % 8)) % 8);
  return Buffer.from(
    Array.from({ length: bits.length / 8 }, (_, at) => Number.parseInt(bits.slice(at * 8, at * 8 + 8), 2)),
  );
}
