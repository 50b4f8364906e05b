import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeUtf8,
  fromByteText,
  quoteCharacter,
  quoteGo,
  quoteJson,
  toByteText,
} from "../../../src/policy/byte-text.ts";

test("byte texts hold one character per byte and come back as they were", () => {
  for (const text of ["", "abc", "é", "€uro", "😀", "\u0000\u007f\u0080"]) {
    assert.equal(fromByteText(toByteText(text)), text);
    assert.equal(toByteText(text).length, Buffer.byteLength(text));
  }
});

test("every byte that is not UTF-8 becomes one U+FFFD, as Go prints it", () => {
  const rows: readonly [number[], string][] = [
    [[0xff], "\ufffd"],
    [[0xe2, 0x82], "\ufffd\ufffd"],
    [[0xe2, 0x82, 0x61], "\ufffd\ufffda"],
    [[0xe2, 0x82, 0xac], "€"],
    [[0xc0, 0x80], "\ufffd\ufffd"],
    [[0xed, 0xa0, 0x80], "\ufffd\ufffd\ufffd"],
    [[0xf4, 0x90, 0x80, 0x80], "\ufffd\ufffd\ufffd\ufffd"],
    [[0xf0, 0x9f, 0x98, 0x80, 0x80], "😀\ufffd"],
    [[0xe0, 0x80, 0x80], "\ufffd\ufffd\ufffd"],
    [[0x61, 0xc3, 0x28], "a\ufffd("],
  ];
  for (const [bytes, want] of rows) assert.equal(decodeUtf8(Buffer.from(bytes)), want, String(bytes));
});

test("single bytes decode as ASCII or U+FFFD", () => {
  for (let byte = 0; byte < 256; byte++) {
    assert.equal(decodeUtf8(Buffer.from([byte])), byte < 0x80 ? String.fromCharCode(byte) : "\ufffd");
  }
});

test("quotes JSON strings, whatever is in them", () => {
  for (let code = 0; code < 0x300; code++) {
    const text = `a${String.fromCharCode(code)}b`;
    assert.equal(JSON.parse(quoteJson(text)), text);
  }
  assert.equal(quoteJson("\ud800"), '"\\ud800"');
});

test("quotes as Go's %q", () => {
  const rows: readonly [string, string][] = [
    ["%zz", '"%zz"'],
    ['a"b\\', '"a\\"b\\\\"'],
    ["\r\n\t\u0007\u000b", '"\\r\\n\\t\\a\\v"'],
    ["\u0000\u007f", '"\\x00\\x7f"'],
    [toByteText("é😀"), '"é😀"'],
    [toByteText("\u0085\u2028\u{e0001}"), '"\\u0085\\u2028\\U000e0001"'],
    ["\xff%", '"\\xff%"'],
  ];
  for (const [text, want] of rows) assert.equal(quoteGo(text), want);
  assert.equal(quoteCharacter("\u00a0"), "\\u00a0");
});
