import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findJsonFault, replaceLoneSurrogates } from "../../../src/policy/json-text.ts";

describe("findJsonFault", () => {
  for (const text of ["0", "-0.5e+10", '""', "null", "true", "false", "[]", "{}", ' {"a" : [1, {"b": []}, "c"]} \n'])
    it(`accepts: ${text}`, () => assert.equal(findJsonFault(text, 10), undefined));

  // The offset is where reading stopped.
  for (const [text, at] of [
    ["", 0],
    ["  ", 2],
    ["{} {}", 3],
    ['{"a":1}x', 7],
    ["[1,]", 3],
    ["[1 2]", 3],
    ['{"a":1,}', 7],
    ['{"a" 1}', 5],
    ["{a:1}", 1],
    ["[}", 1],
    ["[1}", 2],
    ["01", 1],
    ["+1", 0],
    ["1.", 1],
    [".5", 0],
    ["1e", 1],
    ["NaN", 0],
    ["nulL", 0],
    ['"\t"', 1],
    ['"\\x"', 2],
    ['"\\u12g4"', 2],
    ['"abc', 4],
    ["'a'", 0],
    ["{1, 2}", 1],
    ["set()", 0],
    ["\ufeff{}", 0],
  ] as const)
    it(`rejects: ${JSON.stringify(text)}`, () => assert.deepEqual(findJsonFault(text, 10), { kind: "invalid", at }));

  it("counts every open array and object, and reads hostile nesting without recursion", () => {
    assert.equal(findJsonFault("[[], [1]]", 2), undefined);
    assert.deepEqual(findJsonFault("[[[1]]]", 2), { kind: "too_deep", at: 2 });
    assert.deepEqual(findJsonFault('{"a":{"b":{"c":1}}}', 2), { kind: "too_deep", at: 10 });
    assert.deepEqual(findJsonFault("[".repeat(1_000_000), 10_000), { kind: "too_deep", at: 10_000 });
  });

  it("reads every control character as invalid within a string", () => {
    for (let code = 0; code < 0x20; code++)
      assert.equal(findJsonFault(`"${String.fromCharCode(code)}"`, 1)?.kind, "invalid", `0x${code.toString(16)}`);
  });
});

describe("replaceLoneSurrogates", () => {
  for (const [text, want] of [
    ['"\\ud83d\\ude00"', '"\\ud83d\\ude00"'],
    ['"\\ud800"', '"\\ufffd"'],
    ['"\\uDC00"', '"\\ufffd"'],
    ['"\\ud800\\ud83d\\ude00"', '"\\ufffd\\ud83d\\ude00"'],
    ['"\\ud800\\u0041"', '"\\ufffd\\u0041"'],
    ['"\\\\ud800"', '"\\\\ud800"'],
    ['"\\\\\\ud800"', '"\\\\\\ufffd"'],
    ['{"\\udfff":"\\n\\u00e9"}', '{"\\ufffd":"\\n\\u00e9"}'],
    ['"plain"', '"plain"'],
  ] as const)
    it(`${text} becomes ${want}`, () => assert.equal(replaceLoneSurrogates(text), want));
});
