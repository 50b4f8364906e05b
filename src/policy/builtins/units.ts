// `units.parse` ("1.5Ki", "100m") and `units.parse_bytes` ("2GiB") in exact arithmetic (v1/topdown/parse_units.go).

import { RegoNumber } from "../value.ts";
import { BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { stringOperand } from "./operands.ts";

/** numerator / denominator, the latter positive. */
interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** Longest amount; its digits are multiplied out. */
const MAX_AMOUNT_CHARS = 1_024;
/** OPA takes exponents up to a million, which is a number of a million digits. */
const MAX_EXPONENT = 5_000;

const PREFIXES = "kmgtpe";

/** Powers of 1,000 (`k`) or 1,024 (`ki`) by prefix, 1 for none. */
function multiplierOf(unit: string): bigint | undefined {
  if (unit === "") return 1n;
  const power = PREFIXES.indexOf(unit.slice(0, 1)) + 1;
  if (power === 0) return undefined;
  if (unit.length === 1) return 1_000n ** BigInt(power);
  return unit.slice(1) === "i" ? 1_024n ** BigInt(power) : undefined;
}

/** Splits where OPA does: at the first character that belongs to no decimal number with an exponent. */
function splitAmount(text: string): readonly [amount: string, unit: string] {
  if (text.includes(" ")) throw new BuiltinError("spaces not allowed in resource strings");
  const amount = /^(?:[0-9.+-]|[eE][+-]|[eE](?=[0-9]))*/.exec(text)?.[0] ?? "";
  if (amount === "") throw new BuiltinError("no amount provided");
  if (amount.length > MAX_AMOUNT_CHARS) throw new BuiltinError("amount too long");
  return [amount, text.slice(amount.length)];
}

function parseAmount(text: string): Fraction {
  const match = /^([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?$/.exec(text);
  const [, sign, whole = "", fraction = "", exponent = "0"] = match ?? [];
  if (match === null || whole + fraction === "") throw new BuiltinError("could not parse amount to a number");
  const power = Number(exponent) - fraction.length;
  if (Math.abs(Number(exponent)) > MAX_EXPONENT) throw new BuiltinError("exponent too large");
  const digits = BigInt(whole + fraction) * (sign === "-" ? -1n : 1n);
  if (power >= 0) return { numerator: digits * 10n ** BigInt(power), denominator: 1n };
  return { numerator: digits, denominator: 10n ** BigInt(-power) };
}

/** Ten digits behind the point, half away from zero, as Go's `Rat.FloatString(10)`; whole numbers without a point. */
function formatFraction({ numerator, denominator }: Fraction): string {
  if (numerator % denominator === 0n) return String(numerator / denominator);
  const magnitude = numerator < 0n ? -numerator : numerator;
  const scaled = (magnitude * 10n ** 10n * 2n + denominator) / (denominator * 2n);
  const digits = String(scaled).padStart(11, "0");
  return `${numerator < 0n ? "-" : ""}${digits.slice(0, -10)}.${digits.slice(-10)}`;
}

/** Go turns 0.001 into the double next to it, and multiplies by that. */
const MILLI: Fraction = { numerator: 1152921504606847n, denominator: 2n ** 60n };

function parseUnits(text: string): RegoNumber {
  const [amount, unit] = splitAmount(text.replaceAll('"', ""));
  // Only the first letter tells `m` (a thousandth) from `M` (a million).
  const shape = unit.slice(0, 1) + unit.slice(1).toLowerCase();
  const { numerator, denominator } = parseAmount(amount);
  if (shape === "m") {
    return RegoNumber.parse(
      formatFraction({ numerator: numerator * MILLI.numerator, denominator: denominator * MILLI.denominator }),
    );
  }
  const multiplier = multiplierOf(shape.toLowerCase());
  if (multiplier === undefined) throw new BuiltinError("unit not recognized");
  return RegoNumber.parse(formatFraction({ numerator: numerator * multiplier, denominator }));
}

/** Rounds to the 64 bits of a Go `big.Float`, half to even. */
function toFloat64Bits({ numerator, denominator }: Fraction): Fraction {
  const magnitude = numerator < 0n ? -numerator : numerator;
  if (magnitude === 0n) return { numerator: 0n, denominator: 1n };
  let shift = 64 - (bitLength(magnitude) - bitLength(denominator));
  let quotient = scaledQuotient(magnitude, denominator, shift);
  while (bitLength(quotient) > 64) quotient = scaledQuotient(magnitude, denominator, --shift);
  const sign = numerator < 0n ? -1n : 1n;
  if (shift <= 0) return { numerator: sign * (quotient << BigInt(-shift)), denominator: 1n };
  return { numerator: sign * quotient, denominator: 1n << BigInt(shift) };
}

const bitLength = (value: bigint): number => value.toString(2).length;

function scaledQuotient(magnitude: bigint, denominator: bigint, shift: number): bigint {
  const top = shift > 0 ? magnitude << BigInt(shift) : magnitude;
  const bottom = shift < 0 ? denominator << BigInt(-shift) : denominator;
  const quotient = top / bottom;
  const twice = (top % bottom) * 2n;
  const isUp = twice > bottom || (twice === bottom && quotient % 2n === 1n);
  return isUp ? quotient + 1n : quotient;
}

function parseBytes(text: string): RegoNumber {
  const [amount, unit] = splitAmount(text.toLowerCase().replaceAll('"', ""));
  const multiplier = multiplierOf(unit === "b" ? "?" : unit.replace(/b$/, ""));
  if (multiplier === undefined) throw new BuiltinError("byte unit not recognized");
  const { numerator, denominator } = toFloat64Bits(parseAmount(amount));
  const product = toFloat64Bits({ numerator: numerator * multiplier, denominator });
  return RegoNumber.of(product.numerator / product.denominator);
}

/** `units.parse(text)` and `units.parse_bytes(text)`. */
export const unitBuiltins: BuiltinFamily = {
  "units.parse": (args) => parseUnits(stringOperand(args, 0)),
  "units.parse_bytes": (args) => parseBytes(stringOperand(args, 0)),
};
