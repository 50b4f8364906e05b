import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { findJsonFault, replaceLoneSurrogates } from "../../src/policy/json-text.ts";
import {
  compareValues,
  parseValue,
  printValue,
  RegoNumber,
  RegoObject,
  RegoSet,
  toJson,
  type Value,
  ValueSyntaxError,
} from "../../src/policy/value.ts";

const SETTINGS = { seed: 20260101, numRuns: 300 } as const;

const number = fc
  .tuple(fc.bigInt(-(2n ** 70n), 2n ** 70n), fc.integer({ min: -30, max: 30 }), fc.constantFrom("", ".0", ".50"))
  .map(([whole, exponent, fraction]) => RegoNumber.parse(`${whole}${fraction}${exponent === 0 ? "" : `e${exponent}`}`));

const { value } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom<Value>(null, true, false),
    number,
    fc.string({ unit: "binary" }),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(tie("value"), { maxLength: 4 }).map((values) => RegoSet.of(values)),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 4 }).map((entries) => RegoObject.of(entries)),
  ),
}));

it("reading what was printed gives an equal value with the same text", () => {
  fc.assert(
    fc.property(value, (original) => {
      const text = printValue(original);
      const read = parseValue(text);
      assert.equal(compareValues(read, original), 0);
      assert.equal(printValue(read), text);
    }),
    SETTINGS,
  );
});

it("the order is antisymmetric and transitive, and equal exactly when the sets of one value are equal", () => {
  fc.assert(
    fc.property(value, value, value, (a, b, c) => {
      const ab = Math.sign(compareValues(a, b));
      assert.equal(Math.sign(compareValues(b, a)) + ab, 0);
      assert.equal(RegoSet.of([a, b]).values.length, ab === 0 ? 1 : 2);
      const [low, middle, high] = [a, b, c].sort(compareValues) as [Value, Value, Value];
      assert.ok(compareValues(low, middle) <= 0 && compareValues(middle, high) <= 0 && compareValues(low, high) <= 0);
    }),
    SETTINGS,
  );
});

it("numbers compare as exact fractions", () => {
  const parts = fc.tuple(fc.bigInt(-(10n ** 25n), 10n ** 25n), fc.integer({ min: -20, max: 20 }));
  fc.assert(
    fc.property(parts, parts, ([a, i], [b, j]) => {
      const exact = a * 10n ** BigInt(i + 20) - b * 10n ** BigInt(j + 20);
      const order = compareValues(RegoNumber.parse(`${a}e${i}`), RegoNumber.parse(`${b}e${j}`));
      assert.equal(Math.sign(order), exact < 0n ? -1 : exact > 0n ? 1 : 0);
    }),
    SETTINGS,
  );
});

it("toJson always prints JSON that the checker and JSON.parse accept", () => {
  fc.assert(
    fc.property(value, (original) => {
      const json = toJson(original);
      assert.equal(findJsonFault(json, 100), undefined);
      JSON.parse(json);
    }),
    SETTINGS,
  );
});

it("no text makes the reader throw anything but its own error", () => {
  const shards = fc.constantFrom(
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"',
    "\\",
    "u",
    "set(",
    ")",
    "1",
    "-",
    ".",
    "e",
    " ",
    "a",
  );
  fc.assert(
    fc.property(fc.array(shards, { maxLength: 20 }), (parts) => {
      try {
        parseValue(parts.join(""));
      } catch (error) {
        assert.ok(error instanceof ValueSyntaxError);
      }
    }),
    { ...SETTINGS, numRuns: 3_000 },
  );
});

it("the checker accepts exactly what JSON.parse accepts", () => {
  const accepts = (text: string): boolean => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };
  const mutated = fc
    .tuple(fc.json(), fc.nat(), fc.nat({ max: 2 }), fc.string({ unit: "binary", maxLength: 2 }))
    .map(([text, at, cut, insert]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + insert + text.slice(place + cut);
    });
  fc.assert(
    fc.property(fc.oneof(fc.json(), mutated, fc.string()), (text) => {
      assert.equal(findJsonFault(text, 1_000) === undefined, accepts(text), JSON.stringify(text));
    }),
    { ...SETTINGS, numRuns: 3_000 },
  );
});

it("without lone surrogates a JSON text means what Go's reader makes of it", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.array(fc.integer({ min: 0xd7f0, max: 0xe010 })), (text, units) => {
      const raw = text + String.fromCharCode(...units);
      const escaped = `"${[...raw].map((char) => toEscapes(char)).join("")}"`;
      const meant = raw.replace(/\p{Surrogate}/gu, "\ufffd");
      assert.equal(JSON.parse(replaceLoneSurrogates(escaped)), meant);
    }),
    SETTINGS,
  );
});

function toEscapes(char: string): string {
  return char
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");
}
