// Calls of builtins for differential runs. Operands come from the recorded calls of that builtin, whole rows or mixed, or from
// anywhere: most calls are plausible, some are not.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../src/base/package-root.ts";
import type { Random } from "./random.ts";

/** The operands of one call, as Rego. */
export type Operands = readonly string[];

/** Longest operand; the longer ones of the vectors try bounds, and cost both sides time. */
const MAX_OPERAND_CHARS = 4_000;

/** What each builtin was called with. */
export function recordedCalls(): ReadonlyMap<string, readonly Operands[]> {
  const folder = join(packageRoot(), "test/vectors/builtins");
  const calls = new Map<string, Operands[]>();
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
    const rows = JSON.parse(readFileSync(join(folder, file), "utf8")) as {
      builtin: string;
      args: string[];
      error?: string;
    }[];
    for (const { builtin, args, error } of rows) {
      // OPA's process panics on some constraints.
      if (builtin === "io.jwt.decode_verify" && error !== undefined) continue;
      if (args.length === 0 || args.some((text) => text.length > MAX_OPERAND_CHARS || !isLiteral(text))) continue;
      calls.set(builtin, [...(calls.get(builtin) ?? []), args]);
    }
  }
  return calls;
}

/** Whether OPA's parser takes the text as it stands: no byte order mark, no lone surrogate. */
const isLiteral = (text: string): boolean => !/\ufeff|\p{Surrogate}|\\u[dD][89a-fA-F]/u.test(text);

/** The number of operands of builtins that OPA's WASM has itself, and what they may be. */
const NATIVE: Readonly<Record<string, readonly (keyof typeof POOLS)[]>> = {
  abs: ["number"],
  "array.concat": ["array", "array"],
  "array.flatten": ["array"],
  "array.reverse": ["array"],
  "array.slice": ["array", "number", "number"],
  "base64.decode": ["encoded"],
  "base64.encode": ["string"],
  "base64.is_valid": ["encoded"],
  "base64url.decode": ["encoded"],
  "base64url.encode": ["string"],
  "bits.and": ["integer", "integer"],
  "bits.lsh": ["integer", "small"],
  "bits.negate": ["integer"],
  "bits.or": ["integer", "integer"],
  "bits.rsh": ["integer", "small"],
  "bits.xor": ["integer", "integer"],
  ceil: ["number"],
  contains: ["string", "string"],
  count: ["any"],
  endswith: ["string", "string"],
  floor: ["number"],
  format_int: ["integer", "base"],
  "glob.match": ["glob", "delimiters", "string"],
  indexof: ["string", "string"],
  intersection: ["sets"],
  is_array: ["any"],
  is_boolean: ["any"],
  is_null: ["any"],
  is_number: ["any"],
  is_object: ["any"],
  is_set: ["any"],
  is_string: ["any"],
  "json.filter": ["object", "paths"],
  "json.is_valid": ["json"],
  "json.marshal": ["scalars"],
  "json.remove": ["object", "paths"],
  "json.unmarshal": ["json"],
  lower: ["string"],
  max: ["collection"],
  min: ["collection"],
  "net.cidr_contains": ["cidr", "cidr"],
  "net.cidr_intersects": ["cidr", "cidr"],
  "numbers.range": ["small", "small"],
  "object.filter": ["object", "keys"],
  "object.get": ["object", "key", "any"],
  "object.keys": ["object"],
  "object.remove": ["object", "keys"],
  "object.union": ["object", "object"],
  "object.union_n": ["objects"],
  product: ["numbers"],
  "regex.find_all_string_submatch_n": ["regex", "string", "count"],
  "regex.is_valid": ["regex"],
  "regex.match": ["regex", "string"],
  replace: ["string", "string", "string"],
  round: ["number"],
  sort: ["collection"],
  split: ["string", "string"],
  startswith: ["string", "string"],
  "strings.replace_n": ["replacements", "string"],
  "strings.reverse": ["string"],
  substring: ["string", "number", "number"],
  sum: ["numbers"],
  to_number: ["numeric"],
  trim: ["string", "string"],
  trim_left: ["string", "string"],
  trim_prefix: ["string", "string"],
  trim_right: ["string", "string"],
  trim_space: ["string"],
  trim_suffix: ["string", "string"],
  type_name: ["any"],
  union: ["sets"],
  upper: ["string"],
};

