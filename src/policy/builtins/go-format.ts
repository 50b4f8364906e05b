// The directives of Go's fmt.Sprintf (fmt/print.go, doPrintf): flags, width, precision, `*`, argument indexes `[n]`, and
// Go's own words for what is wrong (`%!d(string=a)`, `%!v(MISSING)`, `%!(EXTRA …)`). How one argument looks is go-verb.ts.

import { joinBytes, toWellFormed } from "../value.ts";
import { type BuiltinContext, BuiltinError, MAX_RESULT_CHARS } from "./builtin.ts";
import { type Flags, type FormatArg, formatArg, typeName } from "./go-verb.ts";
import { integerSteps } from "./prices.ts";

/** Go refuses a width or precision beyond this and prints `%!(BADWIDTH)` or `%!(BADPREC)`. */
const MAX_FIELD = 1_000_000;

const isDigit = (char: string | undefined): boolean => char !== undefined && char >= "0" && char <= "9";

/** Reads digits from `at`; `value` is undefined when there are none or Go calls the number too large. */
function readNumber(text: string, at: number, end: number): { value: number | undefined; next: number } {
  let value: number | undefined;
  let next = at;
  for (; next < end && isDigit(text[next]); next++) {
    if ((value ?? 0) > MAX_FIELD) return { value: undefined, next: end };
    value = (value ?? 0) * 10 + Number(text[next]);
  }
  return { value, next };
}

type Spend = BuiltinContext["spend"];

/** One directive; SECURITY: `%[1]d` a thousand times asks a thousand times for the digits of one argument. */
function stepsOf(arg: FormatArg): number {
  if (arg.kind === "bigint") return integerSteps(arg.value);
  if (arg.kind !== "float64") return 1_000;
  // A double far from 1 has hundreds of digits.
  return Math.abs(Math.log10(Math.abs(arg.value) || 1)) > 20 ? 40_000 : 5_000;
}

class Formatter {
  #at = 0;
  #argument = 0;
  #afterIndex = false;
  #goodIndex = true;
  #reordered = false;
  #out: string[] = [];
  #length = 0;
  readonly #format: string;
  readonly #args: readonly FormatArg[];
  readonly #spend: Spend;

  constructor(format: string, args: readonly FormatArg[], spend: Spend) {
    this.#format = format;
    this.#args = args;
    this.#spend = spend;
  }

  run(): string {
    while (this.#at < this.#format.length) {
      const percent = this.#format.indexOf("%", this.#at);
      this.#write(this.#format.slice(this.#at, percent < 0 ? undefined : percent));
      if (percent < 0) break;
      this.#at = percent + 1;
      this.#directive();
    }
    if (!this.#reordered && this.#argument < this.#args.length) this.#extra();
    return joinBytes(this.#out.join(""));
  }

  #write(text: string): void {
    this.#length += text.length;
    if (this.#length > MAX_RESULT_CHARS) throw new BuiltinError("sprintf: result too long");
    this.#out.push(text);
  }

  #extra(): void {
    const rest = this.#args.slice(this.#argument).map((arg) => {
      this.#spend(stepsOf(arg));
      return `${typeName(arg)}=${formatArg(arg, "v", {})}`;
    });
    this.#write(`%!(EXTRA ${rest.join(", ")})`);
  }

  #directive(): void {
    this.#goodIndex = true;
    this.#afterIndex = false;
    const flags = this.#flags();
    this.#index();
    this.#width(flags);
    this.#precision(flags);
    if (!this.#afterIndex) this.#index();
    const verb = this.#format.codePointAt(this.#at);
    if (verb === undefined) {
      this.#write("%!(NOVERB)");
      return;
    }
    const char = String.fromCodePoint(verb);
    this.#at += char.length;
    this.#verb(toWellFormed(char), flags);
  }

  #verb(verb: string, flags: Flags): void {
    const arg = this.#args[this.#argument];
    if (verb === "%") this.#write("%");
    else if (!this.#goodIndex) this.#write(`%!${verb}(BADINDEX)`);
    else if (arg === undefined) this.#write(`%!${verb}(MISSING)`);
    else {
      this.#argument++;
      if (verb === "v" || verb === "w") {
        flags.sharpV = flags.sharp === true;
        flags.plusV = flags.plus === true;
        flags.sharp = flags.plus = false;
      }
      // SECURITY: refuse before padding, so that a thousand directives of width 1e6 do not become a gigabyte first.
      if (this.#length + Math.max(flags.width ?? 0, flags.precision ?? 0) > MAX_RESULT_CHARS) {
        throw new BuiltinError("sprintf: result too long");
      }
      this.#spend(stepsOf(arg));
      this.#write(formatArg(arg, verb, flags));
    }
  }

  #flags(): Flags {
    const flags: Flags = {};
    for (; this.#at < this.#format.length; this.#at++) {
      const char = this.#format[this.#at];
      if (char === "#") flags.sharp = true;
      else if (char === "0") flags.zero = true;
      else if (char === "+") flags.plus = true;
      else if (char === "-") flags.minus = true;
      else if (char === " ") flags.space = true;
      else break;
    }
    return flags;
  }

  #index(): void {
    this.#afterIndex = false;
    if (this.#format[this.#at] !== "[") return;
    this.#reordered = true;
    const close = this.#format.indexOf("]", this.#at + 1);
    if (close < 0 || this.#format.length - this.#at < 3) {
      this.#goodIndex = false;
      this.#at++;
      return;
    }
    const { value, next } = readNumber(this.#format, this.#at + 1, close);
    const wellFormed = value !== undefined && next === close;
    this.#afterIndex = wellFormed;
    this.#at = close + 1;
    if (wellFormed && value >= 1 && value <= this.#args.length) this.#argument = value - 1;
    else this.#goodIndex = false;
  }

  /** The integer argument for `*`; undefined when it is none or too large. */
  #star(): number | undefined {
    this.#at++;
    const arg = this.#args[this.#argument];
    if (arg === undefined) return undefined;
    this.#argument++;
    if (arg.kind !== "int64" || arg.value > BigInt(MAX_FIELD) || arg.value < -BigInt(MAX_FIELD)) return undefined;
    return Number(arg.value);
  }

  #width(flags: Flags): void {
    if (this.#format[this.#at] === "*") {
      const width = this.#star();
      if (width === undefined) this.#write("%!(BADWIDTH)");
      else flags.width = Math.abs(width);
      if (width !== undefined && width < 0) {
        flags.minus = true;
        flags.zero = false;
      }
      this.#afterIndex = false;
      return;
    }
    const { value, next } = readNumber(this.#format, this.#at, this.#format.length);
    this.#at = next;
    if (value === undefined) return;
    flags.width = value;
    if (this.#afterIndex) this.#goodIndex = false;
  }

  #precision(flags: Flags): void {
    if (this.#at + 1 >= this.#format.length || this.#format[this.#at] !== ".") return;
    this.#at++;
    if (this.#afterIndex) this.#goodIndex = false;
    this.#index();
    if (this.#format[this.#at] === "*") {
      const precision = this.#star();
      if (precision === undefined || precision < 0) this.#write("%!(BADPREC)");
      else flags.precision = precision;
      this.#afterIndex = false;
      return;
    }
    const { value, next } = readNumber(this.#format, this.#at, this.#format.length);
    this.#at = next;
    flags.precision = value ?? 0;
  }
}

/** `fmt.Sprintf(format, args...)`; throws BuiltinError when the result would be longer than 4 Mi characters. */
export const goSprintf = (format: string, args: readonly FormatArg[], spend: Spend): string =>
  new Formatter(format, args, spend).run();
