// A call costs what it takes: with the budget of one evaluation, no builtin can be made to work for long, neither in one
// call nor in many that look cheap. Steps are counted here, not time, so the figures are the same on every machine.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createBuiltinContext } from "../../../../src/policy/builtin-bridge.ts";
import { BuiltinError, builtinNames, findBuiltin } from "../../../../src/policy/builtins/index.ts";
import { loadPolicy } from "../../../../src/policy/evaluator.ts";
import { PolicyError } from "../../../../src/policy/policy-error.ts";
import { parseValue, RegoNumber, RegoObject, type Value } from "../../../../src/policy/value.ts";
import { exhausted } from "../../../../src/policy/wasm-counter.ts";
import { compileFixtures } from "../../../support/rego.ts";

const BUDGET = 20_000_000;
const number = (text: string | number): RegoNumber => RegoNumber.parse(String(text));
const many = (count: number, make: (index: number) => Value): readonly Value[] =>
  Array.from({ length: count }, (_, index) => make(index));
const json = (value: unknown): Value => parseValue(JSON.stringify(value));

/** How many calls a budget buys; none when the first is not finished. What is charged for operands and results is not counted. */
function callsWithin(name: string, argsOf: (call: number) => readonly Value[]): number {
  const run = findBuiltin(name);
  let left = BUDGET;
  const spend = (steps: number): void => {
    left -= steps;
    if (left < 0) throw exhausted();
  };
  const memory = { nowUnixNs: 0n, memo: new Map(), answers: new Map(), effects: 0, steps: 0 };
  const context = createBuiltinContext(memory, spend);
  for (let calls = 0; ; calls++) {
    try {
      run?.(argsOf(calls), context);
    } catch (error) {
      if (error instanceof PolicyError && error.code === "policy_budget") return calls;
      if (!(error instanceof BuiltinError)) throw error;
    }
  }
}

type Row = readonly [what: string, builtin: string, most: number, argsOf: (call: number) => readonly Value[]];

/** At most so many calls: of what takes a microsecond each, 20,000 would be right. */
const ROWS: readonly Row[] = [
  [
    "a search that reads the rest behind each match",
    "regex.find_n",
    0,
    () => ["a*b|a", "a".repeat(20_000), number(-1)],
  ],
  [
    "one that follows 200 paths",
    "regex.find_n",
    0,
    () => [`${"(x|a?)".repeat(150)}b|q`, "a".repeat(3_000), number(-1)],
  ],
  ["replacing with such a search", "regex.replace", 0, () => ["a".repeat(20_000), "a*b|a", "$0"]],
  ["splitting with such a search", "regex.split", 0, () => ["a*b|a", "a".repeat(20_000)]],
  ["a repetition of a repetition, always another", "regex.split", 12, (call) => [`((a?){30}){30}${call}`, "x"]],
  ["one behind a quoted parenthesis", "regex.split", 30, (call) => [`(a{30}\\Q)\\E){30}${call}`, "x"]],
  ["one behind a class of a parenthesis", "regex.split", 30, (call) => [`(a{30}[)]){30}${call}`, "x"]],
  ["classes of Unicode with their cases", "regex.split", 4, (call) => [`(?i)${"\\pL".repeat(20)}${call}`, "x"]],
  ["a template of expressions", "regex.template_match", 30, (call) => [`${"{.*}".repeat(90)}${call}`, "x", "{", "}"]],
  ["5,001 numbers of 10,000 digits", "numbers.range_step", 0, () => ["0", "1e9999", "2e9996"].map(number)],
  ["exponents as integers", "numbers.range_step", 20, () => ["1e9999", "1e9999", "1"].map(number)],
  [
    "pairs of networks",
    "net.cidr_contains_matches",
    0,
    () => [many(500, () => "fe80::/32"), many(500, () => "fe81::1")],
  ],
  ["all addresses of a network", "net.cidr_expand", 0, () => ["fe80::/112"]],
  ["thousands of networks", "net.cidr_merge", 0, () => [many(6_000, (at) => `10.${at >> 8}.${at & 255}.0/25`)]],
  ["zones", "time.clock", 400, () => [[number(0), "Europe/Berlin"]]],
  [
    "days to add in a zone",
    "time.add_date",
    400,
    () => [[number(0), "Europe/Berlin"], number(1), number(1), number(1)],
  ],
  ["a long duration", "time.parse_duration_ns", 2, () => ["1d".repeat(2_000)]],
  ["an exponent of a unit", "units.parse", 250, () => ["1e-5000m"]],
  ["an exponent of bytes", "units.parse_bytes", 250, () => ["1e-4999"]],
  ["a double far from 1, again and again", "sprintf", 0, () => ["%[1]f".repeat(1_000), [number("5e-324")]]],
  ["a long integer, again and again", "sprintf", 0, () => ["%[1]d".repeat(100), [number("9".repeat(10_000))]]],
  ["paths of a ladder", "graph.reachable_paths", 0, () => [ladder(40), ["0"]]],
  ["elements at the front of a list", "json.patch", 0, () => [many(20_000, number), many(5_000, () => ADD_FIRST)]],
  ["random numbers", "rand.intn", 2_500, (call) => [`${call}`, number(9)]],
  ["tokens", "io.jwt.decode", 1_000, (call) => [`${Buffer.from(`{"a":${call}}`).toString("base64url")}.e30.AA`]],
  ["HMACs of tokens", "io.jwt.verify_hs256", 1_000, (call) => ["e30.e30.AA", `secret ${call}`]],
  ["YAML of many values", "yaml.marshal", 1, () => [many(3_000, number)]],
];
const ADD_FIRST = json({ op: "add", path: "/0", value: 1 });

