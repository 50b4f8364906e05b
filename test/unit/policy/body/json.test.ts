import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJsonBody } from "../../../../src/policy/body/json.ts";

const parse = (text: string) => parseJsonBody(Buffer.from(text));

test("hands valid JSON on as it was written", () => {
  const texts = [
    ...["0", "-0", "1.0", "1e400", "12345678901234567890", "-1.5E+7", "true", "false", "null", '""', "[]", "{}"],
    ...[
      '"\\u0041\\/\\b\\f\\n\\r\\t\\"\\\\"',
      '{"a":1,"a":2}',
      '[1 , {"é":[ ]}\n]',
      '"\\ud83d\\ude00 \\\\ud800"',
      '"\u007f\u2028"',
    ],
  ];
  for (const text of texts) {
    assert.deepEqual(parse(text), { ok: true, value: text });
    assert.deepEqual(parse(` \t\r\n${text}\n `), { ok: true, value: text });
  }
});

test("replaces lone surrogates and bytes that are not UTF-8", () => {
  const rows: readonly [Buffer | string, string][] = [
    ['"\\ud800"', '"\\ufffd"'],
    ['"\\uDC00x"', '"\\ufffdx"'],
    ['"\\uD83DuDE00"', '"\\ufffduDE00"'],
    ['"\\ud800\\ud800\\udc00"', '"\\ufffd\\ud800\\udc00"'],
    ['{"\\udbff":"\\\\ud800"}', '{"\\ufffd":"\\\\ud800"}'],
    [Buffer.from([0x22, 0xff, 0xe2, 0x82, 0x22]), '"\ufffd\ufffd\ufffd"'],
  ];
  for (const [json, want] of rows)
    assert.deepEqual(parseJsonBody(Buffer.from(json as string)), { ok: true, value: want });
});

test("refuses what Go's decoder refuses, with its sentence", () => {
  const rows: readonly [string, string][] = [
    ["", "EOF"],
    [" \n", "EOF"],
    ["{", "unexpected EOF"],
    ['"a', "unexpected EOF"],
    ["-", "unexpected EOF"],
    ["tru", "unexpected EOF"],
    ["\ufeff1", "invalid character 'ï' looking for beginning of value"],
    ["x", "invalid character 'x' looking for beginning of value"],
    ["'a'", "invalid character '\\'' looking for beginning of value"],
    ["[1,]", "invalid character ']' looking for beginning of value"],
    ["[1 2]", "invalid character '2' after array element"],
    ["{1:2}", "invalid character '1' looking for beginning of object key string"],
    ['{"a"1}', "invalid character '1' after object key"],
    ['{"a":1 "b"}', "invalid character '\"' after object key:value pair"],
    ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
    ["nul1", "invalid character '1' in literal null (expecting 'l')"],
    ["-a", "invalid character 'a' in numeric literal"],
    ["1.x", "invalid character 'x' after decimal point in numeric literal"],
    ["1e+x", "invalid character 'x' in exponent of numeric literal"],
    ['"\\x"', "invalid character 'x' in string escape code"],
    ['"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"],
    ['"\n"', "invalid character '\\n' in string literal"],
    ["\u0001", "invalid character '\\x01' looking for beginning of value"],
    ["[01]", "invalid character '1' after array element"],
  ];
  for (const [json, detail] of rows)
    assert.deepEqual(parse(json), { ok: false, code: "request_malformed", detail }, json);
});

test("lets only a null follow the value, and reads nothing after that", () => {
  for (const tail of ["", " ", "null", " null", " null x", "nullx{"])
    assert.deepEqual(parse(`{}${tail}`), { ok: true, value: "{}" });
  const rows: readonly [string, string][] = [
    ["{}{", "error: invalid character '{' after top-level value"],
    ["1 [", "error: invalid character '[' after top-level value"],
    ["1 2", "error: invalid character '2' after top-level value"],
    ['1 "a\\u0041"', "error: invalid character 'aA' after top-level value"],
    ["1 true", "error: invalid character '%!s(bool=true)' after top-level value"],
    ["1}", "invalid character '}' looking for beginning of value"],
    ["1,", "invalid character ',' looking for beginning of value"],
    ["01", "error: invalid character '1' after top-level value"],
    ["1 nul", "unexpected EOF"],
    ["1 x", "invalid character 'x' looking for beginning of value"],
  ];
  for (const [json, detail] of rows)
    assert.deepEqual(parse(json), { ok: false, code: "request_malformed", detail }, json);
});

test("nests 10,000 deep and no deeper", () => {
  assert.equal(parse("[".repeat(10_000) + "]".repeat(10_000)).ok, true);
  const detail = "invalid character '[' exceeded max depth";
  assert.deepEqual(parse("[".repeat(10_001)), { ok: false, code: "request_malformed", detail });
  assert.equal(parse('{"a":'.repeat(1_000_000)).ok, false);
});

test("takes numbers of 189 characters and no longer", () => {
  const detail = "number out of range: more than 189 characters, or an exponent beyond 999";
  for (const number of ["9".repeat(189), `-${"9".repeat(188)}`, `0.${"1".repeat(187)}`, "1e999"]) {
    assert.equal(parse(`[${number}]`).ok, true, number);
  }
  for (const number of ["9".repeat(190), `-${"9".repeat(189)}`, `0.${"1".repeat(188)}`, "1e1000"]) {
    assert.deepEqual(parse(`[${number}]`), { ok: false, code: "request_malformed", detail }, number);
  }
});

test("agrees with JSON.parse on every single byte inside a value", () => {
  for (const shape of ["[?]", '"?"', "1?", '{"a":?1}', "?"]) {
    for (let byte = 0; byte < 0x80; byte++) {
      const json = shape.replace("?", () => String.fromCharCode(byte));
      let valid = true;
      try {
        JSON.parse(json);
      } catch {
        valid = false;
      }
      assert.equal(parse(json).ok, valid, JSON.stringify(json));
    }
  }
});
