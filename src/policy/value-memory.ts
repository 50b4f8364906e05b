// Rego values in and out of a module's memory: builtins' operands and results. Value text does it, but for two things:
// a string with bytes that are no UTF-8, which `opa_value_parse` refuses, and speed: `opa_value_dump` writes character by
// character. For those the values of OPA's runtime are read (value-reader.ts) and mended in place.
// SPEC: OPA wasm/src/value.h, value.c: the layout, and hashes (FNV-1a; those of collections are sums) that choose buckets,
// of which there are a power of two; no hash is stored. A module whose runtime is laid out otherwise is recognised before
// its first builtin call, and works without the two.

import { randomBytes } from "node:crypto";
import { PolicyError } from "./policy-error.ts";
import { isWellFormed, joinBytes, parseDump, printValue, printValueWith, toBytes, type Value } from "./value.ts";
import { ARRAY_ELEMENT, AT, OBJECT_NODE, SET_NODE, TYPE, ValueReader } from "./value-reader.ts";
import type { WasmInstance } from "./wasm-instance.ts";

/** Stands in front of the number of a string that is put in later. SECURITY: no text of a caller can hold it. */
const PLACEHOLDER = `svidgate:${randomBytes(16).toString("hex")}:`;

/** The values of one instance. */
export class ValueMemory {
  readonly #instance: WasmInstance;
  #reader: ValueReader | undefined;
  #isKnownLayout: boolean | undefined;

  constructor(instance: WasmInstance) {
    this.#instance = instance;
  }

  /** The value at `address`, with every byte of its strings. `spend` takes steps of the evaluation's budget. */
  read(address: number, spend: (steps: number) => void): Value {
    if (this.#knowsLayout()) return this.#directly(address, spend);
    return parseDump(this.#instance.dump(address));
  }

  #directly(address: number, spend: (steps: number) => void): Value {
    this.#reader ??= new ValueReader(this.#instance.bytes);
    return this.#reader.read(address, spend);
  }

  /** Makes a value on the module's heap; its address, or 0 when the runtime refuses its text. */
  write(value: Value, text: string = printValue(value)): number {
    if (isWellFormed(text)) return this.#parse(text);
    const missing: string[] = [];
    const address = this.#parse(
      printValueWith(value, (part) => {
        const joined = joinBytes(part);
        if (isWellFormed(joined)) return JSON.stringify(joined);
        missing.push(joined);
        return `"${PLACEHOLDER}${missing.length - 1}"`;
      }),
    );
    if (missing.length === 0 || address === 0) return address;
    if (!this.#knowsLayout()) {
      throw new PolicyError("policy_trap", "a string that is not UTF-8: this module's runtime has no place for it");
    }
    this.#mend(address, missing);
    return address;
  }

