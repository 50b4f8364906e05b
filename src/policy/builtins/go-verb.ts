// One argument under one verb, as Go's fmt prints it (fmt/print.go printArg, fmt/format.go, math/big Int.Format).
// OPA hands fmt four kinds of argument only, so no other type of Go is here.

import { isWellFormed, toBytes } from "../value.ts";
import { BuiltinError } from "./builtin.ts";
import { formatFloat } from "./go-float.ts";
import { goQuote, isPrint } from "./go-text.ts";

/** An argument as OPA passes it: `bigint` is Go's *big.Int, for integers beyond 64 bits. */
export type FormatArg =
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "int64"; readonly value: bigint }
  | { readonly kind: "bigint"; readonly value: bigint }
  | { readonly kind: "float64"; readonly value: number };

/** Flags, width and precision of a directive; an absent width or precision was not given. */
export interface Flags {
  sharp?: boolean;
  zero?: boolean;
  plus?: boolean;
  minus?: boolean;
  space?: boolean;
  /** `#` and `+` under %v and %w mean another syntax, not these flags; only big integers still heed them. */
  sharpV?: boolean;
  plusV?: boolean;
  width?: number;
  precision?: number;
}

/** Go's name of the argument's type, as `%T` and the error forms print it. */
export const typeName = (arg: FormatArg): string => (arg.kind === "bigint" ? "*big.Int" : arg.kind);

const runeCount = (text: string): number => {
  let count = 0;
  for (const _ of text) count++;
  return count;
};

const padding = (count: number, char: string): string => (count > 0 ? char.repeat(count) : "");

/** Pads with spaces, or with zeros on the left when the `0` flag stands and `-` does not. */
function pad(text: string, flags: Flags): string {
  const missing = (flags.width ?? 0) - runeCount(text);
  if (missing <= 0) return text;
  if (flags.minus === true) return text + padding(missing, " ");
  return padding(missing, flags.zero === true ? "0" : " ") + text;
}

const truncate = (text: string, precision: number | undefined): string =>
  precision === undefined || text.length <= precision ? text : [...text].slice(0, precision).join("");

function formatHexBytes(text: string, upper: boolean, flags: Flags): string {
  const bytes = toBytes(text).subarray(0, flags.precision);
  const mark = flags.sharp === true ? (upper ? "0X" : "0x") : "";
  const digits = bytes.toString("hex");
  const cased = upper ? digits.toUpperCase() : digits;
  if (bytes.length === 0) return pad("", flags);
  if (flags.space !== true) return pad(mark + cased, flags);
  return pad((cased.match(/../g) ?? []).map((pair) => mark + pair).join(" "), flags);
}

/** Go's `strconv.CanBackquote`: UTF-8, no backquote, no byte order mark, no control character but the tab. */
function canBackquote(text: string): boolean {
  if (!isWellFormed(text)) return false;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if ((unit < 0x20 && unit !== 0x09) || unit === 0x60 || unit === 0x7f || unit === 0xfeff) return false;
  }
  return true;
}

function formatString(value: string, verb: string, flags: Flags): string | undefined {
  const text = truncate(value, flags.precision);
  switch (verb) {
    case "s":
      return pad(text, flags);
    case "v":
      return pad(flags.sharpV === true ? goQuote(text) : text, flags);
    case "q":
      if (flags.sharp === true && canBackquote(text)) return pad(`\`${text}\``, flags);
      return pad(goQuote(text, '"', flags.plus === true), flags);
    case "x":
    case "X":
      return formatHexBytes(value, verb === "X", flags);
    default:
      return undefined;
  }
}

const BASES: Readonly<Record<string, number>> = { d: 10, v: 10, b: 2, o: 8, O: 8, x: 16, X: 16 };

function signOf(negative: boolean, flags: Flags): string {
  if (negative) return "-";
  if (flags.plus === true) return "+";
  return flags.space === true ? " " : "";
}

function digitsOf(magnitude: bigint, verb: string): string {
  const digits = magnitude.toString(BASES[verb]);
  return verb === "X" ? digits.toUpperCase() : digits;
}

function formatInt64(value: bigint, verb: string, flags: Flags): string {
  if (flags.precision === 0 && value === 0n) return padding(flags.width ?? 0, " ");
  const sign = signOf(value < 0n, flags);
  let least = flags.precision ?? 0;
  if (flags.precision === undefined && flags.zero === true && flags.minus !== true && flags.width !== undefined) {
    least = flags.width - sign.length;
  }
  let digits = digitsOf(value < 0n ? -value : value, verb).padStart(least, "0");
  if (flags.sharp === true) {
    if (verb === "b") digits = `0b${digits}`;
    else if ((verb === "o" || verb === "O") && !digits.startsWith("0")) digits = `0${digits}`;
    else if (verb === "x" || verb === "X") digits = `0${verb}${digits}`;
  }
  return pad(`${sign}${verb === "O" ? "0o" : ""}${digits}`, { ...flags, zero: false });
}

const BIG_PREFIXES: Readonly<Record<string, string>> = { b: "0b", o: "0", x: "0x", X: "0X" };

