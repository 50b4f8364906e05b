// The document that `json.patch` edits, as a tree over the original value (OPA internal/edittree): only what a patch
// touches is unfolded, the rest is shared. It answers as OPA does where that is not RFC 6902: once an element of an array
// was removed or inserted, a path through that array is looked up in the array as it was before, unless the element at
// that index came with the patch.

import { compareValues, RegoObject, RegoSet, type Value } from "../value.ts";
import { BuiltinError } from "./builtin.ts";
import { KeyTable } from "./key-table.ts";
import { isArray } from "./operands.ts";

/** The segments of a path, from the root on. */
export type EditPath = readonly Value[];

/** Charges for this many values that are copied while a part of the tree is rendered. */
export type ChargeValues = (count: number) => void;

/** What moving an element of a list costs, in values that are copied. */
const MOVED = 0.02;

/** An element of the original array, by its value, or what the patch put in its place. */
type Slot = { readonly original: Value } | EditTree;

const isComposite = (value: Value): boolean => typeof value === "object" && (isArray(value) || isKeyed(value));

const isKeyed = (value: Value): value is RegoObject | RegoSet =>
  value instanceof RegoObject || value instanceof RegoSet;

/** One node; made for the root, and below it wherever a path goes through. */
export class EditTree {
  readonly #charge: ChargeValues;
  /** Undefined when the root was removed. */
  #value: Value | undefined;
  /** Of objects and sets: what differs from `#value`; undefined for what was removed. */
  #children = new KeyTable<EditTree | undefined>();
  /** Of arrays: the elements as they are now. */
  #slots: Slot[] = [];

  constructor(value: Value, charge: ChargeValues) {
    this.#charge = charge;
    this.#reset(value);
  }

  /** Puts `value` at the path; in an array before the element that is there. Throws BuiltinError. */
  insertAt(path: EditPath, value: Value): void {
    const key = path.at(-1);
    if (key === undefined) this.#reset(value);
    else this.#unfold(path.slice(0, -1)).#insert(key, value);
  }

  /** Takes away what is at the path. Throws BuiltinError when nothing is. */
  deleteAt(path: EditPath): void {
    const key = path.at(-1);
    if (key !== undefined) this.#unfold(path.slice(0, -1)).#delete(key);
    else if (this.#value === undefined) throw new BuiltinError("deleted node encountered during delete operation");
    else this.#value = undefined;
  }

  /** The value at the path as it is now; undefined for a removed root. Throws BuiltinError when nothing is there. */
  renderAt(path: EditPath): Value | undefined {
    return this.#unfold(path).#render();
  }

  #reset(value: Value): void {
    this.#value = value;
    this.#children = new KeyTable();
    if (isArray(value)) this.#charge(value.length);
    this.#slots = isArray(value) ? value.map((original) => ({ original })) : [];
  }

  #child(value: Value): EditTree {
    return new EditTree(value, this.#charge);
  }

  #insert(key: Value, value: Value): EditTree {
    const node = this.#value;
    if (node === undefined) throw new BuiltinError("deleted node encountered during insert operation");
    const child = this.#child(value);
    if (node instanceof RegoSet) {
      if (compareValues(key, value) !== 0) throw new BuiltinError("set key does not equal value to be inserted");
      if (isComposite(key)) this.#reset(this.#rendered());
    }
    if (isKeyed(node)) {
      this.#charge(this.#children.size * MOVED);
      this.#children.set(key, child);
      return child;
    }
    if (!isArray(node)) throw new BuiltinError("expected composite type, found a scalar value");
    const index = toIndex(this.#slots.length, key);
    if (index < 0 || index > this.#slots.length) throw new BuiltinError("index for array insertion out of bounds");
    this.#charge(this.#slots.length * MOVED);
    this.#slots.splice(index, 0, child);
    return child;
  }

  #delete(key: Value): void {
    const node = this.#value;
    if (node === undefined) throw new BuiltinError("deleted node encountered during delete operation");
    if (node instanceof RegoSet && isComposite(key)) this.#reset(this.#rendered());
    if (isKeyed(node)) {
      const isThere = this.#children.has(key) ? this.#children.get(key) !== undefined : this.#find(key) !== undefined;
      if (!isThere) throw new BuiltinError("cannot delete child key that does not exist");
      this.#children.set(key, undefined);
      return;
    }
    if (!isArray(node)) throw new BuiltinError("expected composite type, found a scalar value");
    const index = toIndex(this.#slots.length, key);
    if (index < 0 || index > this.#slots.length - 1) throw new BuiltinError("index for array delete out of bounds");
    this.#charge(this.#slots.length * MOVED);
    this.#slots.splice(index, 1);
  }

  #unfold(path: EditPath): EditTree {
    let node: EditTree = this;
    for (const key of path) node = node.#step(key);
    return node;
  }

  #step(key: Value): EditTree {
    const node = this.#value;
    if (node === undefined) throw new BuiltinError("nil value encountered where composite value was expected");
    if (isArray(node)) return this.#stepArray(node, key);
    if (!isKeyed(node)) throw new BuiltinError("expected composite type, found a scalar value");
    if (node instanceof RegoSet && isComposite(key)) this.#reset(this.#rendered());
    if (this.#children.has(key)) {
      const child = this.#children.get(key);
      if (child === undefined) throw new BuiltinError("cannot unfold the already deleted node");
      return child;
    }
    const found = this.#find(key);
    if (found === undefined) throw new BuiltinError("path does not exist");
    return this.#insert(key, found);
  }

