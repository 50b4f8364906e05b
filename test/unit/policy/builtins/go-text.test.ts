import assert from "node:assert/strict";
import { it } from "node:test";
import { fromUtf8, goQuote } from "../../../../src/policy/builtins/go-text.ts";

const REPLACED: readonly (readonly [bytes: readonly number[], text: string])[] = [
  [[0x61, 0xff, 0x62], "a\ufffdb"],
  [[0xe2, 0x82], "\ufffd\ufffd"],
  [[0xe2, 0x82, 0xac], "€"],
  [[0xc0, 0x80], "\ufffd\ufffd"],
  [[0xed, 0xa0, 0x80], "\ufffd\ufffd\ufffd"],
  [[0xf0, 0x9f, 0x99, 0x82, 0xf0, 0x9f], "🙂\ufffd\ufffd"],
  [[0xf4, 0x90, 0x80, 0x80], "\ufffd\ufffd\ufffd\ufffd"],
  [[0xef, 0xbb, 0xbf, 0x61], "\ufeffa"],
];

for (const [bytes, text] of REPLACED) {
  it(`one U+FFFD for each bad byte: ${Buffer.from(bytes).toString("hex")}`, () => {
    assert.equal(fromUtf8(Uint8Array.from(bytes)), text);
  });
}

it("quotes every ASCII character as Go does", () => {
  const plain = Array.from({ length: 0x5f }, (_, at) => String.fromCharCode(0x20 + at)).filter(
    (c) => c !== '"' && c !== "\\",
  );
  for (const char of plain) assert.equal(goQuote(char), `"${char}"`);
  assert.equal(goQuote('"\\\u0000\u0007\b\f\n\r\t\v\u001b\u007f'), '"\\"\\\\\\x00\\a\\b\\f\\n\\r\\t\\v\\x1b\\x7f"');
});

it("prints letters of any script, escapes what cannot be seen, and mends lone surrogates", () => {
  assert.equal(goQuote("é日🙂"), '"é日🙂"');
  assert.equal(goQuote("é日🙂", '"', true), '"\\u00e9\\u65e5\\U0001f642"');
  assert.equal(goQuote("\u00a0\u200b\u{e0001}\ud800"), '"\\u00a0\\u200b\\U000e0001\ufffd"');
});