  #parse(text: string): number {
    const { address, length } = this.#instance.write(text);
    return this.#instance.exports.opa_value_parse(address, length) >>> 0;
  }

  /** The bytes of a string, in the module's memory. */
  #textAt(address: number): Buffer {
    const start = this.#word(address, AT.text);
    return this.#instance.bytes.subarray(start, start + this.#word(address, AT.length));
  }

  /** SECURITY: an address outside of the memory throws RangeError, which counts as a trap. */
  #word(address: number, offset: number): number {
    return this.#instance.bytes.readUInt32LE((address >>> 0) + offset);
  }

  #setWord(address: number, offset: number, value: number): void {
    this.#instance.bytes.writeUInt32LE(value >>> 0, address + offset);
  }

  /** Puts the missing strings in at `address`; how much the value's hash has changed (modulo 2³²). */
  #mend(address: number, missing: readonly string[]): number {
    switch (this.#instance.bytes[address]) {
      case TYPE.string:
        return this.#mendString(address, missing);
      case TYPE.array:
        return this.#mendArray(address, missing);
      case TYPE.object:
        return this.#mendBuckets(address, missing, OBJECT_NODE);
      case TYPE.set:
        return this.#mendBuckets(address, missing, SET_NODE);
      default:
        return 0;
    }
  }

  #mendString(address: number, missing: readonly string[]): number {
    const old = this.#textAt(address);
    const text = old.toString("latin1");
    if (!text.startsWith(PLACEHOLDER)) return 0;
    const bytes = toBytes(missing[Number(text.slice(PLACEHOLDER.length))] ?? "");
    const change = hashOf(bytes) - hashOf(old);
    const start = this.#instance.exports.opa_malloc(bytes.length) >>> 0;
    bytes.copy(this.#instance.bytes, start);
    this.#setWord(address, AT.text, start);
    this.#setWord(address, AT.length, bytes.length);
    return change >>> 0;
  }

  #mendArray(address: number, missing: readonly string[]): number {
    const elements = this.#word(address, AT.elements);
    const count = this.#word(address, AT.elementCount);
    let change = 0;
    for (let index = 0; index < count; index++)
      change += this.#mend(this.#word(elements, index * ARRAY_ELEMENT.bytes + ARRAY_ELEMENT.value), missing);
    return change >>> 0;
  }

  /** An object's keys and values or a set's members; what has another hash then moves to its new bucket. */
  #mendBuckets(address: number, missing: readonly string[], node: typeof OBJECT_NODE | typeof SET_NODE): number {
    const buckets = this.#word(address, AT.buckets);
    const count = this.#word(address, AT.bucketCount);
    const moved: [node: number, bucket: number][] = [];
    let change = 0;
    for (let bucket = 0; bucket < count; bucket++) {
      let link = buckets + bucket * 4;
      for (let at = this.#word(link, 0); at !== 0; at = this.#word(link, 0)) {
        const keyChange = this.#mend(this.#word(at, node.key), missing);
        change += keyChange;
        if ("value" in node) change += this.#mend(this.#word(at, node.value), missing);
        if (keyChange === 0) link = at + node.next;
        else {
          this.#setWord(link, 0, this.#word(at, node.next));
          moved.push([at, (bucket + keyChange) % count]);
        }
      }
    }
    for (const [at, bucket] of moved) {
      this.#setWord(at, node.next, this.#word(buckets, bucket * 4));
      this.#setWord(buckets, bucket * 4, at);
    }
    return change >>> 0;
  }

  #knowsLayout(): boolean {
    this.#isKnownLayout ??= this.#tryLayout();
    return this.#isKnownLayout;
  }

  /** Makes a value with every kind of place for a string, mends it, and looks whether the runtime agrees. */
  #tryLayout(): boolean {
    try {
      return this.#isLaidOutAsKnown();
    } catch (error) {
      // A word was no address. The end of the JavaScript stack is a RangeError too, and says nothing of the layout.
      if (error instanceof RangeError && !/call stack/.test(error.message)) return false;
      throw error;
    }
  }

  #isLaidOutAsKnown(): boolean {
    const { bytes } = this.#instance;
    const word = this.#parse('"layout é"');
    if (bytes[word] !== TYPE.string || !this.#textAt(word).equals(Buffer.from("layout é"))) return false;
    const placeholder = (index: number): string => `"${PLACEHOLDER}${index}"`;
    const [a, b, c, d] = [0, 1, 2, 3].map(placeholder);
    const probe = this.#parse(`{${a}: {[${b}], 1, "x"}, "k": {${c}, "y"}, "v": [${d}]}`);
    this.#mend(probe, ["\udcff", "\udcfe\udcfd", "z\udcfc", "\udcc3"]);
    const want = '{"k": {"y", "z\udcfc"}, "v": ["\udcc3"], "\udcff": {1, "x", ["\udcfe\udcfd"]}}';
    if (printValue(parseDump(this.#instance.dump(probe))) !== want) return false;
    const plain =
      '{"a": [null, true, false, {"b", 1}, set()], "n": [0, -7, 2.50, 12345678901234567890, 1e400], [1]: {}}';
    const copy = this.#parse(plain);
    return [probe, copy].every(
      (value) =>
        printValue(this.#directly(value, () => undefined)) === printValue(parseDump(this.#instance.dump(value))),
    );
  }
}

/** FNV-1a as OPA's runtime has it: 32 bits, multiplied before the byte is mixed in. */
function hashOf(bytes: Buffer): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash, 0x01000193) ^ byte;
  return hash >>> 0;
}