  #stepArray(original: readonly Value[], key: Value): EditTree {
    const index = toIndex(this.#slots.length, key);
    const slot = this.#slots[index];
    if (slot instanceof EditTree) return slot;
    // SPEC: OPA looks up the index in the original array, whatever was removed or inserted before it.
    const found = original[index];
    if (found === undefined) throw new BuiltinError("path does not exist in array");
    if (slot === undefined) throw new BuiltinError("index for array delete out of bounds");
    const child = this.#child(found);
    this.#slots[index] = child;
    return child;
  }

  /** What the unedited value holds under the key. */
  #find(key: Value): Value | undefined {
    if (this.#value instanceof RegoObject) return this.#value.get(key);
    return this.#value instanceof RegoSet && this.#value.has(key) ? key : undefined;
  }

  #rendered(): Value {
    const value = this.#render();
    if (value === undefined) throw new BuiltinError("nil value encountered where composite value was expected");
    return value;
  }

  #render(): Value | undefined {
    const value = this.#value;
    if (isArray(value)) {
      this.#charge(this.#slots.length);
      return this.#slots.map((slot) => (slot instanceof EditTree ? slot.#rendered() : slot.original));
    }
    if (value === undefined || !isKeyed(value) || this.#children.size === 0) return value;
    const edited = [...this.#children.entries()].flatMap(([key, child]): [Value, Value][] =>
      child === undefined ? [] : [[key, child.#rendered()]],
    );
    if (value instanceof RegoSet) {
      this.#charge(value.values.length + edited.length);
      const kept = value.values.filter((member) => !this.#children.has(member));
      return RegoSet.of([...kept, ...edited.map(([, member]) => member)]);
    }
    this.#charge(value.entries.length + edited.length);
    return RegoObject.of([...value.entries.filter(([key]) => !this.#children.has(key)), ...edited]);
  }
}

/** A segment as index: a whole number, its text without leading zeros, or `-` for the place behind the last element. */
function toIndex(length: number, key: Value): number {
  if (key === "-") return length;
  if (typeof key === "string") {
    const index = readInt(key);
    if (index === undefined) throw new BuiltinError("invalid string for indexing");
    if (key !== "0" && key.startsWith("0")) throw new BuiltinError("leading zeros are not allowed in JSON paths");
    return index;
  }
  if (key === null || typeof key !== "object" || isComposite(key)) {
    throw new BuiltinError("invalid type for indexing");
  }
  const index = "text" in key ? readInt(key.text) : undefined;
  if (index === undefined) throw new BuiltinError("invalid number type for indexing");
  return index;
}

/** OPA's `util.Atoi64`: a sign, at most 19 characters of digits, and behind a point only zeros. */
function readInt(text: string): number | undefined {
  const match = /^([+-]?)([0-9]*)(\.0*)?$/.exec(text);
  const [, sign = "", digits = "", fraction = ""] = match ?? [];
  const length = digits.length + fraction.length;
  if (match === null || length === 0 || length > 19) return undefined;
  const magnitude = Number(digits);
  return sign === "-" ? -magnitude : magnitude;
}
