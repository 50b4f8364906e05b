import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  compareValues,
  MAX_VALUE_DEPTH,
  parseValue,
  printValue,
  RegoNumber,
  RegoObject,
  RegoSet,
  toJson,
  toWellFormed,
  ValueSyntaxError,
} from "../../../src/policy/value.ts";

describe("OPA's order", () => {
  // Each value is less than the next one; OPA v1/ast/compare.go.
  const ascending = [
    "null",
    "false",
    "true",
    "-1e400",
    "-9007199254740993",
    "-9007199254740992",
    "-0.5",
    "0",
    "1e-400",
    "0.1",
    "9007199254740992",
    "9007199254740993",
    "1e400",
    "1.1e400",
    '""',
    '"A"',
    '"a"',
    '"aa"',
    '"b"',
    '"\ud7ff"',
    '"\ue000"',
    '"\uffff"',
    '"\u{10000}"',
    '"\u{10ffff}"',
    "[]",
    "[1]",
    "[1, 1]",
    "[2]",
    "{}",
    '{"a": 1}',
    '{"a": 1, "b": 1}',
    '{"a": 2}',
    '{"b": 0}',
    "set()",
    "{1}",
    "{1, 2}",
    "{2}",
  ];

  it("is total: every pair of different values is ordered, both ways round", () => {
    for (const [i, a] of ascending.entries())
      for (const [j, b] of ascending.entries()) {
        const order = Math.sign(compareValues(parseValue(a), parseValue(b)));
        assert.equal(order, Math.sign(i - j), `${a} and ${b}`);
      }
  });

  it("orders strings as their UTF-8 bytes, not as UTF-16 units", () => {
    const strings = ["\u{10000}", "\uffff", "\ue000", "a\u{10ffff}", "a\uf000", "é", "z"];
    const byBytes = [...strings].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    assert.deepEqual([...strings].sort(compareValues), byBytes);
  });

  for (const [a, b] of [
    ["1", "1.0"],
    ["1e3", "1000"],
    ["10e-1", "1"],
    ["-0", "0"],
    ["0e99", "0.000"],
    ["123456789012345678901234567890", "1.2345678901234567890123456789e29"],
    ["{1, 1.0, 2}", "{2, 1}"],
    ['{"b": 1, "a": 2}', '{"a": 2, "b": 1.0}'],
  ] as const)
    it(`${a} equals ${b}`, () => assert.equal(compareValues(parseValue(a), parseValue(b)), 0));
});

describe("numbers", () => {
  for (const [text, want] of [
    ["0", 0n],
    ["-0", 0n],
    ["1.0", 1n],
    ["1e3", 1000n],
    ["1.5e1", 15n],
    ["-12.50e1", -125n],
    ["9007199254740993", 9007199254740993n],
    ["1e9999", 10n ** 9999n],
    ["1.5", undefined],
    ["1e-1", undefined],
    ["1e10001", undefined],
    ["1e999999999999", undefined],
  ] as const)
    it(`${text} as an integer is ${String(want).slice(0, 20)}`, () =>
      assert.equal(RegoNumber.parse(text).toBigInt(), want));

  for (const [text, canonical] of [
    [".5", "0.5"],
    ["1.", "1"],
    ["+7", "7"],
    ["-007", "-7"],
    ["-.5e+3", "-0.5e+3"],
    ["1.50", "1.50"],
    ["1E3", "1E3"],
  ] as const)
    it(`reads ${text} as ${canonical}`, () => assert.equal(RegoNumber.parse(text).text, canonical));

  for (const text of ["", ".", "-", "+", "e5", "1e", "0x10", "1_000", "NaN", "Infinity", " 1", "1 ", "--1", "1..2"])
    it(`rejects: \`${text}\``, () => assert.throws(() => RegoNumber.parse(text), ValueSyntaxError));

  it("takes JavaScript's numbers and bigints, but nothing that is no number", () => {
    assert.equal(RegoNumber.of(1.5).text, "1.5");
    assert.equal(RegoNumber.of(-0).text, "0");
    assert.equal(RegoNumber.of(2n ** 64n).text, "18446744073709551616");
    assert.throws(() => RegoNumber.of(Number.NaN), RangeError);
    assert.throws(() => RegoNumber.of(Number.POSITIVE_INFINITY), RangeError);
  });
});

