// No argument may make a builtin allocate or compute without bound: each of these is refused at once, as a BuiltinError.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BuiltinError, findBuiltin } from "../../../../src/policy/builtins/index.ts";
import { RegoNumber, RegoObject, RegoSet, type Value } from "../../../../src/policy/value.ts";
import { builtinContextAt } from "../../../support/builtin-context.ts";

const call = (name: string, ...args: Value[]): Value | undefined =>
  findBuiltin(name)?.(args, builtinContextAt(1_700_000_000_000_000_000n));

const number = (value: number | bigint): RegoNumber => RegoNumber.of(value);

const REFUSED: readonly (readonly [what: string, builtin: string, ...args: Value[]])[] = [
  ["a field of five million spaces", "sprintf", "%1000000d".repeat(5), [1, 1, 1, 1, 1].map(number)],
  ["one argument padded again and again", "sprintf", "%1000000[1]d".repeat(5), [number(1)]],
  ["extra arguments beyond the limit", "sprintf", "", ["x".repeat(5_000_000)]],
  ["an integer of 20,000 digits", "sprintf", "%b", [RegoNumber.parse("9".repeat(20_000))]],
  ["the address of a big integer", "sprintf", "%p", [number(2n ** 70n)]],
  ["all of IPv4", "net.cidr_expand", "0.0.0.0/0"],
  ["all of IPv6", "net.cidr_expand", "::/0"],
  ["one address more than the limit allows", "net.cidr_expand", "10.0.0.0/15"],
  ["four million pairs", "net.cidr_contains_matches", many("10.0.0.0/8", 2_000), many("10.0.0.1", 2_000)],
  ["a range of a thousand million", "numbers.range_step", number(0), number(1_000_000_000), number(1)],
  ["a range of 2^200", "numbers.range_step", number(0), number(2n ** 200n), number(1)],
  ["one number more than the limit allows", "numbers.range_step", number(0), number(65_536), number(1)],
  ["text times template", "regex.replace", "a".repeat(3_000), "a", "b".repeat(3_000)],
  ["text times groups that stand for nothing", "regex.replace", "a".repeat(20_000), "a()", "$1".repeat(20_000)],
  ["a nested token among half a million quotes", "io.jwt.decode", `${nestedHeader()}.${quotes(500_000)}.AA`],
  ["a pattern of 20,000 characters", "regex.find_n", "a".repeat(20_000), "a", number(-1)],
  ["repetition of repetition", "regex.find_n", "((a{100}){100}){100}", "a", number(-1)],
  ["a layout of 100,000 characters", "time.format", [number(0), "UTC", "2006".repeat(25_000)]],
  ["a time of 100,000 characters", "time.parse_ns", "2006", "2".repeat(100_000)],
  ["a duration of 10,000 characters", "time.parse_duration_ns", "1s".repeat(5_000)],
  ["a change of 10^15 years", "time.add_date", number(0), number(10n ** 15n), number(0), number(0)],
  ["an exponent of a million", "units.parse", "1e1000000"],
  ["a version of 10,000 characters", "semver.compare", `1.0.0-${"a".repeat(10_000)}`, "1.0.0"],
  ["a graph with 2^30 paths", "graph.reachable_paths", ladder(30), ["0"]],
  ["10,001 parameters", "urlquery.decode_object", "a&".repeat(10_001)],
  ["a token of two million characters", "io.jwt.decode", `${"a".repeat(2_000_000)}.e30.AA`],
  ["JSON nested a hundred thousand deep", "io.jwt.decode", `${deepObject()}.e30.AA`],
  ["a JWKS of 1,001 keys", "io.jwt.verify_rs256", "e30.e30.AA", JSON.stringify({ keys: new Array(1_001).fill({}) })],
  ["a key text of two million characters", "io.jwt.verify_rs256", "e30.e30.AA", " ".repeat(2_000_000)],
  ["a document that doubles with every copy", "json.patch", RegoObject.of([["a", "x"]]), copies(40, (at) => `/${at}`)],
  [
    "a document that deepens by half with every copy",
    "json.patch",
    RegoObject.of([]),
    copies(20, (at) => "/a".repeat(2 ** at)),
  ],
  [
    "an indentation of a million",
    "json.marshal_with_options",
    [[[["x"]]]],
    RegoObject.of([["indent", " ".repeat(1_000_000)]]),
  ],
  [
    "a prefix times lines",
    "json.marshal_with_options",
    many("a", 5_000),
    RegoObject.of([["prefix", "x".repeat(1_000)]]),
  ],
  ["globs of 1,001 tokens", "regex.globs_match", "a".repeat(1_001), "a"],
  ["globs with too many pairs", "regex.globs_match", `${"[ab]*a".repeat(240)}c.*`, `${"[ab]*a".repeat(240)}d.*`],
  ["a template of 101 expressions", "regex.template_match", "<a>".repeat(101), "a", "<", ">"],
  ["YAML with a bomb of aliases", "yaml.unmarshal", bomb(9)],
  ["YAML whose aliases repeat long text", "yaml.unmarshal", `- &a ${"x".repeat(60_000)}\n- [${"*a,".repeat(100)}]`],
  ["YAML nested 20,000 deep in brackets", "yaml.unmarshal", "[".repeat(20_000)],
  ["YAML nested 20,000 deep in markers", "yaml.unmarshal", `${"- ".repeat(20_000)}a`],
  ["YAML nested 3,000 deep", "yaml.unmarshal", `${"[".repeat(3_000)}${"]".repeat(3_000)}`],
];

