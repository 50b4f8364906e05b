// Strict errors of the builtins inside OPA's WASM module. There, what OPA's interpreter calls an error is undefined like a
// missing value, and nobody learns of it; so the compiler puts a guard behind each call, which calls this builtin when
// there is no value. SPEC: an exhaustive comparison with OPA 1.22.2 found one undefined that is no error: the least and
// the greatest of nothing. test/unit/policy/native-guard.test.ts holds every builtin of the module against this table.

import type { Value } from "../value.ts";
import { type Builtin, BuiltinError } from "./builtin.ts";
import * as check from "./native-checks.ts";
import { is, whole } from "./native-checks.ts";
import { isArray } from "./operands.ts";

const NUMBER = [is(0, "number")];
const NUMBERS = [is(0, "number"), is(1, "number")];
const STRING = [is(0, "string")];
const STRINGS = [is(0, "string"), is(1, "string")];
const ARRAY = [is(0, "array")];
const SETS = [is(0, "set"), is(1, "set")];
const BITS = [whole(0, "integer"), whole(1, "integer")];
const LIST = [is(0, "set", "array")];
const KEYS = [is(0, "object"), is(1, "object", "set", "array")];
const PATHS = [is(0, "object"), is(1, "set", "array"), check.paths(1)];

/** Every builtin of the module that can fail, with what OPA checks, in its order. */
const CHECKS: Readonly<Record<string, readonly check.Check[]>> = {
  plus: NUMBERS,
  minus: [is(0, "number", "set"), check.sameKind],
  mul: NUMBERS,
  div: [...NUMBERS, check.notZero("divide by zero")],
  rem: [...NUMBERS, check.wholeModulo, check.notZero("modulo by zero")],
  abs: NUMBER,
  ceil: NUMBER,
  floor: NUMBER,
  round: NUMBER,
  "bits.and": BITS,
  "bits.lsh": [...BITS, check.notNegative],
  "bits.negate": [whole(0, "integer")],
  "bits.or": BITS,
  "bits.rsh": [...BITS, check.notNegative],
  "bits.xor": BITS,
  and: SETS,
  or: SETS,
  set_diff: SETS,
  intersection: [is(0, "set"), check.sets(0)],
  union: [is(0, "set"), check.sets(0)],
  all: [is(0, "array", "set")],
  any: [is(0, "array", "set")],
  count: [is(0, "array", "object", "set", "string")],
  max: LIST,
  min: LIST,
  product: [...LIST, check.elements(0, "number")],
  sort: LIST,
  sum: [...LIST, check.elements(0, "number")],
  "array.concat": [is(0, "array"), is(1, "array")],
  "array.flatten": ARRAY,
  "array.reverse": ARRAY,
  "array.slice": [is(0, "array"), whole(1, "number"), whole(2, "number")],
  "base64.decode": STRING,
  "base64.encode": STRING,
  "base64url.decode": STRING,
  "base64url.encode": STRING,
  concat: [is(0, "string"), is(1, "set", "array"), check.elements(1, "string")],
  contains: STRINGS,
  endswith: STRINGS,
  format_int: [...NUMBERS, check.base],
  "glob.match": [is(0, "string"), is(1, "array", "null"), check.delimiters, is(2, "string")],
  "graph.reachable": [is(0, "object"), check.roots],
  indexof: STRINGS,
  "internal.template_string": ARRAY,
  "json.filter": PATHS,
  "json.remove": PATHS,
  "json.unmarshal": STRING,
  lower: STRING,
  "net.cidr_contains": [check.cidr(0), check.cidr(1, true)],
  "net.cidr_intersects": [check.cidr(0), check.cidr(1)],
  "net.cidr_overlap": [check.cidr(0), check.cidr(1, true)],
  "numbers.range": BITS,
  "object.filter": KEYS,
  "object.get": [is(0, "object")],
  "object.keys": [is(0, "object")],
  "object.remove": KEYS,
  "object.union": [is(0, "object"), is(1, "object")],
  "object.union_n": [is(0, "array"), check.elements(0, "object")],
  re_match: [...STRINGS, check.pattern(0)],
  "regex.find_all_string_submatch_n": [...STRINGS, whole(2, "number"), check.pattern(0)],
  "regex.match": [...STRINGS, check.pattern(0)],
  replace: [...STRINGS, is(2, "string")],
  split: STRINGS,
  startswith: STRINGS,
  "strings.replace_n": [is(0, "object"), is(1, "string"), check.stringPatterns],
  "strings.reverse": STRING,
  substring: [is(0, "string"), whole(1, "number"), whole(2, "number"), check.offset],
  to_number: [is(0, "null", "boolean", "number", "string"), check.numeral],
  trim: STRINGS,
  trim_left: STRINGS,
  trim_prefix: STRINGS,
  trim_right: STRINGS,
  trim_space: STRING,
  trim_suffix: STRINGS,
  upper: STRING,
};

/** Those that have no value for some operands without that being an error. */
const PARTIAL: ReadonlySet<Value | undefined> = new Set(["max", "min"]);

/** The builtins of the module that can fail, sorted. */
export const FALLIBLE_NATIVES: readonly string[] = Object.keys(CHECKS).sort();

/**
 * `internal.builtin_failed(name, arguments)`: throws OPA's error in the name of that builtin; undefined where OPA has none.
 * SECURITY: where no check finds the reason it is an error all the same, so that what we do not know cannot allow.
 */
export const builtinFailed: Builtin = ([name, operands], { spend }) => {
  const args = isArray(operands) ? operands : [];
  for (const checkOperands of CHECKS[String(name)] ?? []) {
    const words = checkOperands(args, spend);
    if (words !== undefined) throw new BuiltinError(words, String(name));
  }
  if (PARTIAL.has(name)) return undefined;
  throw new BuiltinError("it has no value for these operands", String(name));
};