/** math/big's own rules: zero padding and prefixes are not quite those of fmt. */
function formatBigInt(value: bigint, verb: string, flags: Flags): string {
  if (flags.precision === 0 && value === 0n) return "";
  const sign = signOf(value < 0n, flags.plusV === true ? { ...flags, plus: true } : flags);
  const prefix = verb === "O" ? "0o" : flags.sharp === true ? (BIG_PREFIXES[verb] ?? "") : "";
  const digits = digitsOf(value < 0n ? -value : value, verb === "s" ? "d" : verb);
  let zeros = Math.max((flags.precision ?? 0) - digits.length, 0);
  const missing = (flags.width ?? 0) - (sign.length + prefix.length + zeros + digits.length);
  const zeroPadded = missing > 0 && flags.minus !== true && flags.zero === true && flags.precision === undefined;
  if (zeroPadded) zeros = missing;
  return pad(`${sign}${prefix}${padding(zeros, "0")}${digits}`, { ...flags, zero: false });
}

const runeOf = (value: bigint): string => {
  const valid = value >= 0n && value <= 0x10ffffn && (value < 0xd800n || value > 0xdfffn);
  return valid ? String.fromCodePoint(Number(value)) : "\ufffd";
};

function formatUnicode(value: bigint, flags: Flags): string {
  const unsigned = BigInt.asUintN(64, value);
  const shown = flags.sharp === true && unsigned <= 0x10ffffn && isPrint(Number(unsigned));
  const digits = unsigned
    .toString(16)
    .toUpperCase()
    .padStart(Math.max(flags.precision ?? 0, 4), "0");
  return pad(`U+${digits}${shown ? ` '${runeOf(unsigned)}'` : ""}`, { ...flags, zero: false });
}

/** Restores the point and the zeros that `#` asks for: `digits` significant ones for %g, as many as there are for %e, %f. */
function withPoint(text: string, verb: string, precision: number): string {
  const hexadecimal = verb === "x" || verb === "X";
  const split = text.search(hexadecimal ? /[pP]/ : /[eE]/);
  const number = split < 0 ? text : text.slice(0, split);
  const tail = split < 0 ? "" : text.slice(split);
  let wanted = verb === "g" || verb === "G" || verb === "x" ? (precision < 0 ? 6 : precision) : 0;
  const counted = number.replace(/\./g, "").replace(/^0+/, "");
  wanted -= counted.length;
  const point = number.includes(".") ? "" : ".";
  if (point !== "" && number === "0") wanted--;
  return number + point + padding(wanted, "0") + tail;
}

function formatFloat64(value: number, verb: string, flags: Flags): string | undefined {
  if (!"vbgGxXfFeE".includes(verb)) return undefined;
  const fixed = verb === "f" || verb === "F" || verb === "e" || verb === "E";
  const precision = flags.precision ?? (fixed ? 6 : -1);
  const format = (verb === "v" ? "g" : verb === "F" ? "f" : verb) as "e" | "E" | "f" | "g" | "G" | "x" | "X" | "b";
  const negative = value < 0 || Object.is(value, -0);
  let number = formatFloat(Math.abs(value), format, precision);
  if (flags.sharp === true && verb !== "b") number = withPoint(number, format, precision);
  const sign = signOf(negative, flags);
  const zeros = flags.zero === true && flags.minus !== true && sign !== "";
  if (zeros) return sign + padding((flags.width ?? 0) - number.length - 1, "0") + number;
  return pad(sign + number, flags);
}

function formatInteger(value: bigint, verb: string, flags: Flags): string | undefined {
  if (verb in BASES) return formatInt64(value, verb, flags);
  if (verb === "c") return pad(runeOf(value), flags);
  if (verb === "q") return pad(goQuote(runeOf(value), "'", flags.plus === true), flags);
  return verb === "U" ? formatUnicode(value, flags) : undefined;
}

function formatBig(arg: FormatArg & { kind: "bigint" }, verb: string, flags: Flags): string {
  // Go prints an address for %p and its innards for %w: nothing a policy could mean.
  if (verb === "p" || verb === "w") throw new BuiltinError(`sprintf: %${verb} of an integer beyond 64 bits`);
  if (verb in BASES || verb === "s") return formatBigInt(arg.value, verb, flags);
  return `%!${verb}(big.Int=${arg.value})`;
}

function formatKnown(arg: FormatArg, verb: string, flags: Flags): string | undefined {
  switch (arg.kind) {
    case "string":
      return formatString(arg.value, verb, flags);
    case "int64":
      return formatInteger(arg.value, verb, flags);
    case "bigint":
      return formatBig(arg, verb, flags);
    case "float64":
      return formatFloat64(arg.value, verb, flags);
  }
}

/** `arg` under `verb`; a verb that the type does not know gives `%!verb(type=value)`. */
export function formatArg(arg: FormatArg, verb: string, flags: Flags): string {
  if (verb === "T") return pad(truncate(typeName(arg), flags.precision), flags);
  const text = formatKnown(arg, verb, flags);
  if (text !== undefined) return text;
  return `%!${verb}(${typeName(arg)}=${formatKnown(arg, "v", flags) ?? ""})`;
}
