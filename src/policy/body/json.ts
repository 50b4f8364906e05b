// Checks a JSON body as the plugin does (Go's `encoding/json` decoder with `UseNumber`, then "nothing but a null may
// follow") and hands the text on as it was written, so numbers keep every digit. It builds no value.
// Rewritten are only bytes that are not UTF-8 and lone surrogate escapes, to U+FFFD. Equal keys stay: OPA's own parser,
// which reads the text next, keeps the last, as Go does.

import { fail, ok, type Result } from "../../base/result.ts";
import { decodeUtf8, quoteCharacter } from "../byte-text.ts";

/** SPEC: encoding/json `maxNestingDepth`. */
const MAX_DEPTH = 10_000;

/** SECURITY: the sentence goes into the answer; a token of megabytes is not repeated there. */
const MAX_SHOWN_CHARS = 2_048;

/**
 * SECURITY: OPA's runtime takes time in proportion to an exponent (0.1 s to look `1e999999999` up in a set) and to the square
 * of the digits (5 s for `bits.and` of `1e40000`): a body of a few bytes could hold up every other check. And it multiplies
 * wrongly what has more than 64 groups of nine digits together: three numbers of this length make 63. The plugin has no
 * such limit.
 */
const MAX_NUMBER_BYTES = 189;
const MAX_EXPONENT_DIGITS = 3;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Checks one JSON document. The value is its JSON text; the detail of `request_malformed` is Go's sentence. */
export function parseJsonBody(bytes: Buffer): Result<string, "request_malformed"> {
  const scanner = new JsonScanner(bytes);
  const start = scanner.skipSpace(0);
  if (start === bytes.length) return fail("request_malformed", "EOF");
  const end = scanner.value(start);
  if (end < 0) return fail("request_malformed", scanner.problem);
  const trailing = trailingProblem(scanner, bytes, scanner.skipSpace(end));
  if (trailing !== undefined) return fail("request_malformed", trailing);
  const text = decodeUtf8(bytes.subarray(start, end));
  return ok(scanner.loneSurrogates ? replaceLoneSurrogates(text) : text);
}

/** SPEC: OPA asks the decoder for one more token and takes none, or `null`, for the end; all after a null is unread. */
function trailingProblem(scanner: JsonScanner, bytes: Buffer, at: number): string | undefined {
  if (at === bytes.length) return undefined;
  const first = String.fromCharCode(bytes[at] as number);
  if (first === "[" || first === "{") return `error: invalid character '${first}' after top-level value`;
  if (first === "]" || first === "}" || first === ":" || first === ",") {
    return `invalid character '${first}' looking for beginning of value`;
  }
  const end = scanner.value(at);
  if (end < 0) return scanner.problem;
  const token = decodeUtf8(bytes.subarray(at, end));
  if (token === "null") return undefined;
  if (token.length > MAX_SHOWN_CHARS) return "error: invalid character after top-level value";
  const shown =
    first === '"'
      ? Buffer.from(String(JSON.parse(token))).toString()
      : /^[tf]/.test(token)
        ? `%!s(bool=${token})`
        : token;
  return `error: invalid character '${shown}' after top-level value`;
}

/** Replaces `\uD800`–`\uDFFF` escapes that are no half of a pair. */
function replaceLoneSurrogates(json: string): string {
  return json.replace(
    /\\(?:u([dD][89abAB][0-9a-fA-F]{2})(\\u[dD][c-fC-F][0-9a-fA-F]{2})?|u([dD][c-fC-F][0-9a-fA-F]{2})|.)/gs,
    (whole, high: string | undefined, pair: string | undefined, low: string | undefined) =>
      (high !== undefined && pair === undefined) || low !== undefined ? "\\ufffd" : whole,
  );
}

/** The scanner's states, named for what has to come next. */
const State = { value: 0, firstElement: 1, firstKey: 2, key: 3, afterValue: 4 } as const;

/** Walks JSON values; every method takes a position and answers the next one, or -1 after setting `problem`. */
class JsonScanner {
  readonly #bytes: Buffer;
  problem = "";
  loneSurrogates = false;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  skipSpace(at: number): number {
    const bytes = this.#bytes;
    let next = at;
    for (; next < bytes.length; next++) {
      const byte = bytes[next];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    }
    return next;
  }

