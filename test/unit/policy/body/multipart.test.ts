import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMultipartBody } from "../../../../src/policy/body/multipart.ts";

const TYPE = "multipart/form-data; boundary=foo";
const parse = (text: string, type = TYPE) => parseMultipartBody(Buffer.from(text), type);
const part = (value: string, headers = 'Content-Disposition: form-data; name="a"'): string =>
  `--foo\r\n${headers}\r\n\r\n${value}\r\n`;

test("collects the values of named parts", () => {
  const quoted = 'Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: quoted-printable';
  const json = 'Content-Disposition: form-data; name="j"\r\nContent-Type: application/json; charset=utf-8';
  const rows: readonly [string, object][] = [
    ["--foo--", {}],
    [`${part("1")}${part("2")}--foo--`, { a: ["1", "2"] }],
    [`preamble\r\n${part("1")}--foo-- \t\r\nepilogue`, { a: ["1"] }],
    [`${part("1")}--foo--`.replaceAll("\r\n", "\n"), { a: ["1"] }],
    [`--foo \t\r\n${part("1").slice(7)}--foo--`, { a: ["1"] }],
    [`${part("a\r\n--foox\r\nb")}--foo--`, { a: ["a\r\n--foox\r\nb"] }],
    [`${part("1", "content-disposition: form-data; name=é")}--foo--`, {}],
    [`${part("1", 'Content-Disposition: form-data; name="é"; filename="x"')}--foo--`, { é: ["1"] }],
    [`${part("1", 'Content-Disposition: attachment; name="a"')}--foo--`, {}],
    [`${part("1", "X: y")}--foo--`, {}],
    [`${part("=41=\r\nb", quoted)}--foo--`, { a: ["Ab"] }],
    [`${part('{"n":1}', json)}--foo--`, { j: [{ n: 1 }] }],
    ['--foo\r\nContent-Disposition: form-data; name="a"\r\n\r\n--foo--', { a: [""] }],
    ["--foo\r\nA: b", {}],
  ];
  for (const [text, want] of rows) {
    const parsed = parse(text);
    assert.ok(parsed.ok, `${text}: ${parsed.ok ? "" : parsed.detail}`);
    assert.deepEqual(JSON.parse(parsed.value), want, text);
  }
});

test("keeps the digits of numbers and replaces bad UTF-8", () => {
  const json = 'Content-Disposition: form-data; name="a"\r\nContent-Type: application/json';
  assert.deepEqual(parse(`${part("1.00000000000000000001", json)}--foo--`), {
    ok: true,
    value: '{"a":[1.00000000000000000001]}',
  });
  const bytes = Buffer.from(`${part("\xff")}--foo--`, "latin1");
  assert.deepEqual(parseMultipartBody(bytes, TYPE), { ok: true, value: '{"a":["\ufffd"]}' });
});

test("parses nothing without a boundary, and refuses an empty one", () => {
  assert.deepEqual(parse("x", "multipart/form-data"), { ok: true, value: "null" });
  assert.deepEqual(parse("x", 'multipart/form-data; boundary=""'), {
    ok: false,
    code: "request_malformed",
    detail: "multipart: boundary is empty",
  });
  assert.deepEqual(parse("x", "multipart/form-data; x"), {
    ok: false,
    code: "request_malformed",
    detail: "mime: invalid media parameter",
  });
});

test("refuses what Go's reader refuses", () => {
  const rows: readonly [string, string][] = [
    ["", "multipart: NextPart: EOF"],
    ["no boundary\r\n", "multipart: NextPart: EOF"],
    [part("1"), "unexpected EOF"],
    [`${part("1")}--foo`, "multipart: NextPart: EOF"],
    [`${part("1")}--foo x\r\n--foo--`, 'multipart: expecting a new Part; got line "--foo x\\r\\n"'],
    ["p".repeat(4096), "multipart: NextPart: bufio: buffer full"],
    [
      `${part("{", 'Content-Disposition: form-data; name="a"\r\nContent-Type: application/json')}--foo--`,
      "unexpected EOF",
    ],
    [`${part("", 'Content-Disposition: form-data; name="a"\r\nContent-Type: application/json')}--foo--`, "EOF"],
    [`${part("1", "no colon")}--foo--`, 'malformed MIME header: missing colon: "no colon"'],
  ];
  for (const [text, detail] of rows)
    assert.deepEqual(parse(text), { ok: false, code: "request_malformed", detail }, text);
});
