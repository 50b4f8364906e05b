// Why a builtin inside OPA's WASM module has no value for its operands: the checks that OPA's own implementation makes
// (v1/topdown), in its order and its words. The module makes the same ones and keeps the reason to itself.

import { RegoNumber, RegoObject, RegoSet, type Value } from "../value.ts";
import { BuiltinError } from "./builtin.ts";
import { goQuote } from "./go-text.ts";
import { parseAddress, parseNetwork } from "./ip-network.ts";
import { isArray, kindOf, toInt64 } from "./operands.ts";
import { compilePattern } from "./regex.ts";

/** Words for what is wrong with the operands; undefined when this is not. */
export type Check = (args: readonly Value[], spend?: (steps: number) => void) => string | undefined;

const must = (index: number, expected: string, got: string): string =>
  `operand ${index + 1} must be ${expected} but got ${got}`;

/** Operand `index` (from 0) is of one of these types, listed as OPA lists them. */
export const is =
  (index: number, ...kinds: readonly string[]): Check =>
  (args) => {
    const got = kindOf(args[index]);
    if (kinds.includes(got)) return undefined;
    return must(index, kinds.length === 1 ? (kinds[0] ?? "") : `one of {${kinds.join(", ")}}`, got);
  };

/** Operand `index` is an integer: any (`integer`, as OPA says), or one of 64 bits (`number`). */
export const whole =
  (index: number, kind: "integer" | "number"): Check =>
  (args) => {
    const value = args[index];
    if (!(value instanceof RegoNumber)) return must(index, kind, kindOf(value));
    const integer = kind === "integer" ? value.toBigInt() : toInt64(value);
    return integer === undefined ? must(index, "integer number", "floating-point number") : undefined;
  };

/** The elements of operand `index`, an array or set, are of one type, or of its plural in OPA's words. */
export const elements =
  (index: number, kind: string, plural = `${kind}s`): Check =>
  (args) => {
    const operand = args[index];
    const outer = kindOf(operand);
    const wrong = valuesOf(operand).find((element) => kindOf(element) !== kind);
    if (wrong === undefined) return undefined;
    return must(index, `${outer} of ${plural}`, `${outer} containing ${kindOf(wrong)}`);
  };

/** The elements of operand `index` are sets. */
export const sets =
  (index: number): Check =>
  (args) => {
    const wrong = valuesOf(args[index]).find((element) => !(element instanceof RegoSet));
    return wrong === undefined ? undefined : must(index, "set", kindOf(wrong));
  };

/** The elements of operand `index` are paths: strings, or arrays of segments. */
export const paths =
  (index: number): Check =>
  (args) => {
    const wrong = valuesOf(args[index]).find((element) => typeof element !== "string" && !isArray(element));
    const expected = "one of {set, array} containing string paths or array of path segments";
    return wrong === undefined ? undefined : must(index, expected, kindOf(wrong));
  };

/** Operand `index` compiles as a regular expression of RE2. */
export const pattern =
  (index: number): Check =>
  (args, spend = () => undefined) => {
    try {
      compilePattern(String(args[index]), spend);
      return undefined;
    } catch (error) {
      if (error instanceof BuiltinError) return error.message.replace(/^regular expression: /, "");
      throw error;
    }
  };

/** Operand `index` is an IP network, or an address where `address` allows one. OPA calls both operands the first one. */
export const cidr =
  (index: number, address = false): Check =>
  (args) => {
    const operand = args[index];
    if (typeof operand !== "string") return must(0, "string", kindOf(operand));
    if (parseNetwork(operand) !== undefined) return undefined;
    if (!address) return `invalid CIDR address: ${operand}`;
    if (parseAddress(operand) !== undefined) return undefined;
    return `not a valid textual representation of an IP address or CIDR: ${operand}`;
  };

/** Subtraction is one of numbers or one of sets. */
export const sameKind: Check = (args) => {
  const [a, b] = args.map(kindOf);
  return a === b ? undefined : is(1, a === "set" && b === "number" ? "set" : "number")(args);
};

/** The roots of a search in a graph, operand 2; the braces are OPA's. */
export const roots: Check = (args) =>
  is(1, "array", "set")(args) === undefined ? undefined : is(1, "{array, set}")(args);

/** Operand 2 is not zero. */
export const notZero =
  (words: string): Check =>
  ([, divisor]) =>
    divisor instanceof RegoNumber && divisor.toBigInt() === 0n ? words : undefined;

/** Both operands of a modulo are whole. */
export const wholeModulo: Check = (args) =>
  args.every((operand) => operand instanceof RegoNumber && operand.toBigInt() !== undefined)
    ? undefined
    : "modulo on floating-point number";

/** Operand 2, by which bits are shifted, is not negative. */
export const notNegative: Check = ([, shift]) =>
  shift instanceof RegoNumber && shift.text.startsWith("-")
    ? "operand 2 must be an unsigned integer number but got a negative integer"
    : undefined;

/** The values of operand 1, an object, are strings, and its keys are too. */
export const stringPatterns: Check = ([patterns]) => {
  const entries = patterns instanceof RegoObject ? patterns.entries : [];
  if (entries.some(([key]) => typeof key !== "string")) return "operand 1 non-string key found in pattern object";
  if (entries.some(([, value]) => typeof value !== "string"))
    return "operand 1 non-string value found in pattern object";
  return undefined;
};

/** Operand 2 is a base that numbers are written in. */
export const base: Check = ([, value]) =>
  value instanceof RegoNumber && ["2", "8", "10", "16"].includes(String(value.toBigInt()))
    ? undefined
    : "operand 2 must be one of {2, 8, 10, 16}";

/** Where a part of a text begins. */
export const offset: Check = ([, value]) =>
  value instanceof RegoNumber && value.text.startsWith("-") ? "negative offset" : undefined;

/** The text of a number. SPEC: Go's strconv.ParseFloat, whose infinities and NaN OPA refuses. */
export const numeral: Check = ([text]) => {
  if (typeof text !== "string") return undefined;
  if (/^[+-]?(?:inf|infinity|nan)$/i.test(text)) return "operand 1 must be valid number string but got string";
  return `strconv.ParseFloat: parsing ${goQuote(text)}: invalid syntax`;
};

/** What separates the parts of a glob: characters. */
export const delimiters: Check = ([, value]) => {
  const wrong = valuesOf(value).find((element) => typeof element !== "string" || [...element].length !== 1);
  if (wrong === undefined) return undefined;
  const plural = typeof wrong === "string" ? "runes" : "strings";
  return must(1, `array of ${plural}`, `array containing ${kindOf(wrong)}`);
};

function valuesOf(operand: Value | undefined): readonly Value[] {
  if (operand instanceof RegoSet) return operand.values;
  return isArray(operand) ? operand : [];
}
