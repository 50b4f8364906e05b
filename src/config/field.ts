// The kinds of configuration fields: how text becomes a value, and how the kind is described to people.
// What fields there are is in `fields.ts`.

import { parseDurationMs } from "../base/duration.ts";
import { fail, ok, type Result } from "../base/result.ts";

/** A JSON Schema of what a field may be in the configuration file, as far as a schema can say it. */
export interface ValueSchema {
  readonly type: "string" | "boolean" | "integer" | readonly ("string" | "integer")[];
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly pattern?: string;
}

/** Turns text into a value; `detail` of a failure says what would have been right. */
export interface FieldParser<T> {
  (text: string): Result<T, "field_invalid">;
  /** What YAML may hold; any text when absent. */
  readonly schema?: ValueSchema;
}

/** What may stand for the `*` of a key. */
export interface NameKind {
  /** For people: `TRUST_DOMAIN`. */
  readonly placeholder: string;
  /** A regular expression that matches a whole name. */
  readonly pattern: string;
  /** Completes `NAME is not valid: expected …`. */
  readonly expected: string;
}

/** One configuration field. */
export interface Field<T> {
  /**
   * The dotted key in the configuration document, OPA's where OPA has one. A `*` stands for a name that the file chooses and
   * that may hold dots: each value is then `NAME=TEXT`, as with `named`.
   */
  readonly key: string;
  /** What the names are, where the key has a `*` or names are narrower than any text. */
  readonly names?: NameKind;
  /** The command-line flag without its dashes; fields without one are set with `--set key=value`. */
  readonly flag?: string;
  /** What stands after the flag in `--help`; absent for switches. */
  readonly placeholder?: string;
  /** Whether the flag may occur several times; the values then add up. */
  readonly repeatable?: boolean;
  /** A map of names to text in the file (`labels`); repeatable, each value is `NAME=TEXT`, the last of a name counts. */
  readonly named?: boolean;
  /** Whether a reload (SIGHUP) takes up a new value; others need a restart. */
  readonly live?: boolean;
  /** The default as text that `parse` reads; undefined means not set. */
  readonly fallback: string | undefined;
  readonly parse: FieldParser<T>;
  /** The kind of value, for people: `duration`, `one of a | b`. */
  readonly kind: string;
  readonly doc: string;
}

const invalid = (detail: string): Result<never, "field_invalid"> => fail("field_invalid", detail);

const withSchema = <T>(parse: (text: string) => Result<T, "field_invalid">, schema: ValueSchema): FieldParser<T> =>
  Object.assign(parse, { schema });

/** Any text but the empty one. */
export const text: FieldParser<string> = withSchema(
  (value) => (value === "" ? invalid("must not be empty") : ok(value)),
  { type: "string", minLength: 1 },
);

/** `true` or `false`. */
export const flag: FieldParser<boolean> = withSchema(
  (value) => (value === "true" ? ok(true) : value === "false" ? ok(false) : invalid("expected `true` or `false`")),
  { type: "boolean" },
);

/** One word of a closed set. */
export const oneOf = <const T extends string>(...words: readonly T[]): FieldParser<T> =>
  withSchema(
    (value) =>
      (words as readonly string[]).includes(value) ? ok(value as T) : invalid(`expected one of ${words.join(", ")}`),
    { type: "string", enum: words },
  );

/** A whole number within a range, both ends included. */
export const integer = (min: number, max: number): FieldParser<number> =>
  withSchema(
    (value) => {
      const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
      return number >= min && number <= max ? ok(number) : invalid(`expected a whole number from ${min} to ${max}`);
    },
    { type: "integer", minimum: min, maximum: max },
  );

