// `object.subset` (v1/topdown/subset.go): objects within objects, recursively; sets within sets; an array as a run within
// an array; a set anywhere within an array.

import { compareValues, RegoObject, RegoSet, type Value } from "../value.ts";
import { BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { isArray } from "./operands.ts";
import { findOccurrences } from "./search-text.ts";

const isEqual = (a: Value, b: Value): boolean => compareValues(a, b) === 0;

const isRunOf = (whole: readonly Value[], part: readonly Value[]): boolean =>
  part.length === 0 || findOccurrences(whole, part, isEqual, false, 1).length > 0;

/** OPA counts members of the array that are in the set, equal ones as often as they occur, until it has seen enough. */
function isScatteredIn(whole: readonly Value[], part: RegoSet): boolean {
  let unmatched = part.values.length;
  return whole.some((value) => {
    if (part.has(value)) unmatched--;
    return unmatched === 0;
  });
}

const isSubset = (whole: Value, part: Value): boolean | undefined => {
  if (whole instanceof RegoObject && part instanceof RegoObject) return isObjectSubset(whole, part);
  if (whole instanceof RegoSet && part instanceof RegoSet) return part.values.every((value) => whole.has(value));
  return isArray(whole) && isArray(part) ? isRunOf(whole, part) : undefined;
};

function isObjectSubset(whole: RegoObject, part: RegoObject): boolean {
  return part.entries.every(([key, value]) => {
    const other = whole.get(key);
    // PERF: what is equal is a subset, so nothing is compared again at each level below.
    return other !== undefined && (isSubset(other, value) ?? isEqual(value, other));
  });
}

/** `object.subset(super, sub)`. */
export const objectBuiltins: BuiltinFamily = {
  "object.subset"([whole = null, part = null]) {
    if (isArray(whole) && part instanceof RegoSet) return isScatteredIn(whole, part);
    const subset = isSubset(whole, part);
    if (subset === undefined) throw new BuiltinError("both arguments must be of the same type, or array and set");
    return subset;
  },
};