  /** One value. PERF: containers are a stack of brackets, so depth costs neither frames nor objects. */
  value(start: number): number {
    const bytes = this.#bytes;
    const open: number[] = [];
    let state: number = State.value;
    for (let at = start; ; ) {
      at = this.skipSpace(at);
      if (at >= bytes.length) return this.#fail(at, "");
      const byte = bytes[at] as number;
      if (state === State.afterValue) {
        const object = open[open.length - 1] === 0x7b;
        if (byte === 0x2c) state = object ? State.key : State.value;
        else if (byte === (object ? 0x7d : 0x5d)) {
          open.pop();
          if (open.length === 0) return at + 1;
        } else return this.#fail(at, object ? "after object key:value pair" : "after array element");
        at++;
        continue;
      }
      if ((state === State.firstElement && byte === 0x5d) || (state === State.firstKey && byte === 0x7d)) {
        state = State.afterValue;
        continue;
      }
      if (state === State.firstKey || state === State.key) {
        if (byte !== QUOTE) return this.#fail(at, "looking for beginning of object key string");
        at = this.#string(at + 1);
        if (at < 0) return -1;
        at = this.skipSpace(at);
        if (bytes[at] !== 0x3a) return this.#fail(at, "after object key");
        at++;
        state = State.value;
        continue;
      }
      if (byte === 0x7b || byte === 0x5b) {
        if (open.push(byte) > MAX_DEPTH) return this.#fail(at, "exceeded max depth");
        state = byte === 0x7b ? State.firstKey : State.firstElement;
        at++;
        continue;
      }
      at = this.#scalar(at, byte);
      if (at < 0 || open.length === 0) return at;
      state = State.afterValue;
    }
  }

  #scalar(at: number, byte: number): number {
    if (byte === QUOTE) return this.#string(at + 1);
    if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) return this.#number(at);
    if (byte === 0x74) return this.#literal(at, "true");
    if (byte === 0x66) return this.#literal(at, "false");
    if (byte === 0x6e) return this.#literal(at, "null");
    return this.#fail(at, "looking for beginning of value");
  }

  #literal(at: number, word: string): number {
    for (let index = 1; index < word.length; index++) {
      if (this.#bytes[at + index] !== word.charCodeAt(index)) {
        return this.#fail(at + index, `in literal ${word} (expecting '${word[index]}')`);
      }
    }
    return at + word.length;
  }

  #number(start: number): number {
    const bytes = this.#bytes;
    let at = start;
    if (bytes[at] === 0x2d) at++;
    if (bytes[at] === 0x30) at++;
    else {
      const digits = this.#digits(at, "in numeric literal");
      if (digits < 0) return -1;
      at = digits;
    }
    if (bytes[at] === 0x2e) {
      at = this.#digits(at + 1, "after decimal point in numeric literal");
      if (at < 0) return -1;
    }
    if (bytes[at] === 0x65 || bytes[at] === 0x45) {
      at++;
      if (bytes[at] === 0x2b || bytes[at] === 0x2d) at++;
      const exponent = at;
      at = this.#digits(at, "in exponent of numeric literal");
      if (at - exponent > MAX_EXPONENT_DIGITS) return this.#refuseNumber();
    }
    return at - start > MAX_NUMBER_BYTES ? this.#refuseNumber() : at;
  }

  #refuseNumber(): -1 {
    this.problem = `number out of range: more than ${MAX_NUMBER_BYTES} characters, or an exponent beyond 999`;
    return -1;
  }

  #digits(start: number, context: string): number {
    let at = start;
    while (isDigit(this.#bytes[at])) at++;
    return at === start ? this.#fail(at, context) : at;
  }

  /** The rest of a string whose opening quote stands before `start`. */
  #string(start: number): number {
    const bytes = this.#bytes;
    for (let at = start; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (byte === QUOTE) return at + 1;
      if (byte < 0x20) return this.#fail(at, "in string literal");
      if (byte === BACKSLASH) {
        at++;
        if (bytes[at] === 0x75) {
          for (let digit = 1; digit <= 4; digit++) {
            if (!isHex(bytes[at + digit])) return this.#fail(at + digit, "in \\u hexadecimal character escape");
          }
          if (isSurrogate(bytes[at + 1] as number, bytes[at + 2] as number)) this.loneSurrogates = true;
          at += 4;
        } else if (!isEscape(bytes[at])) return this.#fail(at, "in string escape code");
      }
    }
    return this.#fail(bytes.length, "");
  }

  #fail(at: number, context: string): -1 {
    const byte = this.#bytes[at];
    this.problem = byte === undefined ? "unexpected EOF" : `invalid character ${quoteByte(byte)} ${context}`;
    return -1;
  }
}

/** Whether the first two hex digits of an escape begin with D8–DF. */
const isSurrogate = (first: number, second: number): boolean => (first | 0x20) === 0x64 && second > 0x37;

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;

const isHex = (byte: number | undefined): boolean =>
  isDigit(byte) || (byte !== undefined && (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);

const isEscape = (byte: number | undefined): boolean =>
  byte !== undefined && '"\\/bfnrt'.includes(String.fromCharCode(byte));

/** SPEC: encoding/json `quoteChar`: the byte as the character of that number, in single quotes. */
function quoteByte(byte: number): string {
  if (byte === 0x27) return "'\\''";
  return `'${quoteCharacter(String.fromCharCode(byte))}'`;
}
