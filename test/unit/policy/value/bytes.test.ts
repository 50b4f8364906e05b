import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decodeUtf8 } from "../../../../src/policy/byte-text.ts";
import {
  compareStrings,
  fromBytes,
  isWellFormed,
  joinBytes,
  parseDump,
  parseValue,
  printValue,
  toBytes,
  toJson,
  toWellFormed,
} from "../../../../src/policy/value.ts";

const SETTINGS = { seed: 20260102, numRuns: 2_000 } as const;
/** Bytes that are likely to begin, go on with and break off characters. */
const anyBytes = fc
  .array(
    fc.oneof(
      fc.constantFrom(0x00, 0x22, 0x41, 0x5c, 0x7f, 0x80, 0xbf, 0xc2, 0xc3, 0xa9, 0xe0, 0xe2, 0x82, 0xac, 0xed, 0xa0),
      fc.constantFrom(0xf0, 0x9f, 0x98, 0xf4, 0x90, 0xff),
      fc.integer({ min: 0, max: 255 }),
    ),
    { maxLength: 12 },
  )
  .map((bytes) => Buffer.from(bytes));

describe("bytes and strings", () => {
  it("every byte string is one string, which gives the bytes back", () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        assert.deepEqual(toBytes(fromBytes(bytes)), bytes);
        assert.equal(joinBytes(fromBytes(bytes)), fromBytes(bytes));
      }),
      SETTINGS,
    );
  });

  it("UTF-8 is read as ever, and each other byte stands for itself", () => {
    for (const [hex, text] of [
      ["", ""],
      ["61c3a9f09f9880", "aé😀"],
      ["ff", "\udcff"],
      ["e282", "\udce2\udc82"],
      ["eda080", "\udced\udca0\udc80"],
      ["c3a9c3", "é\udcc3"],
      ["f09f988041", "😀A"],
      ["f09f9841", "\udcf0\udc9f\udc98A"],
    ] as const)
      assert.equal(fromBytes(Buffer.from(hex, "hex")), text, hex);
  });

  it("with U+FFFD for each lone surrogate it is what Go prints", () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => assert.equal(toWellFormed(fromBytes(bytes)), decodeUtf8(bytes))),
      SETTINGS,
    );
  });

  it("pieces that were put together are the string of all their bytes", () => {
    fc.assert(
      fc.property(anyBytes, anyBytes, (a, b) =>
        assert.equal(joinBytes(fromBytes(a) + fromBytes(b)), fromBytes(Buffer.concat([a, b]))),
      ),
      SETTINGS,
    );
  });

  it("a surrogate that stands for no byte is U+FFFD", () => {
    for (const text of ["\ud800", "\udbff", "\udc00", "\udc7f", "\udd00", "\udfff"]) {
      assert.equal(toBytes(text).toString("hex"), "efbfbd", text);
      assert.equal(toBytes(`\udcff${text}`).toString("hex"), "ffefbfbd", text);
    }
  });

  it("strings are ordered and equal as their bytes are", () => {
    fc.assert(
      fc.property(anyBytes, anyBytes, (a, b) =>
        assert.equal(Math.sign(compareStrings(fromBytes(a), fromBytes(b))), Buffer.compare(a, b)),
      ),
      SETTINGS,
    );
  });

  it("takes time in proportion to the bytes, good and bad in turn", () => {
    const bytes = Buffer.from("ff41c3a9".repeat(500_000), "hex");
    assert.ok(toBytes(fromBytes(bytes)).equals(bytes));
  });
});

describe("texts of values", () => {
  it("dumps keep their bytes, and print them again", () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const value = fromBytes(bytes);
        assert.equal(parseDump(printValue(value)), value);
      }),
      SETTINGS,
    );
  });

  it("an escape never is a byte, in a dump or in JSON", () => {
    const escaped = '["\\udcff", "\\udcc3\\udca9", "\\\\udcff"]';
    const want = '["\ufffd", "\ufffd\ufffd", "\\\\udcff"]';
    assert.equal(printValue(parseDump(escaped)), want);
    assert.equal(printValue(parseValue(escaped)), want);
  });

  it("only a dump may hold bytes", () => {
    assert.equal(printValue(parseValue('"\udcff"')), '"\ufffd"');
    assert.equal(printValue(parseDump('"\udcff"')), '"\udcff"');
    assert.equal(printValue(parseDump('"\\n\udcff\\u0000"')), '"\\n\udcff\\u0000"');
  });

  it("JSON has an escape of U+FFFD for each bad byte, as Go's, and is well-formed", () => {
    assert.equal(toJson("a\udcff\udcfe\ufffd"), '"a\\ufffd\\ufffd\ufffd"');
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const json = toJson(fromBytes(bytes));
        assert.ok(isWellFormed(json));
        assert.equal(JSON.parse(json), decodeUtf8(bytes));
      }),
      SETTINGS,
    );
  });
});
