import assert from "node:assert/strict";
import { test } from "node:test";
import { toPlainText } from "../../../src/base/plain-text.ts";

test("every control, format and line-separating character is escaped, and nothing else", () => {
  for (let code = 0; code <= 0x10ffff; code++) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    const character = String.fromCodePoint(code);
    const plain = toPlainText(character);
    if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(character)) {
      assert.match(plain, /^(?:\\u[0-9a-f]{4}){1,2}$/);
      assert.equal(JSON.parse(`"${plain}"`), character);
    } else if (plain !== character) assert.fail(`U+${code.toString(16)} was changed`);
  }
});

for (const [name, text, want] of [
  ["an escape sequence", "a\u001b[2Jb", "a\\u001b[2Jb"],
  ["one of C1", "\u009b31m", "\\u009b31m"],
  ["a change of direction", "\u202eabc\u2066", "\\u202eabc\\u2066"],
  ["a line end", "a\r\nb", "a\\u000d\\u000ab"],
  ["a character beyond 16 bits", "\u{e0041}", "\\udb40\\udc41"],
  ["text in any script", "äöü𝄞 日本 عربي", "äöü𝄞 日本 عربي"],
] as const)
  test(`escapes: ${name}`, () => assert.equal(toPlainText(text), want));

test("keeps what is asked for", () => assert.equal(toPlainText("a\t\n\r\u001b", "\t\n"), "a\t\n\\u000d\\u001b"));
