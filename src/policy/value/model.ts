// The values of Rego in memory: JSON's, and sets, and objects whose keys are any value; all immutable, sets and objects
// always in OPA's order. `compareValues` is that order (OPA v1/ast/compare.go), the one that sorting, set membership
// and equality all share.

import { toBytes } from "./bytes.ts";
import { compareNumbers, RegoNumber } from "./number.ts";

/** Any value of Rego. A lone surrogate U+DC80…U+DCFF in a string is a byte that is no UTF-8 (bytes.ts). */
export type Value = null | boolean | string | RegoNumber | readonly Value[] | RegoSet | RegoObject;

/** One entry of an object. */
export type Entry = readonly [key: Value, value: Value];

/** A set: unique values in OPA's order. */
export class RegoSet {
  readonly values: readonly Value[];

  private constructor(values: readonly Value[]) {
    this.values = values;
  }

  /** The set of these values; sorts, and drops what is there twice. */
  static of(values: Iterable<Value>): RegoSet {
    return new RegoSet(sortUnique([...values], compareValues));
  }

  /** Whether a value equal to `value` is a member. */
  has(value: Value): boolean {
    return search(this.values, (member) => compareValues(member, value)) !== undefined;
  }
}

/** An object: entries in OPA's order of their keys, each key once. */
export class RegoObject {
  readonly entries: readonly Entry[];

  private constructor(entries: readonly Entry[]) {
    this.entries = entries;
  }

  /** The object of these entries; sorts them, and of entries with equal keys the last one stands. */
  static of(entries: Iterable<Entry>): RegoObject {
    return new RegoObject(sortUnique([...entries], compareKeys));
  }

  /** The value under `key`, or undefined. */
  get(key: Value): Value | undefined {
    return search(this.entries, (entry) => compareValues(entry[0], key))?.[1];
  }
}

/** OPA's total order: null < boolean < number < string < array < object < set. Negative, zero (equal) or positive. */
export function compareValues(a: Value, b: Value): number {
  if (a === b) return 0;
  if (typeof a === "string" && typeof b === "string") return compareStrings(a, b);
  const rank = rankOf(a) - rankOf(b);
  if (rank !== 0) return rank;
  if (a instanceof RegoNumber && b instanceof RegoNumber) return compareNumbers(a, b);
  if (a instanceof RegoSet && b instanceof RegoSet) return compareLists(a.values, b.values, compareValues);
  if (a instanceof RegoObject && b instanceof RegoObject) return compareLists(a.entries, b.entries, compareEntries);
  if (Array.isArray(a) && Array.isArray(b)) return compareLists<Value>(a, b, compareValues);
  return Number(a) - Number(b); // two different booleans
}

/** Orders strings by their bytes, which for UTF-8 is by code point; JavaScript's `<` orders by UTF-16 unit. */
export function compareStrings(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index++) {
    const x = a.charCodeAt(index);
    const y = b.charCodeAt(index);
    if (x === y) continue;
    if (isLoneLow(a, index) || isLoneLow(b, index)) return Buffer.compare(toBytes(a), toBytes(b));
    // A surrogate (D800…DFFF) stands for a code point above FFFF, so it goes behind E000…FFFF.
    return x >= 0xd800 && y >= 0xd800 ? aboveBmpLast(x) - aboveBmpLast(y) : x - y;
  }
  return a.length - b.length;
}

/** A low surrogate without a high one in front of it: a byte. */
const isLoneLow = (text: string, index: number): boolean =>
  isSurrogate(text, index, 0xdc00) && !(index > 0 && isSurrogate(text, index - 1, 0xd800));

const isSurrogate = (text: string, index: number, kind: 0xd800 | 0xdc00): boolean =>
  (text.charCodeAt(index) & 0xfc00) === kind;

const aboveBmpLast = (unit: number): number => (unit < 0xe000 ? unit + 0x2000 : unit - 0x800);

function rankOf(value: Value): number {
  if (value === null) return 0;
  if (typeof value === "boolean") return 1;
  if (typeof value === "string") return 3;
  if (value instanceof RegoNumber) return 2;
  if (value instanceof RegoObject) return 5;
  return value instanceof RegoSet ? 6 : 4;
}

const compareKeys = (a: Entry, b: Entry): number => compareValues(a[0], b[0]);
const compareEntries = (a: Entry, b: Entry): number => compareKeys(a, b) || compareValues(a[1], b[1]);

function compareLists<T>(a: readonly T[], b: readonly T[], compare: (x: T, y: T) => number): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index++) {
    const order = compare(a[index] as T, b[index] as T);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Sorts in place; of equal items the last one stands (the sort is stable). */
function sortUnique<T>(items: T[], compare: (a: T, b: T) => number): readonly T[] {
  if (items.length < 2) return items;
  items.sort(compare);
  let kept = 0;
  for (let index = 1; index < items.length; index++) {
    const item = items[index] as T;
    if (compare(items[kept] as T, item) !== 0) kept++;
    items[kept] = item;
  }
  items.length = kept + 1;
  return items;
}

function search<T>(sorted: readonly T[], order: (item: T) => number): T | undefined {
  let low = 0;
  let high = sorted.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const item = sorted[middle] as T;
    const found = order(item);
    if (found === 0) return item;
    if (found < 0) low = middle + 1;
    else high = middle - 1;
  }
  return undefined;
}