describe("sets and objects", () => {
  it("a set has each value once, by value and not by text", () => {
    const set = RegoSet.of(["b", RegoNumber.parse("1"), "a", RegoNumber.parse("1.0"), "b"]);
    assert.equal(printValue(set), '{1.0, "a", "b"}');
    assert.ok(set.has(RegoNumber.parse("10e-1")));
    assert.ok(!set.has("c"));
  });

  it("an object has each key once, and the last entry stands", () => {
    const object = RegoObject.of([
      ["a", "first"],
      [RegoNumber.of(1), null],
      ["a", "second"],
    ]);
    assert.equal(printValue(object), '{1: null, "a": "second"}');
    assert.equal(object.get("a"), "second");
    assert.equal(object.get(RegoNumber.parse("1.0")), null);
    assert.equal(object.get("b"), undefined);
  });
});

describe("value text", () => {
  for (const text of [
    "null",
    "true",
    "-1.50e+3",
    '"a\\n\\u0000\\"\\\\é\u{1f600}"',
    "[]",
    "[null, [false], {}]",
    "{}",
    "set()",
    "{set()}",
    '{1: {2}, "k": {"k": set()}, [1]: {1: 2}, {1}: {"a"}}',
  ])
    it(`prints what it read: ${text}`, () => assert.equal(printValue(parseValue(text)), text));

  it("takes JSON's white space anywhere, and set( ) with it", () => {
    assert.equal(printValue(parseValue(' \t\r\n{ "a" : [ 1 , 2 ] , "b" : set( ) } ')), '{"a": [1, 2], "b": set()}');
  });

  for (const text of [
    "",
    " ",
    "nul",
    "truex",
    "[1",
    "[1,]",
    "[,1]",
    "{,}",
    '{"a":}',
    '{"a" 1}',
    '{"a":1,}',
    '{"a":1,2}',
    "{1,}",
    "{1,2:3}",
    "set(",
    "set(1)",
    '"',
    '"a',
    '"\\x"',
    '"\\u12"',
    '"\n"',
    "1 2",
    "[]]",
    "'a'",
    "undefined",
    "\u00a01",
  ])
    it(`rejects: ${JSON.stringify(text)}`, () => assert.throws(() => parseValue(text), ValueSyntaxError));

  it("follows nesting to its limit and refuses one level more", () => {
    const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
    const deepest = parseValue(nested(MAX_VALUE_DEPTH));
    assert.equal(toJson(deepest).length, 2 * MAX_VALUE_DEPTH);
    assert.equal(printValue(deepest).length, 2 * MAX_VALUE_DEPTH);
    assert.equal(compareValues(deepest, parseValue(nested(MAX_VALUE_DEPTH))), 0);
    for (const text of [nested(MAX_VALUE_DEPTH + 2), "[".repeat(1_000_000), '{"a":'.repeat(1_000_000)])
      assert.throws(() => parseValue(text), ValueSyntaxError);
  });

  it("replaces lone surrogates, and only those", () => {
    assert.equal(toWellFormed("\ud800a\udc00\u{1f600}"), "\ufffda\ufffd\u{1f600}");
    assert.equal(parseValue('"\\ud83d\\ude00 \\ud800 \udfff"'), "\u{1f600} \ufffd \ufffd");
    assert.equal(printValue("\ud800"), '"\ufffd"');
    assert.equal(toJson(RegoObject.of([["\udfff", "\ud800"]])), '{"\\ufffd":"\\ufffd"}');
  });
});

describe("JSON", () => {
  for (const [text, json] of [
    ["{3, 1, 2}", "[1,2,3]"],
    ["set()", "[]"],
    ['{"b": 1.0, "a": {true, null}}', '{"a":[null,true],"b":1.0}'],
    ["[1e400, 9007199254740993, -0.10]", "[1e400,9007199254740993,-0.10]"],
    ['{1: "n", true: "b", null: 0}', '{"1":"n","null":0,"true":"b"}'],
    ['{["a"]: 1}', '{"[\\"a\\"]":1}'],
    ['{{"b", "a"}: 1}', '{"[\\"a\\",\\"b\\"]":1}'],
    ['{["<&>"]: 1}', '{"[\\"\\\\u003c\\\\u0026\\\\u003e\\"]":1}'],
    ['{1: "number", "1": "string"}', '{"1":"string"}'],
  ] as const)
    it(`${text} is ${json}`, () => assert.equal(toJson(parseValue(text)), json));
});
