// Reads Rego value text: what `opa_value_dump` of OPA's WASM runtime writes, of which JSON is a subset. Sets are `{1, 2}`
// and `set()`, object keys are any value. It never guesses: what is not exactly one value throws.

import { replaceLoneSurrogates } from "../json-text.ts";
import { toWellFormed } from "./bytes.ts";
import { type Entry, RegoObject, RegoSet, type Value } from "./model.ts";
import { RegoNumber } from "./number.ts";
import { ValueSyntaxError } from "./syntax-error.ts";

/** Deepest nesting that is followed; well inside the JavaScript stack, so that hostile text is an error, not a fault. */
export const MAX_VALUE_DEPTH = 2_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Reads one value. Throws ValueSyntaxError for anything else, and for nesting deeper than 2,000. */
export function parseValue(text: string): Value {
  return readAll(toWellFormed(text));
}

/**
 * {@link parseValue} for what the module has dumped: lone surrogates that stand in the text are bytes and stay.
 * SECURITY: never for text of a caller. An escape, `\udc80`, is text of a caller even in a dump, and becomes U+FFFD.
 */
export function parseDump(text: string): Value {
  return readAll(text);
}

function readAll(text: string): Value {
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): Value {
    if (depth > MAX_VALUE_DEPTH) throw new ValueSyntaxError(`nested deeper than ${MAX_VALUE_DEPTH}`);
    switch (this.#next()) {
      case QUOTE:
        return this.#string();
      case 0x7b: // {
        return this.#objectOrSet(depth);
      case 0x5b: // [
        return this.#array(depth);
      case 0x74: // t
        this.#word("true");
        return true;
      case 0x66: // f
        this.#word("false");
        return false;
      case 0x6e: // n
        this.#word("null");
        return null;
      case 0x73: // s
        this.#word("set(");
        this.#expect(0x29);
        return RegoSet.of([]);
      default:
        return this.#number();
    }
  }

  end(): void {
    this.#next();
    if (this.#at < this.#text.length) throw this.#error("text after the value");
  }

  #array(depth: number): Value {
    this.#at++;
    const items: Value[] = [];
    if (this.#accept(0x5d)) return items;
    do items.push(this.value(depth + 1));
    while (this.#accept(0x2c));
    this.#expect(0x5d);
    return items;
  }

  #objectOrSet(depth: number): Value {
    this.#at++;
    if (this.#accept(0x7d)) return RegoObject.of([]);
    const first = this.value(depth + 1);
    if (!this.#accept(0x3a)) return this.#set(first, depth);
    const entries: Entry[] = [[first, this.value(depth + 1)]];
    while (this.#accept(0x2c)) {
      const key = this.value(depth + 1);
      this.#expect(0x3a);
      entries.push([key, this.value(depth + 1)]);
    }
    this.#expect(0x7d);
    return RegoObject.of(entries);
  }

  #set(first: Value, depth: number): RegoSet {
    const values = [first];
    while (this.#accept(0x2c)) values.push(this.value(depth + 1));
    this.#expect(0x7d);
    return RegoSet.of(values);
  }

  #string(): string {
    const start = this.#at;
    const text = this.#text;
    for (let at = start + 1; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      if (unit === QUOTE) {
        this.#at = at + 1;
        return text.slice(start + 1, at);
      }
      if (unit === BACKSLASH) return this.#escapedString(start, at);
      if (unit < 0x20) break;
    }
    throw this.#error("unfinished string");
  }

  #escapedString(start: number, firstEscape: number): string {
    let at = firstEscape;
    while (at < this.#text.length && this.#text.charCodeAt(at) !== QUOTE)
      at += this.#text.charCodeAt(at) === BACKSLASH ? 2 : 1;
    try {
      const value = JSON.parse(replaceLoneSurrogates(this.#text.slice(start, at + 1))) as string;
      this.#at = at + 1;
      return value;
    } catch {
      throw this.#error("invalid string");
    }
  }

  #number(): RegoNumber {
    const start = this.#at;
    while (this.#at < this.#text.length && isNumberUnit(this.#text.charCodeAt(this.#at))) this.#at++;
    if (this.#at === start) throw this.#error("no value");
    return RegoNumber.parse(this.#text.slice(start, this.#at));
  }

  #word(word: string): void {
    if (!this.#text.startsWith(word, this.#at)) throw this.#error("no value");
    this.#at += word.length;
  }

  /** Skips white space; the unit at the new place, NaN at the end. */
  #next(): number {
    for (;;) {
      const unit = this.#text.charCodeAt(this.#at);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return unit;
      this.#at++;
    }
  }

  #accept(unit: number): boolean {
    if (this.#next() !== unit) return false;
    this.#at++;
    return true;
  }

  #expect(unit: number): void {
    if (!this.#accept(unit)) throw this.#error(`expected \`${String.fromCharCode(unit)}\``);
  }

  #error(what: string): ValueSyntaxError {
    return new ValueSyntaxError(`${what}: at character ${this.#at} of ${this.#text.length}`);
  }
}

/** `0`…`9`, `+`, `-`, `.`, `e`, `E`. */
const isNumberUnit = (unit: number): boolean =>
  (unit >= 0x30 && unit <= 0x39) || unit === 0x2d || unit === 0x2b || unit === 0x2e || unit === 0x65 || unit === 0x45;
