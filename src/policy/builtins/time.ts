// `time.*` (v1/topdown/time.go): instants are whole nanoseconds since 1970 in 64 bits, exact from end to end. An instant
// may carry a zone and a layout: `ns`, `[ns, zone]`, `[ns, zone, layout]`.

import { RegoNumber, type Value } from "../value.ts";
import { BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { type CivilTime, daysInMonth, secondsFromCivil, toCivil } from "./civil-date.ts";
import { parseDuration } from "./duration.ts";
import { int64Operand, isArray, isInt64, operandError, stringOperand } from "./operands.ts";
import { formatTime } from "./time-format.ts";
import { LAYOUT_NAMES, WEEKDAYS } from "./time-layout.ts";
import { parseTime } from "./time-parse.ts";
import { findTimeZone, type TimeZone } from "./time-zone.ts";

const NS_PER_SECOND = 1_000_000_000n;

/** Longest layout and time text: layouts are short, and both may come from a request. */
const MAX_TEXT_CHARS = 65_536;

/** An operand that says when. */
interface Moment {
  readonly unixSeconds: number;
  readonly nanosecond: number;
  readonly zone: TimeZone;
  readonly layout: string;
}

function stringElement(array: readonly Value[], at: number): string {
  const value = array[at];
  if (value === undefined) return "";
  if (typeof value !== "string") throw new BuiltinError("zone and layout must be strings");
  return value;
}

function momentOperand(args: readonly Value[], index: number): Moment {
  const operand = args[index];
  const array = isArray(operand) ? operand : [operand ?? null];
  const [ns] = array;
  if (!(ns instanceof RegoNumber)) throw operandError(args, index, "either number (ns) or [number (ns), string (tz)]");
  const zone = findTimeZone(stringElement(array, 1));
  const layout = stringElement(array, 2);
  const value = ns.toBigInt();
  if (value === undefined || !isInt64(value)) throw new BuiltinError("timestamp too big");
  const nanosecond = ((value % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND;
  return {
    unixSeconds: Number((value - nanosecond) / NS_PER_SECOND),
    nanosecond: Number(nanosecond),
    zone,
    layout,
  };
}

const civilOf = ({ unixSeconds, zone }: Moment): CivilTime => toCivil(unixSeconds + zone.offsetAt(unixSeconds));

const numbers = (...values: readonly number[]): Value => values.map((value) => RegoNumber.of(value));

/** Instants outside 64 bits of nanoseconds (years 1677 to 2262) are OPA's error. */
function toUnixNs(value: bigint): RegoNumber {
  if (!isInt64(value)) throw new BuiltinError("time outside of valid range");
  return RegoNumber.of(value);
}

function format(moment: Moment): string {
  const layout = moment.layout === "" ? "RFC3339Nano" : moment.layout;
  if (layout.length > MAX_TEXT_CHARS) throw new BuiltinError("layout too long");
  const { unixSeconds, nanosecond, zone } = moment;
  const offsetSeconds = zone.offsetAt(unixSeconds);
  let abbreviation: string | undefined;
  const time = {
    civil: toCivil(unixSeconds + offsetSeconds),
    nanosecond,
    offsetSeconds,
    abbreviation: () => {
      // PERF: a layout may ask for it a thousand times.
      abbreviation ??= zone.abbreviationAt(unixSeconds);
      return abbreviation;
    },
  };
  return formatTime(time, LAYOUT_NAMES.get(layout) ?? layout);
}

function parse(layout: string, text: string): RegoNumber {
  if (layout.length > MAX_TEXT_CHARS || text.length > MAX_TEXT_CHARS) throw new BuiltinError("time text too long");
  return toUnixNs(parseTime(LAYOUT_NAMES.get(layout) ?? layout, text));
}

/** Largest change of one field that is tried; anything beyond lies outside the range of instants by far. */
const MAX_CHANGE = 10n ** 12n;

/** ICU knows instants up to 8.64e15 ms from 1970. */
const MAX_ICU_SECONDS = 8e12;

function changeOperand(args: readonly Value[], index: number): number {
  const change = int64Operand(args, index);
  if (change > MAX_CHANGE || change < -MAX_CHANGE) throw new BuiltinError("time outside of valid range");
  return Number(change);
}

function addDate(moment: Moment, years: number, months: number, days: number): RegoNumber {
  const { zone, nanosecond } = moment;
  const civil = civilOf(moment);
  const local = secondsFromCivil(
    civil.year + years,
    civil.month + months,
    civil.day + days,
    civil.hour,
    civil.minute,
    civil.second,
  );
  if (Math.abs(local) > MAX_ICU_SECONDS) throw new BuiltinError("time outside of valid range");
  // SPEC: Go's time.Date guesses the offset at the local reading taken as UTC, and corrects the guess once.
  const guess = zone.offsetAt(local);
  const offset = guess === 0 ? 0 : zone.offsetAt(local - guess);
  return toUnixNs(BigInt(local - offset) * NS_PER_SECOND + BigInt(nanosecond));
}

const isAfter = (a: Moment, b: Moment): boolean =>
  a.unixSeconds === b.unixSeconds ? a.nanosecond > b.nanosecond : a.unixSeconds > b.unixSeconds;

/** Years, months, days, hours, minutes and seconds between two instants, in the zone of the first. */
function difference(first: Moment, second: Moment): Value {
  const [from, to] = isAfter(first, second) ? [second, first] : [first, second];
  const a = civilOf({ ...from, zone: first.zone });
  const b = civilOf({ ...to, zone: first.zone });
  let [year, month, day] = [b.year - a.year, b.month - a.month, b.day - a.day];
  let [hour, minute, second_] = [b.hour - a.hour, b.minute - a.minute, b.second - a.second];
  if (second_ < 0) [second_, minute] = [second_ + 60, minute - 1];
  if (minute < 0) [minute, hour] = [minute + 60, hour - 1];
  if (hour < 0) [hour, day] = [hour + 24, day - 1];
  if (day < 0) [day, month] = [day + daysInMonth(a.month, a.year), month - 1];
  if (month < 0) [month, year] = [month + 12, year - 1];
  return numbers(year, month, day, hour, minute, second_);
}

/** `time.now_ns`, `parse_*`, `format`, `date`, `clock`, `weekday`, `add_date`, `diff`. */
export const timeBuiltins: BuiltinFamily = {
  "time.now_ns": (_args, context) => RegoNumber.of(context.nowUnixNs),
  "time.parse_ns": (args) => parse(stringOperand(args, 0), stringOperand(args, 1)),
  "time.parse_rfc3339_ns": (args) => parse("RFC3339", stringOperand(args, 0)),
  "time.parse_duration_ns": (args) => RegoNumber.of(parseDuration(stringOperand(args, 0))),
  "time.format": (args) => format(momentOperand(args, 0)),
  "time.date": (args) => {
    const { year, month, day } = civilOf(momentOperand(args, 0));
    return numbers(year, month, day);
  },
  "time.clock": (args) => {
    const { hour, minute, second } = civilOf(momentOperand(args, 0));
    return numbers(hour, minute, second);
  },
  "time.weekday": (args) => WEEKDAYS[civilOf(momentOperand(args, 0)).weekday],
  "time.add_date": (args) =>
    addDate(momentOperand(args, 0), changeOperand(args, 1), changeOperand(args, 2), changeOperand(args, 3)),
  "time.diff": (args) => difference(momentOperand(args, 0), momentOperand(args, 1)),
};
