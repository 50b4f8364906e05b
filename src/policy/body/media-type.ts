// Media types with parameters as Go's `mime.ParseMediaType` reads them (go1.26 mime/mediatype.go): RFC 2045 tokens and
// quoted strings, RFC 2231 continuations and charsets, and the tolerances that browsers made necessary.
// Works on byte texts: header values need not be UTF-8.

import { fail, ok, type Result } from "../../base/result.ts";

/** The media type in lower case and its parameters by lower-case name; values as they were sent. */
export interface MediaType {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = /^[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+/;
const MSIE_ESCAPABLE = /[()<>@,;:\\"/[\]?=]/;
/** Unicode's White_Space in UTF-8 bytes. */
const SPACE =
  /^(?:[\t\n\v\f\r ]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80)+/;
const SPACE_AT_END =
  /(?:[\t\n\v\f\r ]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80)$/;

/** Parses a `Content-Type` or `Content-Disposition` value. The detail of `request_malformed` is Go's sentence. */
export function parseMediaType(value: string): Result<MediaType, "request_malformed"> {
  const semicolon = value.indexOf(";");
  const base = semicolon < 0 ? value : value.slice(0, semicolon);
  const type = trimSpace(toLower(base));
  const problem = typeProblem(type);
  if (problem !== undefined) return fail("request_malformed", problem);

  const plain = new Map<string, string>();
  const pieces = new Map<string, Map<string, string>>();
  let rest = semicolon < 0 ? "" : value.slice(semicolon);
  for (;;) {
    rest = trimStart(rest);
    if (rest === "") break;
    const parameter = takeParameter(rest);
    if (parameter === undefined) {
      if (trimSpace(rest) === ";") break;
      return fail("request_malformed", "mime: invalid media parameter");
    }
    const star = parameter.name.indexOf("*");
    let into = plain;
    if (star >= 0) {
      const name = parameter.name.slice(0, star);
      into = pieces.get(name) ?? new Map<string, string>();
      pieces.set(name, into);
    }
    const before = into.get(parameter.name);
    if (before !== undefined && before !== parameter.value) {
      return fail("request_malformed", "mime: duplicate parameter name");
    }
    into.set(parameter.name, parameter.value);
    rest = parameter.rest;
  }
  for (const [name, parts] of pieces) {
    const joined = joinPieces(name, parts);
    if (joined !== undefined) plain.set(name, joined);
  }
  return ok({ type, parameters: plain });
}

function typeProblem(type: string): string | undefined {
  const first = TOKEN.exec(type)?.[0] ?? "";
  if (first === "") return "mime: no media type";
  const afterFirst = type.slice(first.length);
  if (afterFirst === "") return undefined;
  if (!afterFirst.startsWith("/")) return "mime: expected slash after first token";
  const second = TOKEN.exec(afterFirst.slice(1))?.[0] ?? "";
  if (second === "") return "mime: expected token after slash";
  return second.length + 1 === afterFirst.length ? undefined : "mime: unexpected content after media subtype";
}

/** Takes `; name = value` off the front; undefined when it is not one. */
function takeParameter(text: string): { name: string; value: string; rest: string } | undefined {
  let rest = trimStart(text);
  if (!rest.startsWith(";")) return undefined;
  rest = trimStart(rest.slice(1));
  const name = TOKEN.exec(rest)?.[0];
  if (name === undefined) return undefined;
  rest = trimStart(rest.slice(name.length));
  if (!rest.startsWith("=")) return undefined;
  rest = trimStart(rest.slice(1));
  const taken = takeValue(rest);
  if (taken === undefined) return undefined;
  return { name: name.toLowerCase(), value: taken.value, rest: rest.slice(taken.length) };
}

/** A token or a quoted string at the front of `text`; a backslash counts only before a special character (MSIE). */
function takeValue(text: string): { value: string; length: number } | undefined {
  if (!text.startsWith('"')) {
    const token = TOKEN.exec(text)?.[0];
    return token === undefined ? undefined : { value: token, length: token.length };
  }
  let value = "";
  for (let at = 1; at < text.length; at++) {
    const character = text[at] as string;
    if (character === '"') return { value, length: at + 1 };
    if (character === "\r" || character === "\n") return undefined;
    const next = text[at + 1];
    if (character === "\\" && next !== undefined && MSIE_ESCAPABLE.test(next)) {
      value += next;
      at++;
    } else value += character;
  }
  return undefined;
}

/** RFC 2231: `name*` (charset'language'value), or `name*0`, `name*1*`, … put together; undefined when neither is there. */
function joinPieces(name: string, parts: ReadonlyMap<string, string>): string | undefined {
  const single = parts.get(`${name}*`);
  if (single !== undefined) return decodeExtended(single);
  let joined: string | undefined;
  for (let index = 0; ; index++) {
    const plain = parts.get(`${name}*${index}`);
    const encoded = plain ?? parts.get(`${name}*${index}*`);
    if (encoded === undefined) return joined;
    if (plain !== undefined) joined = (joined ?? "") + plain;
    else joined = (joined ?? "") + ((index === 0 ? decodeExtended(encoded) : percentDecode(encoded)) ?? "");
  }
}

function decodeExtended(value: string): string | undefined {
  const parts = /^([^']*)'[^']*'(.*)$/s.exec(value);
  const charset = toLower(parts?.[1] ?? "");
  return charset === "us-ascii" || charset === "utf-8" ? percentDecode(parts?.[2] ?? "") : undefined;
}

function percentDecode(value: string): string | undefined {
  if (/%(?![0-9a-fA-F]{2})/.test(value)) return undefined;
  return value.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** SPEC: Go lowers by Unicode; of all that is not ASCII only `İ` and the Kelvin sign become ASCII, and so tokens. */
function toLower(text: string): string {
  return text
    .replaceAll("\xc4\xb0", "i")
    .replaceAll("\xe2\x84\xaa", "k")
    .replace(/[A-Z]+/g, (upper) => upper.toLowerCase());
}

function trimStart(text: string): string {
  const space = SPACE.exec(text);
  return space === null ? text : text.slice(space[0].length);
}

function trimSpace(text: string): string {
  let rest = trimStart(text);
  for (;;) {
    const space = SPACE_AT_END.exec(rest.slice(-3));
    if (space === null) return rest;
    rest = rest.slice(0, -space[0].length);
  }
}
