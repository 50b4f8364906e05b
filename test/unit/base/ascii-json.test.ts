import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { quoteAscii } from "../../../src/base/ascii-json.ts";

const printable = /^[\x20-\x7e]*$/;

it("writes every UTF-16 unit so that JSON reads it back, in printable ASCII", () => {
  for (let unit = 0; unit <= 0xffff; unit++) {
    const text = `a${String.fromCharCode(unit)}b`;
    const line = quoteAscii(text, 100);
    const lone = unit >= 0xd800 && unit <= 0xdfff;
    if (!printable.test(line)) assert.fail(`0x${unit.toString(16)} was written as it is`);
    assert.equal(JSON.parse(line), lone ? "a\ufffdb" : text, `0x${unit.toString(16)}`);
  }
});

it("keeps characters beyond the basic plane whole", () => {
  assert.equal(quoteAscii("😀", 12), '"\\ud83d\\ude00"');
  assert.equal(quoteAscii("😀", 11), '"\\u2026"');
});

it("cuts what is longer than its bound and says so with an ellipsis", () => {
  assert.equal(quoteAscii("abcdefgh", 8), '"abcdefgh"');
  assert.equal(quoteAscii("abcdefghi", 8), '"ab\\u2026"');
});

it("stays within its bound and readable for any text and bound", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 60 }), fc.integer({ min: 6, max: 80 }), (text, maxChars) => {
      const line = quoteAscii(text, maxChars);
      assert.ok(line.length <= maxChars + 2);
      assert.match(line, printable);
      const read: unknown = JSON.parse(line);
      assert.ok(typeof read === "string");
      const wellFormed = text.replace(/\p{Surrogate}/gu, "\ufffd");
      assert.ok(read === wellFormed || (read.endsWith("…") && wellFormed.startsWith(read.slice(0, -1))));
    }),
    { seed: 1, numRuns: 500 },
  );
});
