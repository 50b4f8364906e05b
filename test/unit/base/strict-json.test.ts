import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseJsonObject, type StrictJsonCode } from "../../../src/base/strict-json.ts";

const read = (source: string | Uint8Array, options = {}) => {
  const parsed = parseJsonObject(source, options);
  return parsed.ok ? Object.fromEntries(parsed.value) : parsed.code;
};

/** `[` or `{"a":` so often, closed again. */
const nested = (depth: number, isObject: boolean): string =>
  `{"a":${(isObject ? '{"a":' : "[").repeat(depth - 1)}0${(isObject ? "}" : "]").repeat(depth - 1)}}`;

describe("parseJsonObject reads what every reader reads alike", () => {
  const accepted: readonly (readonly [text: string, want: unknown])[] = [
    ["{}", {}],
    [' \t\r\n{ "a" : [ ] , "b":{ } } \n', { a: [], b: {} }],
    ['{"a":null,"b":true,"c":false,"d":"x"}', { a: null, b: true, c: false, d: "x" }],
    ['{"a":[1,-2,0.5,1e3,1E-3,-0.0,12.50]}', { a: [1, -2, 0.5, 1000, 0.001, -0, 12.5] }],
    ['{"a":9007199254740991,"b":-9007199254740991}', { a: 9007199254740991, b: -9007199254740991 }],
    ['{"a":9007199254740992,"b":0.30000000000000004,"c":1e300}', { a: 2 ** 53, b: 0.1 + 0.2, c: 1e300 }],
    ['{"\\u0073ub":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00"}', { sub: '"\\/\b\f\n\r\té😀' }],
    ['{"é":"😀","":"\u007f\u2028"}', { é: "😀", "": "\u007f\u2028" }],
    ['{"a":{"a":{"a":1}},"A":2}', { a: { a: { a: 1 } }, A: 2 }],
    ['{"a":1,"\\u0000":2}', { a: 1, "\u0000": 2 }],
    [nested(32, true), JSON.parse(nested(32, true))],
    [nested(32, false), JSON.parse(nested(32, false))],
  ];
  for (const [text, want] of accepted) {
    it(`accepts ${text.slice(0, 60)}`, () => {
      assert.deepEqual(read(text), want);
      assert.deepEqual(read(Buffer.from(text)), want);
    });
  }

  it("keeps members in their order, and `__proto__` as a member", () => {
    const parsed = parseJsonObject('{"b":1,"2":1,"a":{"__proto__":{"x":1}},"1":1,"__proto__":2}');
    assert.ok(parsed.ok);
    assert.deepEqual([...parsed.value.keys()], ["b", "2", "a", "1", "__proto__"]);
    const inner = parsed.value.get("a") as Record<string, unknown>;
    assert.equal(Object.getPrototypeOf(inner), Object.prototype);
    assert.deepEqual(Object.keys(inner), ["__proto__"]);
    assert.equal(inner["x"], undefined);
  });

  it("gives integers beyond 2^53 as bigint where asked, up to 40 characters", () => {
    const options = { bigIntegers: true };
    assert.deepEqual(read('{"a":18446744073709551615,"b":9007199254740992,"c":7,"d":1.5}', options), {
      a: 18446744073709551615n,
      b: 9007199254740992n,
      c: 7,
      d: 1.5,
    });
    assert.deepEqual(read(`{"a":${"9".repeat(40)}}`, options), { a: BigInt("9".repeat(40)) });
    assert.equal(read(`{"a":${"9".repeat(41)}}`, options), "number");
  });
});

