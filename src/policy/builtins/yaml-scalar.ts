// What a YAML scalar means: SPEC: go.yaml.in/yaml v3.0.5 (resolve.go), which OPA uses: YAML 1.2's booleans, YAML 1.1's octals and
// underscores in numbers, timestamps. Text that is none of these is a string.

/** The type of a scalar with its value; numbers as text. */
export type YamlScalarValue =
  | { readonly type: "null" | "bool" | "timestamp" | "str" }
  | { readonly type: "int"; readonly value: bigint }
  | { readonly type: "float"; readonly value: number };

const WORDS: ReadonlyMap<string, YamlScalarValue> = new Map<string, YamlScalarValue>([
  ...["", "~", "null", "Null", "NULL"].map((word): [string, YamlScalarValue] => [word, { type: "null" }]),
  ...["true", "True", "TRUE"].map((word): [string, YamlScalarValue] => [word, { type: "bool" }]),
  ...["false", "False", "FALSE"].map((word): [string, YamlScalarValue] => [word, { type: "bool" }]),
  ...[".nan", ".NaN", ".NAN"].map((word): [string, YamlScalarValue] => [word, { type: "float", value: Number.NaN }]),
  ...[".inf", ".Inf", ".INF"].flatMap((word): [string, YamlScalarValue][] => [
    [word, { type: "float", value: Number.POSITIVE_INFINITY }],
    [`+${word}`, { type: "float", value: Number.POSITIVE_INFINITY }],
    [`-${word}`, { type: "float", value: Number.NEGATIVE_INFINITY }],
  ]),
]);

const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;

/** What a plain scalar means. */
export function resolvePlain(text: string): YamlScalarValue {
  const word = WORDS.get(text);
  if (word !== undefined) return word;
  if (text.startsWith(".")) return toFloat(text) ?? { type: "str" };
  if (!/^[-+0-9]/.test(text)) return { type: "str" };
  if (isTimestamp(text)) return { type: "timestamp" };
  const plain = text.replaceAll("_", "");
  const integer = toInteger(plain);
  if (integer !== undefined) return { type: "int", value: integer };
  const float = toFloat(plain);
  if (float !== undefined) return float;
  const prefixed = toPrefixedInteger(plain);
  return prefixed === undefined ? { type: "str" } : { type: "int", value: prefixed };
}

function toFloat(text: string): YamlScalarValue | undefined {
  if (!FLOAT.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? { type: "float", value } : undefined;
}

/** SECURITY: 64 binary digits are the longest that fit, and leading zeros are no reason to build a large integer. */
const MAX_DIGITS = 400;

function toBigInt(digits: string, base: 2 | 8 | 10 | 16): bigint | undefined {
  const pattern = { 2: /^[01]+$/, 8: /^[0-7]+$/, 10: /^[0-9]+$/, 16: /^[0-9A-Fa-f]+$/ }[base];
  if (digits.length > MAX_DIGITS || !pattern.test(digits)) return undefined;
  return base === 10 ? BigInt(digits) : BigInt(`${{ 2: "0b", 8: "0o", 16: "0x" }[base]}${digits}`);
}

/** Go's `ParseInt`, else `ParseUint`, of 64 bits; base 0 is told by the prefix. */
function toInteger(text: string): bigint | undefined {
  const [, sign = "", prefix = "", digits = ""] = /^([-+]?)(0[xXbBoO]?)?(.*)$/s.exec(text) ?? [];
  if (prefix === "") return bounded(sign, toBigInt(digits, 10));
  if (prefix === "0") return bounded(sign, digits === "" ? 0n : toBigInt(digits, 8));
  const base = /x/i.test(prefix) ? 16 : /b/i.test(prefix) ? 2 : 8;
  return bounded(sign, toBigInt(digits, base));
}

function bounded(sign: string, magnitude: bigint | undefined): bigint | undefined {
  if (magnitude === undefined) return undefined;
  if (sign === "-") return magnitude <= 2n ** 63n ? -magnitude : undefined;
  return magnitude < (sign === "" ? 2n ** 64n : 2n ** 63n) ? magnitude : undefined;
}

/** Signs behind `0b` and `0o`, which go-yaml lets through. */
function toPrefixedInteger(text: string): bigint | undefined {
  const [, prefix, sign = "", digits = ""] = /^0([bo])([-+])([0-9]+)$/.exec(text) ?? [];
  if (prefix === undefined) return undefined;
  return bounded(sign, toBigInt(digits, prefix === "b" ? 2 : 8));
}

const TIMESTAMP =
  /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[Tt](\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,]\d+)?(Z|[-+]\d{2}:\d{2})| (\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,]\d+)?)?$/;

/** Whether Go takes the text for a time: days and zones must exist. */
function isTimestamp(text: string): boolean {
  const match = TIMESTAMP.exec(text);
  if (match === null) return false;
  const [, year = "", month = "", day = ""] = match;
  const [hour = "0", minute = "0", second = "0"] = match[4] === undefined ? match.slice(8, 11) : match.slice(4, 7);
  const zone = match[7] ?? "Z";
  const lastDay = new Date(Date.UTC(2000 + (Number(year) % 400), Number(month), 0)).getUTCDate();
  return (
    Number(month) >= 1 &&
    Number(month) <= 12 &&
    Number(day) >= 1 &&
    Number(day) <= lastDay &&
    Number(hour) < 24 &&
    Number(minute) < 60 &&
    Number(second) < 60 &&
    (zone === "Z" || (Number(zone.slice(1, 3)) <= 24 && Number(zone.slice(4)) <= 60))
  );
}