/** Each node has edges to the next two. */
function ladder(length: number): RegoObject {
  return RegoObject.of(Array.from({ length }, (_, at): [Value, Value] => [`${at}`, [`${at + 1}`, `${at + 2}`]]));
}

describe("a budget buys few calls of what is dear", () => {
  for (const [what, builtin, most, argsOf] of ROWS)
    it(`${builtin}: ${what}`, () => {
      const calls = callsWithin(builtin, argsOf);
      assert.ok(calls <= most, `${calls} calls`);
    });

  it("and at most 10,000 calls of any", () => {
    for (const name of builtinNames) {
      const first: number[] = [];
      const memory = { nowUnixNs: 0n, memo: new Map(), answers: new Map(), effects: 0, steps: 0 };
      const context = createBuiltinContext(memory, (steps) => {
        first.push(steps);
        throw exhausted();
      });
      assert.throws(() => findBuiltin(name)?.([], context), PolicyError, name);
      assert.ok((first[0] ?? 0) >= BUDGET / 10_000, `${name}: ${first[0]}`);
    }
  });
});

describe("what policies do every day is far within the budget", () => {
  const rows: readonly Row[] = [
    ["white space of a text of 1,200 characters", "regex.replace", 20, () => ["hello world ".repeat(100), "\\s+", " "]],
    ["the parts of a path", "regex.split", 200, () => ["/+", "/api/v1/users/42"]],
    [
      "a pattern of a host name, for the first time",
      "regex.find_n",
      20,
      (n) => [`^[a-z]{1,63}\\.[a-z]{2,6}$|${n}`, "a.example", number(1)],
    ],
    [
      "1,000 words in a pattern, for the first time",
      "regex.find_n",
      1,
      (n) => [many(1_000, (at) => `word${at}`).join("|") + n, "x", number(1)],
    ],
    ["a line of text", "sprintf", 1_000, () => ["%s of %d: %v", ["a", number(1), number("2.5")]]],
    ["a network of 4,096 addresses", "net.cidr_expand", 2, () => ["10.0.0.0/20"]],
    ["the difference of two days", "time.diff", 1_000, () => [number(0), number(1e15)]],
  ];
  for (const [what, builtin, least, argsOf] of rows)
    it(`${builtin}: ${what}`, () => {
      const calls = callsWithin(builtin, argsOf);
      assert.ok(calls >= least, `${calls} calls`);
    });
});

it("yaml.marshal of 200,000 line feeds takes linear time", () => {
  const start = process.cpuUsage();
  const text = `${"\n".repeat(200_000)}x`;
  const context = createBuiltinContext(
    { nowUnixNs: 0n, memo: new Map(), answers: new Map(), effects: 0, steps: 0 },
    () => undefined,
  );
  assert.equal(findBuiltin("yaml.marshal")?.([text], context), `|2-\n${"\n".repeat(200_000)}  x\n`);
  assert.ok(process.cpuUsage(start).user < 5_000_000, "by the square it is a minute");
});

it("object.subset of chains compares each level once and answers as before", () => {
  const chain = (end: Value, depth: number): Value => {
    let value = end;
    for (let level = 0; level < depth; level++) value = RegoObject.of([["a", value]]);
    return value;
  };
  const context = createBuiltinContext(
    { nowUnixNs: 0n, memo: new Map(), answers: new Map(), effects: 0, steps: 0 },
    () => undefined,
  );
  const isSubset = (whole: Value, part: Value): Value | undefined =>
    findBuiltin("object.subset")?.([whole, part], context);
  const [small, large] = [json({ z: 1 }), json({ y: 2, z: 1 })];
  assert.equal(isSubset(chain(large, 1_500), chain(small, 1_500)), true);
  assert.equal(isSubset(chain(small, 1_500), chain(large, 1_500)), false);
  for (const [whole, part, want] of [
    [{ a: [] }, { a: [] }, true],
    [{ a: [1, 2, 3] }, { a: [2, 3] }, true],
    [{ a: [1, 2, 3] }, { a: [3, 2] }, false],
    [{ a: 1 }, { a: 1 }, true],
    [{ a: 1 }, { a: "1" }, false],
    [{ a: {} }, { a: [] }, false],
    [{ a: null }, { a: null }, true],
  ])
    assert.equal(isSubset(json(whole), json(part)), want, JSON.stringify([whole, part]));
});

it("a hostile pattern ends its evaluation, and the next one is right", async () => {
  const { policy: wasm } = await compileFixtures({
    policy: {
      rego: "package p\n q := count(regex.find_n(input.pattern, input.text, -1))",
      builtins: ["regex.find_n"],
    },
  });
  const policy = loadPolicy(wasm, {});
  const ask = (pattern: string, text: string): string => policy.evaluate(JSON.stringify({ pattern, text }));
  assert.equal(ask("a*b|a", "aaab"), '[{"result":1}]');
  assert.throws(() => ask("a*b|a", "a".repeat(20_000)), { code: "policy_budget" });
  assert.equal(ask("a*b|a", "aab aa"), '[{"result":3}]');
  assert.throws(() => ask("((a?){100}){10}(b{100}){10}".repeat(8), "x"), { code: "policy_budget" });
  assert.equal(ask("((a?){2}b)+", "abaab"), '[{"result":1}]');
});