const POOLS = {
  number: ["0", "1", "-1", "2", "3.5", "-2.5", "10", "1e2", "4294967296", "9007199254740993"],
  small: ["0", "1", "2", "7", "-3", "20"],
  integer: ["0", "1", "-1", "5", "255", "-256", "4294967296", "9223372036854775807", "18446744073709551616"],
  base: ["2", "8", "10", "16", "3"],
  count: ["-1", "0", "1", "2"],
  string: [
    '""',
    '"a"',
    '"abc"',
    '"a/b/c"',
    '"Hello, World"',
    '"  x "',
    '"é日本"',
    '"aaa"',
    '"1"',
    '"a.b.c"',
    '"ÀÉ"',
    '"\\t x\\n"',
  ],
  encoded: ['"aGVsbG8="', '"aGVsbG8"', '"_-8="', '"/+8="', '"YQ=="', '"YQ"', '"!"', '""', '"YWJj\\n"'],
  json: [
    '"1"',
    '"{\\"a\\":[1,2,{\\"b\\":null}]}"',
    '"{"',
    '"[1,]"',
    '"\\"x\\""',
    '"1e2"',
    '" true "',
    '"nul"',
    '""',
    '"{\\"a\\":1,\\"a\\":2}"',
    '"01"',
  ],
  numeric: [
    '"1"',
    '"-1.5"',
    '"1e3"',
    '"abc"',
    '""',
    '" 1"',
    '"0x10"',

    "true",
    "false",
    "null",
    "12",
    '"inf"',
  ],
  regex: [
    '"a+"',
    '"^[a-z]+$"',
    '"(a)(b)?"',
    '"["',
    '"(?i)HELLO"',
    '"\\\\d+"',
    '""',
    '"a|b|"',
    '"\\\\bx\\\\b"',
    '"."',
    '"(?P<n>.)"',
  ],
  glob: ['"*"', '"a/*"', '"**"', '"{a,b}*"', '"[a-c]"', '"*.b.*"', '"?"', '"a/**/c"', '"[!a]*"', '"{"', '""'],
  delimiters: ["[]", '["/"]', '["."]', "null", '[".", ":"]'],
  cidr: ['"10.0.0.0/8"', '"10.1.2.3"', '"10.1.0.0/16"', '"::1"', '"fe80::/10"', '"x"', '"1.2.3.4/33"', '"0.0.0.0/0"'],
  array: ["[]", "[1, 2, 3]", '["a", [1, [2]], {"b": 1}]', "[null, true]", "[{1, 2}, set()]"],
  object: [
    "{}",
    '{"a": 1}',
    '{"a": {"b": [1, {"c": 2}]}, "d": null}',
    "{1: 2, [1]: {3}}",
    '{"a": {"x": 1, "y": 2}, "b": [10, 20]}',
  ],
  objects: ["[]", '[{"a": 1}, {"a": {"b": 2}}, {"c": 3}]', '[{"a": {"b": 1}}, {"a": {"c": 2}}]'],
  keys: ["[]", '["a"]', '{"a", "d"}', '{"a": 1}', "[1, [1]]"],
  key: ['"a"', '"missing"', "1", '["a", "b"]', '["a", "b", 1, "c"]', "[]"],
  paths: [
    '["a"]',
    '["a/b"]',
    '["a/b/0", "d"]',
    '[["a", "b", 1]]',
    '{"a/x", "b/1"}',
    '["/a/b"]',
    "[]",
    '["~0~1"]',
    '["a", "a/b"]',
  ],
  sets: ["set()", "{{1, 2}, {2, 3}}", "{{1}, set()}", '{{"a"}, {"a", "b"}}'],
  collection: ["[]", "set()", "[3, 1, 2]", '{"b", "a"}', '[1, "a", null, [1], {"x": 1}, {2}, true]', "{1.5, -1, 2}"],
  numbers: ["[]", "[1, 2, 3]", "{4, 5}", "[1.5, 2.5]", '[1, "a"]', "[9007199254740993, 1]"],
  replacements: ["{}", '{"a": "b"}', '{"a": "b", "b": "c"}', '{"": "x"}', '{"l": "1", "o": "0"}'],
  scalars: ["1", '"a<b>"', "null", "true", '[1, "x"]', '{"a": 1}', "1.50", '"\\u2028"', '"é"'],
  any: ["null", "true", "1", '"a"', "[1]", "{1}", "set()", '{"a": 1}', "{}", "[]", '""', "0"],
} as const;

/** Names of builtins whose answers can be compared. */
export const comparableBuiltins = (calls: ReadonlyMap<string, readonly Operands[]>): readonly string[] =>
  [...new Set([...Object.keys(NATIVE), ...calls.keys()])].filter((name) => !EXCLUDED.has(name)).sort();

/** Random, of the moment, or of Rego v0 alone. */
const EXCLUDED: ReadonlySet<string> = new Set([
  // A signature of an elliptic curve has a random part.
  "io.jwt.encode_sign",
  "io.jwt.encode_sign_raw",
  "rand.intn",
  "uuid.rfc4122",
  "time.now_ns",
  "opa.runtime",
  "cast_array",
  "cast_boolean",
  "cast_null",
  "cast_object",
  "cast_set",
  "cast_string",
]);

/** What has whole recorded rows only: on some others OPA's process panics, or never ends. See docs/builtins.md. */
const WHOLE: ReadonlySet<string> = new Set([
  "graph.reachable_paths",
  "io.jwt.decode",
  "io.jwt.decode_verify",
  "json.patch",
  "net.cidr_expand",
  "numbers.range_step",
  "semver.compare",
  "sprintf",
]);

/** Operands for a call of the builtin. */
export function randomOperands(
  random: Random,
  name: string,
  calls: ReadonlyMap<string, readonly Operands[]>,
): Operands {
  const recorded = calls.get(name);
  const pools = NATIVE[name];
  const row = (): Operands =>
    recorded === undefined ? (pools ?? []).map((pool) => random.pick<string>(POOLS[pool])) : random.pick(recorded);
  const first = row();
  const second = row();
  if (WHOLE.has(name)) return first;
  return first.map((text, at) => {
    if (random.chance(4)) return random.pick<string>(POOLS.any);
    return random.chance(15) ? (second[at] ?? text) : text;
  });
}
