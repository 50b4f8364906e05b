// Durations as OPA reads them: Go's `time.ParseDuration` ("300ms", "-1.5h", "2h45m") and OPA's days, weeks and years
// (`d`, `w`, `y` as 24, 168 and 8,760 hours), which it turns into hours before Go reads them.

import { BuiltinError } from "./builtin.ts";
import { formatFloat } from "./go-float.ts";

const UNIT_NS: ReadonlyMap<string, bigint> = new Map([
  ["ns", 1n],
  ["us", 1_000n],
  ["\u00b5s", 1_000n],
  ["\u03bcs", 1_000n],
  ["ms", 1_000_000n],
  ["s", 1_000_000_000n],
  ["m", 60_000_000_000n],
  ["h", 3_600_000_000_000n],
]);

const HOURS: Readonly<Record<string, number>> = { d: 24, w: 168, y: 8_760 };

const LIMIT = 1n << 63n;

/** Longest text that is read: 2^63 ns has 19 digits, and no unit needs to be said twice. */
const MAX_DURATION_CHARS = 4_096;

const invalid = (text: string): BuiltinError => new BuiltinError(`invalid duration \`${text}\``);

/** Go keeps as many digits of a fraction as fit in 63 bits. */
function readFraction(digits: string): { value: bigint; scale: number } {
  let value = 0n;
  let scale = 1;
  for (const digit of digits) {
    if (value > (LIMIT - 1n) / 10n) break;
    const next = value * 10n + BigInt(digit);
    if (next > LIMIT) break;
    value = next;
    scale *= 10;
  }
  return { value, scale };
}

function segmentNs(whole: string, fraction: string | undefined, unit: string, text: string): bigint {
  const unitNs = UNIT_NS.get(unit);
  if (unitNs === undefined || (whole === "" && (fraction ?? "") === "")) throw invalid(text);
  const count = BigInt(whole === "" ? "0" : whole);
  if (count > LIMIT / unitNs) throw invalid(text);
  const { value, scale } = readFraction(fraction ?? "");
  // The double arithmetic is Go's own, rounding included.
  const partNs = value === 0n ? 0n : BigInt(Math.trunc(Number(value) * (Number(unitNs) / scale)));
  return count * unitNs + partNs;
}

function parseGoDuration(text: string, original: string): bigint {
  const negative = text.startsWith("-");
  const body = text.replace(/^[+-]/, "");
  if (body === "0") return 0n;
  if (body === "") throw invalid(original);
  const segment = /([0-9]*)(?:\.([0-9]*))?([^0-9.]+)/y;
  let totalNs = 0n;
  while (segment.lastIndex < body.length) {
    const match = segment.exec(body);
    if (match === null) throw invalid(original);
    totalNs += segmentNs(match[1] ?? "", match[2], match[3] ?? "", original);
    if (totalNs > LIMIT) throw invalid(original);
  }
  if (!negative && totalNs === LIMIT) throw invalid(original);
  return negative ? -totalNs : totalNs;
}

function rewriteExtended(text: string): string {
  const body = text.replace(/^[+-]/, "");
  const segment = /([0-9.]+)(ms|us|\u00b5s|ns|[a-z])/y;
  let rewritten = text.slice(0, text.length - body.length);
  while (segment.lastIndex < body.length || rewritten === "") {
    const match = segment.exec(body);
    if (match === null) throw invalid(text);
    const [, digits = "", unit = ""] = match;
    const hoursPerUnit = HOURS[unit];
    if (hoursPerUnit === undefined) {
      rewritten += digits + unit;
      continue;
    }
    const count = Number(digits);
    if (!Number.isFinite(count)) throw invalid(text);
    rewritten += `${formatFloat(count * hoursPerUnit, "f", -1)}h`;
  }
  return rewritten;
}

/** `text` as signed nanoseconds within 64 bits. Throws BuiltinError. */
export function parseDuration(text: string): bigint {
  if (text.length > MAX_DURATION_CHARS) throw new BuiltinError("duration text too long");
  if (text === "") throw invalid(text);
  return parseGoDuration(/[dwy]/.test(text) ? rewriteExtended(text) : text, text);
}
