import assert from "node:assert/strict";
import { it } from "node:test";
import { goQuote } from "../../../../src/policy/builtins/go-text.ts";

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
