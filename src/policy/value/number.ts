// Numbers of Rego: arbitrary precision decimals that keep the text they were written with. Nothing here goes through
// a double unless it is asked to (`toNumber`), so integers beyond 2^53 and nanosecond timestamps stay exact.

import { ValueSyntaxError } from "./syntax-error.ts";

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
// OPA's runtime also writes `.5`, `1.` and `+1`: `to_number` keeps the text that it was given.
const LENIENT_NUMBER = /^([+-]?)(\d*)(?:\.(\d*))?([eE][+-]?\d+)?$/;
const PARTS = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** Most digits of an integer that `toBigInt` builds; `1e999999999` must not become a gigabyte. */
const MAX_INTEGER_DIGITS = 10_000;

/** ±0.DIGITS × 10^exponent, without zeros at either end; zero has no digits. */
interface Decimal {
  readonly negative: boolean;
  readonly digits: string;
  readonly exponent: number;
}

/** A number with its text; the text is always a JSON number. */
export class RegoNumber {
  /** As written, for example `1.0`, `1e3`, `9007199254740993`. */
  readonly text: string;

  private constructor(text: string) {
    this.text = text;
  }

  /** The number of a JavaScript number or bigint. Throws RangeError for NaN and infinities. */
  static of(value: number | bigint): RegoNumber {
    if (typeof value === "number" && !Number.isFinite(value))
      throw new RangeError(`not a number of Rego: \`${value}\``);
    return new RegoNumber(String(value));
  }

  /** Reads a JSON number, or a form that OPA's runtime lets through (`.5`, `1.`, `+1`, `007`). Throws ValueSyntaxError. */
  static parse(text: string): RegoNumber {
    if (JSON_NUMBER.test(text)) return new RegoNumber(text);
    const [, sign, whole = "", fraction = "", exponent = ""] = LENIENT_NUMBER.exec(text) ?? [];
    if (sign === undefined || (whole === "" && fraction === ""))
      throw new ValueSyntaxError(`not a number: \`${text}\``);
    const integer = whole.replace(/^0+(?=\d)/, "") || "0";
    return new RegoNumber(`${sign === "-" ? "-" : ""}${integer}${fraction === "" ? "" : `.${fraction}`}${exponent}`);
  }

  /** The nearest double; infinite when out of range. */
  toNumber(): number {
    return Number(this.text);
  }

  /** The exact integer when the value is one (`1.0` and `1e3` count); undefined otherwise and beyond 10,000 digits. */
  toBigInt(): bigint | undefined {
    const { negative, digits, exponent } = toDecimal(this.text);
    if (digits.length > exponent && digits !== "") return undefined;
    if (exponent > MAX_INTEGER_DIGITS) return undefined;
    const magnitude = digits === "" ? 0n : BigInt(digits.padEnd(exponent, "0"));
    return negative ? -magnitude : magnitude;
  }
}

/** Orders by exact value: `1`, `1.0` and `10e-1` are equal. */
export function compareNumbers(a: RegoNumber, b: RegoNumber): number {
  if (a.text === b.text) return 0;
  // PERF: up to 15 digits a double is exact, and almost every number of a request is that short.
  if (a.text.length <= 15 && b.text.length <= 15) {
    const x = Number(a.text);
    const y = Number(b.text);
    if (Number.isSafeInteger(x) && Number.isSafeInteger(y) && isPlain(a.text) && isPlain(b.text))
      return x < y ? -1 : x > y ? 1 : 0;
  }
  return compareDecimals(toDecimal(a.text), toDecimal(b.text));
}

const isPlain = (text: string): boolean => /^-?\d+$/.test(text);

function compareDecimals(a: Decimal, b: Decimal): number {
  const signA = a.digits === "" ? 0 : a.negative ? -1 : 1;
  const signB = b.digits === "" ? 0 : b.negative ? -1 : 1;
  if (signA !== signB) return signA - signB;
  if (signA === 0) return 0;
  if (a.exponent !== b.exponent) return a.exponent < b.exponent ? -signA : signA;
  if (a.digits === b.digits) return 0;
  return a.digits < b.digits ? -signA : signA;
}

function toDecimal(text: string): Decimal {
  const [, sign, whole = "", fraction = "", exponent = "0"] = PARTS.exec(text) ?? [];
  const all = whole + fraction;
  let start = 0;
  let end = all.length;
  while (start < end && all.charCodeAt(start) === 0x30) start++;
  while (end > start && all.charCodeAt(end - 1) === 0x30) end--;
  if (start === end) return { negative: false, digits: "", exponent: 0 };
  return { negative: sign === "-", digits: all.slice(start, end), exponent: whole.length - start + Number(exponent) };
}