/** A whole number within a range, both ends included, or `off`. */
export const integerOrOff = (min: number, max: number): FieldParser<number | "off"> => {
  const number = integer(min, max);
  return withSchema<number | "off">(
    (value) => {
      if (value === "off") return ok(value);
      const parsed = number(value);
      return parsed.ok ? parsed : invalid(`expected a whole number from ${min} to ${max}, or \`off\``);
    },
    { type: ["integer", "string"], minimum: min, maximum: max, pattern: "^(off|\\d{1,15})$" },
  );
};

/** A duration with its unit, in milliseconds. */
export const duration = (minMs: number, maxMs: number): FieldParser<number> =>
  withSchema(
    (value) => {
      const ms = parseDurationMs(value);
      return ms !== undefined && ms >= minMs && ms <= maxMs
        ? ok(ms)
        : invalid(`expected a duration with a unit such as 250ms, 5s, 2m, from ${minMs}ms to ${maxMs}ms`);
    },
    { type: "string", pattern: "^(0|\\d{1,9}(us|ms|s|m|h))$" },
  );

/** A duration within a range, in milliseconds, or `off`, which is Infinity. */
export const durationOrOff = (minMs: number, maxMs: number): FieldParser<number> => {
  const limited = duration(minMs, maxMs);
  return withSchema(
    (value) => {
      if (value === "off") return ok(Number.POSITIVE_INFINITY);
      const parsed = limited(value);
      return parsed.ok ? parsed : invalid(`${parsed.detail}, or \`off\``);
    },
    { type: "string", pattern: "^(off|\\d{1,9}(us|ms|s|m|h))$" },
  );
};

const BYTE_UNITS: Readonly<Record<string, number>> = { "": 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** A size in bytes: a bare number or one with KiB, MiB, GiB. */
export const bytes = (min: number, max: number): FieldParser<number> =>
  withSchema(
    (value) => {
      const [, digits, unit = ""] = /^(\d{1,12})(KiB|MiB|GiB)?$/.exec(value) ?? [];
      const size = digits === undefined ? Number.NaN : Number(digits) * (BYTE_UNITS[unit] ?? Number.NaN);
      return size >= min && size <= max
        ? ok(size)
        : invalid(`expected a size such as 65536, 64KiB or 4MiB, from ${min} to ${max} bytes`);
    },
    { type: ["integer", "string"], minimum: min, maximum: max, pattern: "^\\d{1,12}(KiB|MiB|GiB)?$" },
  );

/** An octal file mode such as `0660`. */
export const fileMode: FieldParser<number> = withSchema(
  (value) =>
    /^0?[0-7]{3}$/.test(value) ? ok(Number.parseInt(value, 8)) : invalid("expected an octal mode such as 0660"),
  { type: ["integer", "string"], pattern: "^0?[0-7]{3}$" },
);

/** One entry of a map whose values are of a kind: `NAME=TEXT`. The schema is the value's. */
export const namedValue = <T>(
  names: NameKind,
  parse: FieldParser<T>,
): FieldParser<readonly [name: string, value: T]> => {
  const whole = new RegExp(names.pattern);
  return withSchema((value) => {
    const cut = value.indexOf("=");
    if (cut < 1) return invalid(`expected ${names.placeholder}=VALUE`);
    const name = value.slice(0, cut);
    if (!whole.test(name)) return invalid(`\`${name.slice(0, 80)}\` is not ${names.expected}`);
    const parsed = parse(value.slice(cut + 1));
    return parsed.ok ? ok([name, parsed.value]) : parsed;
  }, parse.schema ?? { type: "string" });
};

/** One entry of a map of short texts: `NAME=TEXT`. */
export const namedText: FieldParser<readonly [name: string, text: string]> = withSchema(
  (value) => {
    const [, name, text] = /^([^=\p{Cc}]{1,64})=([^\p{Cc}]{0,256})$/u.exec(value) ?? [];
    return name === undefined || text === undefined
      ? invalid(
          "expected NAME=TEXT: a name of 1 to 64 characters without `=`, a text of at most 256, no control characters",
        )
      : ok([name, text]);
  },
  { type: "string" },
);
