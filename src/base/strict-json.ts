// Reads one JSON object (RFC 8259) of which every reader must make the same: what parsers are free to disagree about is refused.
// SECURITY: `JSON.parse` keeps the last of equal names where others keep the first, rounds numbers, replaces bytes that are no
// UTF-8 and takes lone surrogates; a signature over such a text vouches for a different document in every reader.
// It has no limit on size: that is the caller's, before it decodes.

import { fail, ok, type Result } from "./result.ts";

/** `number`: one that a double cannot give back digit for digit. `json`: no JSON, no object, or a string with half a surrogate pair. */
export type StrictJsonCode = "not_utf8" | "json" | "duplicate_key" | "too_deep" | "number";

/** A value in an object. A bigint stands only where the caller asked for them. */
export type JsonValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

/** How much is read. */
export interface StrictJsonOptions {
  /** Deepest nesting, the object itself counted; 32 unless told otherwise, to be kept far below the stack's depth. */
  readonly maxDepth?: number;
  /** Whether integers beyond ±(2^53 - 1), of at most 40 digits, come back as bigint; else only those that a double holds are read. */
  readonly bigIntegers?: boolean;
}

const MAX_DEPTH = 32;

/** Reads a text, or bytes in UTF-8, as one object: its members in their order, with no two of one name at any depth. */
export function parseJsonObject(
  source: string | Uint8Array,
  options: StrictJsonOptions = {},
): Result<ReadonlyMap<string, JsonValue>, StrictJsonCode> {
  const text = typeof source === "string" ? source : decodeUtf8(source);
  if (text === undefined) return fail("not_utf8", "not JSON: the bytes are not UTF-8");
  const reader = new Reader(text, options);
  const members = reader.document();
  return members === undefined ? fail(reader.code, `${REASONS[reader.code]}: at character ${reader.at}`) : ok(members);
}

const REASONS: Readonly<Record<StrictJsonCode, string>> = {
  not_utf8: "not UTF-8",
  json: "not a JSON object",
  duplicate_key: "a name occurs twice in one object",
  too_deep: "nested too deeply",
  number: "a number has more digits than can be kept",
};

// `ignoreBOM` keeps a byte order mark in the text, where it is no JSON (RFC 8259 §8.1).
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes);
  } catch {
    return undefined;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const INTEGER = /^-?\d+$/;
/** Reading a bigint takes time with the square of its length; 64 bits have 20 digits. */
const MAX_BIG_CHARS = 40;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** A recursive descent; `undefined` stands for "refused, see `code`" everywhere, since JSON has no such value. */
class Reader {
  code: StrictJsonCode = "json";
  at = 0;
  readonly #text: string;
  readonly #maxDepth: number;
  readonly #bigIntegers: boolean;

  constructor(text: string, { maxDepth = MAX_DEPTH, bigIntegers = false }: StrictJsonOptions) {
    this.#text = text;
    this.#maxDepth = maxDepth;
    this.#bigIntegers = bigIntegers;
  }

  document(): ReadonlyMap<string, JsonValue> | undefined {
    if (!this.#accept(0x7b)) return undefined;
    const members = this.#members(1);
    if (members === undefined) return undefined;
    return Number.isNaN(this.#next()) ? members : undefined;
  }

  /** After `{`. */
  #members(depth: number): Map<string, JsonValue> | undefined {
    if (depth > this.#maxDepth) return this.#refuse("too_deep");
    const members = new Map<string, JsonValue>();
    if (this.#accept(0x7d)) return members;
    do {
      const name = this.#next() === QUOTE ? this.#string() : undefined;
      if (name === undefined) return undefined;
      if (members.has(name)) return this.#refuse("duplicate_key");
      if (!this.#accept(0x3a)) return undefined;
      const value = this.#value(depth + 1);
      if (value === undefined) return undefined;
      members.set(name, value);
    } while (this.#accept(0x2c));
    return this.#accept(0x7d) ? members : undefined;
  }

  #value(depth: number): JsonValue | undefined {
    switch (this.#next()) {
      case QUOTE:
        return this.#string();
      case 0x7b: {
        this.at++;
        const members = this.#members(depth);
        // Makes own members, `__proto__` too, which an assignment would not.
        return members === undefined ? undefined : Object.fromEntries(members);
      }
      case 0x5b:
        this.at++;
        return this.#array(depth);
      case 0x74:
        return this.#word("true", true);
      case 0x66:
        return this.#word("false", false);
      case 0x6e:
        return this.#word("null", null);
      default:
        return this.#number();
    }
  }

  /** After `[`. */
  #array(depth: number): readonly JsonValue[] | undefined {
    if (depth > this.#maxDepth) return this.#refuse("too_deep");
    const items: JsonValue[] = [];
    if (this.#accept(0x5d)) return items;
    do {
      const item = this.#value(depth + 1);
      if (item === undefined) return undefined;
      items.push(item);
    } while (this.#accept(0x2c));
    return this.#accept(0x5d) ? items : undefined;
  }

  /** At the opening quote. */
  #string(): string | undefined {
    const text = this.#text;
    const start = this.at;
    let hasEscape = false;
    for (let at = start + 1; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      if (unit === QUOTE) {
        this.at = at + 1;
        return hasEscape ? decodeLiteral(text.slice(start, at + 1)) : wellFormed(text.slice(start + 1, at));
      }
      if (unit < 0x20) break;
      if (unit === BACKSLASH) {
        hasEscape = true;
        at++;
      }
    }
    return undefined;
  }

  #number(): number | bigint | undefined {
    NUMBER.lastIndex = this.at;
    const digits = NUMBER.exec(this.#text)?.[0];
    if (digits === undefined) return undefined;
    this.at += digits.length;
    const value = Number(digits);
    if (Number.isSafeInteger(value) && INTEGER.test(digits)) return value;
    if (this.#bigIntegers && digits.length <= MAX_BIG_CHARS && INTEGER.test(digits)) return BigInt(digits);
    if (Number.isFinite(value) && toDecimal(digits) === toDecimal(String(value))) return value;
    return this.#refuse("number");
  }

  #word<T extends JsonValue>(word: string, value: T): T | undefined {
    if (!this.#text.startsWith(word, this.at)) return undefined;
    this.at += word.length;
    return value;
  }

  #refuse(code: StrictJsonCode): undefined {
    this.code = code;
  }

  /** Skips white space; the unit at the new place, NaN at the end. */
  #next(): number {
    for (;;) {
      const unit = this.#text.charCodeAt(this.at);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return unit;
      this.at++;
    }
  }

  #accept(unit: number): boolean {
    if (this.#next() !== unit) return false;
    this.at++;
    return true;
  }
}

function decodeLiteral(literal: string): string | undefined {
  try {
    return wellFormed(JSON.parse(literal) as string);
  } catch {
    return undefined;
  }
}

const wellFormed = (text: string): string | undefined => (LONE_SURROGATE.test(text) ? undefined : text);

/** A number's text as `<sign><digits>e<exponent>` with no zeros at either end: equal exactly when the numbers are. */
function toDecimal(text: string): string {
  const [, sign = "", whole = "", fraction = "", power = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, "");
  // SECURITY: not `/0+$/`, which takes time with the square of the zeros where another digit stands behind them: 2 s for 60,000.
  let end = digits.length;
  while (digits[end - 1] === "0") end--;
  const kept = digits.slice(0, end);
  return kept === "" ? "0" : `${sign}${kept}e${Number(power) - fraction.length + digits.length - kept.length}`;
}
