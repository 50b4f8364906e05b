// Reads and writes the frame of a WebAssembly module: its sections, its numbers, its vectors. What is inside of the
// code is wasm-opcodes.ts. SPEC: WebAssembly core 5.2 (LEB128), 5.5 (modules). Only for bytes that V8 has validated:
// faults here are Errors, and bounds are checked all the same.

const MAGIC_AND_VERSION = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00);

/** Ids of the sections that are read here. */
export const SECTION = { type: 1, import: 2, function: 3, global: 6, export: 7, code: 10 } as const;

/** What an import or export is, and the types of numbers. */
export const FUNCTION = 0x00;
export const GLOBAL = 0x03;
export const I32 = 0x7f;
export const MUTABLE = 0x01;

/** One section: its id and its content. */
export interface Section {
  readonly id: number;
  readonly content: Uint8Array;
}

/** The sections of a module, in the order of the file. */
export function readSections(binary: Uint8Array): Section[] {
  if (!MAGIC_AND_VERSION.every((byte, index) => binary[index] === byte)) throw new Error("not a module");
  const reader = new BinaryReader(binary, MAGIC_AND_VERSION.length);
  const sections: Section[] = [];
  while (!reader.atEnd) {
    const id = reader.byte();
    sections.push({ id, content: reader.bytes(reader.u32()) });
  }
  return sections;
}

/** The bytes of a module with these sections. */
export function writeSections(sections: readonly Section[]): Uint8Array {
  const parts = sections.flatMap(({ id, content }) => [Uint8Array.of(id, ...toLeb(content.length)), content]);
  return Buffer.concat([MAGIC_AND_VERSION, ...parts]);
}

/** The content of the section `id`; empty, a vector of nothing, when the module has none. */
export function contentOf(sections: readonly Section[], id: number): Uint8Array {
  return sections.find((section) => section.id === id)?.content ?? Uint8Array.of(0);
}

/** The sections with another content for `id`, which is put at its place when the module has none. */
export function withContent(sections: readonly Section[], id: number, content: Uint8Array): Section[] {
  const at = sections.findIndex((section) => section.id === id);
  if (at >= 0) return sections.with(at, { id, content });
  // Custom sections (id 0) may stand anywhere; the others are in the order of their ids, but for tags and data counts.
  const next = sections.findIndex((section) => section.id > id);
  return sections.toSpliced(next < 0 ? sections.length : next, 0, { id, content });
}

/** A vector with one more entry at its end. */
export function appendEntry(vector: Uint8Array, entry: readonly number[]): Uint8Array {
  const reader = new BinaryReader(vector);
  const count = reader.u32();
  return Buffer.concat([Uint8Array.from(toLeb(count + 1)), vector.subarray(reader.at), Uint8Array.from(entry)]);
}

/** Unsigned LEB128. */
export function toLeb(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 0x80, ...toLeb(Math.floor(value / 128))];
}

/** Signed LEB128 of a number that is not negative. */
export function toSignedLeb(value: number): number[] {
  return value < 64 ? [value] : [(value % 128) | 0x80, ...toSignedLeb(Math.floor(value / 128))];
}

/** A reader at the start of `bytes`. */
export const reading = (bytes: Uint8Array): BinaryReader => new BinaryReader(bytes);

/** Reads one after the other. */
export class BinaryReader {
  readonly #bytes: Uint8Array;
  /** Where the next byte is. */
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.at = at;
  }

  get atEnd(): boolean {
    return this.at >= this.#bytes.length;
  }

  byte(): number {
    const byte = this.#bytes[this.at++];
    if (byte === undefined) throw new Error("the module ends too soon");
    return byte;
  }

  u32(): number {
    let value = 0;
    for (let factor = 1; factor <= 128 ** 4; factor *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw new Error("a number is too long");
  }

  /** Passes over a number of any width and sign. */
  skipLeb(): void {
    while (this.byte() >= 0x80);
  }

  bytes(length: number): Uint8Array {
    if (length > this.#bytes.length - this.at) throw new Error("the module ends too soon");
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  skip(length: number): void {
    this.bytes(length);
  }
}
