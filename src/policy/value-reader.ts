// Reads Rego values where OPA's runtime has them in a module's memory, without a text between. The layout is checked by
// value-memory.ts before anything is read.
// SECURITY: an address outside of the memory throws RangeError, which counts as a trap.

import { fromBytes, MAX_VALUE_DEPTH, RegoNumber, RegoObject, RegoSet, type Value, ValueSyntaxError } from "./value.ts";

/** The first byte of a value. SPEC: OPA wasm/src/value.h; interned values are those of the module's own constants. */
export const TYPE = {
  null: 1,
  boolean: 2,
  number: 3,
  string: 4,
  array: 5,
  object: 6,
  set: 7,
  internedString: 8,
  internedBoolean: 9,
} as const;

/** Offsets in a value. */
export const AT = {
  truth: 1,
  representation: 1,
  integer: 8,
  numberText: 8,
  numberLength: 12,
  length: 4,
  text: 8,
  elements: 4,
  elementCount: 8,
  buckets: 4,
  bucketCount: 8,
} as const;

/** An element of an array: its index, and its value. */
export const ARRAY_ELEMENT = { bytes: 8, value: 4 } as const;
/** Entries of objects and members of sets are chained in their buckets. */
export const OBJECT_NODE = { key: 0, value: 4, next: 8 } as const;
/** See {@link OBJECT_NODE}. */
export const SET_NODE = { key: 0, next: 4 } as const;

const INTEGER = 1;

/** What reading takes of an evaluation's budget: about what a dump of it would. Builtins take time by their operands, too. */
const STEPS = { value: 200, byte: 20 } as const;
/** SECURITY: taken on the way too: what a value shares within itself is read at each place, and that can double at each level. */
const STEPS_AT_ONCE = 1_000_000;

/** Texts of this many bytes are remembered: key sets and tokens, which a policy passes again and again. */
const REMEMBERED = { minBytes: 64, maxBytes: 65_536, texts: 64 } as const;

interface RememberedText {
  readonly bytes: Buffer;
  readonly text: string;
}

/** Reads the values of one memory. */
export class ValueReader {
  readonly #memory: Buffer;
  readonly #texts = new Map<number, RememberedText>();
  #spend: (steps: number) => void = () => undefined;
  #steps = 0;

  constructor(memory: Buffer) {
    this.#memory = memory;
  }

  /** The value at `address`. Throws ValueSyntaxError when it nests deeper than 2,000, and what `spend` throws. */
  read(address: number, spend: (steps: number) => void): Value {
    this.#steps = 0;
    this.#spend = spend;
    const value = this.#value(address >>> 0, 0);
    this.#charge();
    return value;
  }

  #charge(): void {
    const steps = this.#steps;
    this.#steps = 0;
    this.#spend(steps);
  }

  #value(address: number, depth: number): Value {
    if (depth > MAX_VALUE_DEPTH) throw new ValueSyntaxError(`nested deeper than ${MAX_VALUE_DEPTH}`);
    this.#steps += STEPS.value;
    if (this.#steps > STEPS_AT_ONCE) this.#charge();
    switch (this.#memory[address]) {
      case TYPE.null:
        return null;
      case TYPE.boolean:
      case TYPE.internedBoolean:
        return this.#memory[address + AT.truth] !== 0;
      case TYPE.number:
        return this.#number(address);
      case TYPE.string:
      case TYPE.internedString:
        return this.#text(this.#word(address + AT.text), this.#word(address + AT.length));
      case TYPE.array:
        return this.#array(address, depth);
      case TYPE.object:
        return RegoObject.of(
          this.#nodes(address, OBJECT_NODE.next, (node) => [
            this.#value(this.#word(node + OBJECT_NODE.key), depth + 1),
            this.#value(this.#word(node + OBJECT_NODE.value), depth + 1),
          ]),
        );
      case TYPE.set:
        return RegoSet.of(
          this.#nodes(address, SET_NODE.next, (node) => this.#value(this.#word(node + SET_NODE.key), depth + 1)),
        );
      default:
        throw new RangeError("no value is there");
    }
  }

  #number(address: number): RegoNumber {
    if (this.#memory[address + AT.representation] === INTEGER)
      return RegoNumber.of(this.#memory.readBigInt64LE(address + AT.integer));
    const start = this.#word(address + AT.numberText);
    const end = start + this.#word(address + AT.numberLength);
    this.#steps += (end - start) * STEPS.byte;
    return RegoNumber.parse(this.#memory.toString("latin1", start, end));
  }

  #array(address: number, depth: number): Value {
    const elements = this.#word(address + AT.elements);
    const count = this.#word(address + AT.elementCount);
    const values: Value[] = [];
    for (let index = 0; index < count; index++) {
      const element = elements + index * ARRAY_ELEMENT.bytes;
      values.push(this.#value(this.#word(element + ARRAY_ELEMENT.value), depth + 1));
    }
    return values;
  }

  #nodes<T>(address: number, next: number, read: (node: number) => T): T[] {
    const buckets = this.#word(address + AT.buckets);
    const count = this.#word(address + AT.bucketCount);
    const found: T[] = [];
    for (let bucket = 0; bucket < count; bucket++) {
      for (let node = this.#word(buckets + bucket * 4); node !== 0; node = this.#word(node + next))
        found.push(read(node));
    }
    return found;
  }

  /**
   * PERF: a text that sits where it sat before, with the same bytes (which are compared), is the same JavaScript string,
   * whose hash is known: what remembers by key set or token need not read all of it again.
   */
  #text(start: number, length: number): string {
    this.#steps += length * STEPS.byte;
    const end = start + length;
    if (end > this.#memory.length) throw new RangeError("a text ends outside of the memory");
    if (length < REMEMBERED.minBytes || length > REMEMBERED.maxBytes) return this.#decode(start, end);
    const known = this.#texts.get(start);
    if (known?.bytes.length === length && known.bytes.compare(this.#memory, start, end) === 0) return known.text;
    if (this.#texts.size >= REMEMBERED.texts) this.#texts.clear();
    const text = this.#decode(start, end);
    this.#texts.set(start, { bytes: Buffer.from(this.#memory.subarray(start, end)), text });
    return text;
  }

  #decode(start: number, end: number): string {
    const text = this.#memory.toString("utf8", start, end);
    return text.includes("\ufffd") ? fromBytes(this.#memory.subarray(start, end)) : text;
  }

  #word(address: number): number {
    return this.#memory.readUInt32LE(address);
  }
}