describe("parseJsonObject refuses", () => {
  const refused: readonly (readonly [what: string, text: string | Uint8Array, code: StrictJsonCode])[] = [
    ["nothing", "", "json"],
    ["an array", "[]", "json"],
    ["a string", '"a"', "json"],
    ["null", "null", "json"],
    ["two documents", "{}{}", "json"],
    ["text after it", "{} x", "json"],
    ["a byte order mark", "\ufeff{}", "json"],
    ["a byte order mark in bytes", Buffer.from("\ufeff{}"), "json"],
    ["a no-break space", "\u00a0{}", "json"],
    ["an open object", '{"a":1', "json"],
    ["a trailing comma", '{"a":1,}', "json"],
    ["a trailing comma in an array", '{"a":[1,]}', "json"],
    ["a missing value", '{"a":}', "json"],
    ["a missing colon", '{"a" 1}', "json"],
    ["a bare name", "{a:1}", "json"],
    ["single quotes", "{'a':1}", "json"],
    ["a comment", "{/**/}", "json"],
    ["a number as a name", "{1:1}", "json"],
    ["a leading zero", '{"a":01}', "json"],
    ["a plus sign", '{"a":+1}', "json"],
    ["a bare fraction", '{"a":.5}', "json"],
    ["an open fraction", '{"a":1.}', "json"],
    ["an open exponent", '{"a":1e}', "json"],
    ["hexadecimal", '{"a":0x1}', "json"],
    ["NaN", '{"a":NaN}', "json"],
    ["Infinity", '{"a":-Infinity}', "json"],
    ["undefined", '{"a":undefined}', "json"],
    ["a word cut off", '{"a":tru}', "json"],
    ["a word with a tail", '{"a":truex}', "json"],
    ["an open string", '{"a":"x', "json"],
    ["an open escape", '{"a":"\\', "json"],
    ["an unknown escape", '{"a":"\\x41"}', "json"],
    ["a short escape", '{"a":"\\u12"}', "json"],
    ["a line break in a string", '{"a":"\n"}', "json"],
    ["an escaped line break", '{"a":"\\\n"}', "json"],
    ["a NUL in a string", '{"a":"\0"}', "json"],
    ["half a surrogate pair, escaped", '{"a":"\\ud800"}', "json"],
    ["half a surrogate pair", '{"a":"\ud800"}', "json"],
    ["half a surrogate pair in a name", '{"\\udc00":1}', "json"],
    ["bytes that are no UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), "not_utf8"],
    ["an overlong encoding", Buffer.from([0x7b, 0x22, 0xc0, 0xa2, 0x22, 0x3a, 0x31, 0x7d]), "not_utf8"],
    ["a name twice", '{"a":1,"b":2,"a":1}', "duplicate_key"],
    ["a name twice, once escaped", '{"sub":1,"\\u0073ub":2}', "duplicate_key"],
    ["a name twice below", '{"a":[{"b":1,"b":2}]}', "duplicate_key"],
    ["`__proto__` twice", '{"__proto__":1,"__proto__":2}', "duplicate_key"],
    ["33 objects", nested(33, true), "too_deep"],
    ["33 arrays", nested(33, false), "too_deep"],
    ["an endless depth", `{"a":${"[".repeat(1_000_000)}`, "too_deep"],
    ["2^53 + 1", '{"a":9007199254740993}', "number"],
    ["2^53 + 1 with a fraction", '{"a":9007199254740993.0}', "number"],
    ["more digits than fit", '{"a":0.12345678901234567890}', "number"],
    ["a number too large", '{"a":1e309}', "number"],
    ["a number too small", '{"a":1e-400}', "number"],
    ["a million digits", `{"a":${"9".repeat(1_000_000)}}`, "number"],
    ["a million zeros before another digit, at once", `{"a":1.${"0".repeat(1_000_000)}1}`, "number"],
  ];
  for (const [what, text, code] of refused) it(what, () => assert.equal(read(text), code));

  it("every byte that JSON does not allow outside of strings", () => {
    for (let byte = 0; byte < 256; byte++) {
      const text = Buffer.from([0x7b, byte, 0x7d]);
      assert.equal(typeof read(text) === "object", [0x20, 0x09, 0x0a, 0x0d].includes(byte), `0x${byte.toString(16)}`);
    }
  });
});

describe("parseJsonObject and JSON.parse", () => {
  const SETTINGS = { seed: 20260101, numRuns: 500 };

  it("agree on what JSON.stringify writes", () => {
    const objects = fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue({ maxDepth: 4 }));
    fc.assert(
      fc.property(objects, (object) => {
        const text = JSON.stringify(object);
        assert.deepEqual(read(text), JSON.parse(text));
      }),
      SETTINGS,
    );
  });

  it("never disagree on a text that both read, and nothing throws", () => {
    const pieces = [
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"a"',
      '"b"',
      "1",
      "-0.5e2",
      "true",
      "null",
      " ",
      "\\",
      '"',
      "\u0000",
    ];
    const texts = fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((parts) => `{"a":${parts.join("")}`);
    fc.assert(
      fc.property(fc.oneof(texts, fc.string({ unit: "binary" })), (text) => {
        const got = read(text);
        if (typeof got === "object") assert.deepEqual(got, JSON.parse(text));
      }),
      { ...SETTINGS, numRuns: 5_000 },
    );
  });
});