/** Copies of the whole document into itself. */
function copies(count: number, path: (at: number) => string): Value {
  return Array.from({ length: count }, (_, at) =>
    RegoObject.of([
      ["op", "copy"],
      ["from", ""],
      ["path", path(at)],
    ]),
  );
}

/** Ten times as many elements with every line. */
function bomb(lines: number): string {
  const line = (at: number): string =>
    `x${at}: &x${at} [${new Array(10).fill(at === 0 ? "x" : `*x${at - 1}`).join(", ")}]`;
  return Array.from({ length: lines }, (_, at) => line(at)).join("\n");
}

/** Each rung leads to both sides of the next: the paths double with every rung. */
function ladder(rungs: number): Value {
  const entries = Array.from({ length: rungs * 2 }, (_, at): readonly [Value, Value] => {
    const next = (Math.floor(at / 2) + 1) * 2;
    return [`${at}`, [`${next}`, `${next + 1}`]];
  });
  return RegoObject.of(entries);
}

function many(text: string, count: number): Value {
  return new Array<Value>(count).fill(text);
}

function nestedHeader(): string {
  return Buffer.from('{"cty":"JWT"}').toString("base64url");
}

function quotes(count: number): string {
  return Buffer.from(`x${'"'.repeat(count)}x`).toString("base64url");
}

function deepObject(): string {
  return Buffer.from(`${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`).toString("base64url");
}

/** Generous: the slowest of them takes 50 ms on a slow machine, and unbounded they would take minutes. */
const TOO_LONG_MS = 2_000;

describe("bounds", () => {
  for (const [what, builtin, ...args] of REFUSED) {
    it(`${builtin} refuses ${what}`, () => {
      const start = performance.now();
      assert.throws(() => call(builtin, ...args), BuiltinError);
      assert.ok(performance.now() - start < TOO_LONG_MS);
    });
  }

  const FAST: readonly (readonly [what: string, builtin: string, ...args: Value[]])[] = [
    [
      "a pattern that makes backtracking engines explode",
      "regex.find_n",
      "(a+)+$",
      `${"a".repeat(20_000)}b`,
      number(-1),
    ],
    ["a long name of no group", "regex.replace", "a".repeat(20_000), "a", `\${${"b".repeat(20_000)}}`],
    ["nested stars", "regex.split", "((((a*)*)*)*)*b", "a".repeat(20_000)],
    ["a needle that almost matches everywhere", "strings.count", "a".repeat(500_000), `${"a".repeat(250_000)}b`],
    ["overlapping finds", "indexof_n", "a".repeat(60_000), "a".repeat(30_000)],
    [
      "a run that almost matches everywhere",
      "object.subset",
      many("a", 20_000),
      [...(many("a", 10_000) as Value[]), "b"],
    ],
    [
      "prefixes of many strings",
      "strings.any_prefix_match",
      RegoSet.of(distinct(20_000)),
      RegoSet.of(distinct(20_000)),
    ],
    [
      "numbers beyond 64 bits in pre-releases",
      "semver.compare",
      "1.0.0-9223372036854775808",
      "1.0.0-9223372036854775809",
    ],
    ["250,000 pairs of IPv6 networks", "net.cidr_contains_matches", many("::/1", 500), many("8000::/2", 500)],
    ["two thousand networks that join", "net.cidr_merge", neighbours(2_000)],
    ["digits that might be those of a power", "host.json.unmarshal", `[1e1,${"1".repeat(200_000)}]`],
    ["thirty thousand objects", "host.object.union_n", distinct(30_000).map((key) => RegoObject.of([[key, true]]))],
  ];
  for (const [what, builtin, ...args] of FAST) {
    it(`${builtin} stays fast on ${what}`, () => {
      const start = performance.now();
      assert.notEqual(call(builtin, ...args), undefined);
      assert.ok(performance.now() - start < TOO_LONG_MS);
    });
  }
});

function distinct(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `/path/${at}`);
}

function neighbours(count: number): Value {
  return Array.from({ length: count }, (_, at) => `10.${at >> 8}.${at & 255}.0/24`);
}
