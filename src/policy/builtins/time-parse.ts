// Reads a time by a Go layout (time/format.go, parse). As in Go, an abbreviation (`CET`, even `GMT+3`) carries no offset
// unless it is one of the local zone, which is taken to be UTC here.

import { BuiltinError } from "./builtin.ts";
import { daysBeforeMonth, daysInMonth, isLeapYear, secondsFromCivil } from "./civil-date.ts";
import { fractionDigits, type LayoutElement, MONTHS, toLayout, WEEKDAYS } from "./time-layout.ts";

const isDigit = (char: string | undefined): boolean => char !== undefined && char >= "0" && char <= "9";

/** Go's atoi: digits, even none, after an optional sign. */
function toInteger(text: string): number {
  const [, sign, digits] = /^([+-]?)([0-9]*)$/.exec(text) ?? [];
  if (digits === undefined) throw new BuiltinError(`not a time: \`${text}\` is no number`);
  return sign === "-" ? -Number(digits) : Number(digits);
}

class TimeReader {
  year = 0;
  month = -1;
  day = -1;
  yearDay = -1;
  hour = 0;
  minute = 0;
  second = 0;
  nanosecond = 0;
  afternoon: boolean | undefined;
  isUtc = false;
  offsetSeconds: number | undefined;
  #rest: string;

  constructor(text: string) {
    this.#rest = text;
  }

  #fail(what: string): never {
    throw new BuiltinError(`not a time: ${what}: at \`${this.#rest.slice(0, 40)}\``);
  }

  #take(count: number): string {
    const taken = this.#rest.slice(0, count);
    if (taken.length < count) this.#fail("too short");
    this.#rest = this.#rest.slice(count);
    return taken;
  }

  /** A run of spaces in the layout stands for any run of spaces, also none at the end of the text. */
  literal(text: string): void {
    for (let at = 0; at < text.length; ) {
      if (text[at] === " ") {
        if (this.#rest !== "" && this.#rest[0] !== " ") this.#fail("expected a space");
        while (text[at] === " ") at++;
        this.#rest = this.#rest.replace(/^ +/, "");
      } else {
        if (this.#rest[0] !== text[at]) this.#fail(`expected \`${text[at]}\``);
        this.#rest = this.#rest.slice(1);
        at++;
      }
    }
  }

  end(): void {
    if (this.#rest !== "") this.#fail("text after the time");
  }

  /** One digit or two; exactly two when `fixed`. */
  #number(fixed: boolean, low: number, high: number): number {
    if (!isDigit(this.#rest[0])) this.#fail("expected a digit");
    const two = isDigit(this.#rest[1]);
    if (!two && fixed) this.#fail("expected two digits");
    const value = Number(this.#take(two ? 2 : 1));
    if (value < low || value > high) this.#fail("out of range");
    return value;
  }

  #name(names: readonly string[], length: number | undefined): number {
    const lower = (/^[A-Za-z]{0,10}/.exec(this.#rest)?.[0] ?? "").toLowerCase();
    const index = names.findIndex((name) => lower.startsWith(name.slice(0, length).toLowerCase()));
    const name = names[index]?.slice(0, length);
    if (name === undefined) this.#fail("unknown name");
    this.#rest = this.#rest.slice(name.length);
    return index;
  }

  #yearDay(fixed: boolean): number {
    if (!fixed) this.#rest = this.#rest.replace(/^ {1,2}/, "");
    const digits = /^[0-9]{1,3}/.exec(this.#rest)?.[0] ?? "";
    if (digits === "" || (fixed && digits.length !== 3)) this.#fail("expected a day of the year");
    return Number(this.#take(digits.length));
  }

  #fraction(length: number): void {
    const text = this.#take(length);
    if (text[0] !== "." && text[0] !== ",") this.#fail("expected a fraction");
    const value = toInteger(text.slice(1, 10));
    if (value < 0) this.#fail("fraction out of range");
    this.nanosecond = value * 10 ** (10 - Math.min(length, 10));
  }

  #fractionLength(): number {
    return /^[.,][0-9]+/.exec(this.#rest)?.[0].length ?? 0;
  }

  #offset(element: LayoutElement): void {
    if (element.kind === "zoneIso" && this.#rest.startsWith("Z")) {
      this.#rest = this.#rest.slice(1);
      this.isUtc = true;
      return;
    }
    const form = element.text.slice(1);
    const text = this.#take(element.text.length);
    const colons = form.includes(":");
    if (colons && [...form].some((char, at) => char === ":" && text[at + 1] !== ":")) this.#fail("expected `:`");
    const digits = colons ? text.slice(1).split(":").join("") : text.slice(1);
    if (!/^(?:[0-9]{2}){1,3}$/.test(digits)) this.#fail("expected an offset");
    const [hours = 0, minutes = 0, seconds = 0] = (digits.match(/../g) ?? []).map(Number);
    if (hours > 24 || minutes > 60 || seconds > 60) this.#fail("offset out of range");
    const offset = (hours * 60 + minutes) * 60 + seconds;
    if (text[0] !== "+" && text[0] !== "-") this.#fail("expected a sign");
    this.offsetSeconds = text[0] === "-" ? -offset : offset;
    // Go keeps -1 for "no offset", so it ignores an offset of minus one second.
    if (this.offsetSeconds === -1) this.offsetSeconds = undefined;
  }

  #zone(): void {
    if (this.#rest.startsWith("UTC")) {
      this.#rest = this.#rest.slice(3);
      this.isUtc = true;
      return;
    }
    const length = zoneNameLength(this.#rest);
    if (length === 0) this.#fail("expected a zone");
    this.#take(length);
  }

  element(element: LayoutElement, next: LayoutElement | undefined): void {
    switch (element.kind) {
      case "literal":
        this.literal(element.text);
        return;
      case "longYear":
        if (!isDigit(this.#rest[0])) this.#fail("expected a year");
        this.year = toInteger(this.#take(4));
        return;
      case "year":
        this.year = toInteger(this.#take(2));
        this.year += this.year >= 69 ? 1900 : 2000;
        return;
      case "longMonth":
      case "month":
        this.month = this.#name(MONTHS, element.kind === "month" ? 3 : undefined) + 1;
        return;
      case "numMonth":
      case "zeroMonth":
        this.month = this.#number(element.kind === "zeroMonth", 1, 12);
        return;
      case "longWeekday":
      case "weekday":
        this.#name(WEEKDAYS, element.kind === "weekday" ? 3 : undefined);
        return;
      case "underDay":
        this.#rest = this.#rest.replace(/^ /, "");
        this.day = this.#number(false, 0, 99);
        return;
      case "day":
      case "zeroDay":
        this.day = this.#number(element.kind === "zeroDay", 0, 99);
        return;
      case "underYearDay":
      case "zeroYearDay":
        this.yearDay = this.#yearDay(element.kind === "zeroYearDay");
        return;
      case "hour":
        this.hour = this.#number(false, 0, 23);
        return;
      case "hour12":
      case "zeroHour12":
        this.hour = this.#number(element.kind === "zeroHour12", 0, 12);
        return;
      case "minute":
      case "zeroMinute":
        this.minute = this.#number(element.kind === "zeroMinute", 0, 59);
        return;
      case "second":
      case "zeroSecond": {
        this.second = this.#number(element.kind === "zeroSecond", 0, 59);
        // A fraction may stand behind the seconds although the layout has none.
        const length = this.#fractionLength();
        if (length > 0 && next?.kind !== "fraction0" && next?.kind !== "fraction9") this.#fraction(length);
        return;
      }
      case "PM":
      case "pm": {
        const text = this.#take(2);
        const [after, before] = element.kind === "PM" ? ["PM", "AM"] : ["pm", "am"];
        if (text !== after && text !== before) this.#fail("expected AM or PM");
        this.afternoon = text === after;
        return;
      }
      case "zoneIso":
      case "zoneNum":
        this.#offset(element);
        return;
      case "zoneName":
        this.#zone();
        return;
      case "fraction0":
        this.#fraction(1 + fractionDigits(element));
        return;
      case "fraction9": {
        const length = this.#fractionLength();
        if (length > 0) this.#fraction(length);
      }
    }
  }
}

/** Length of the zone abbreviation at the start of `text`, 0 for none: Go's guess, since anyone may invent zones. */
function zoneNameLength(text: string): number {
  if (text.startsWith("ChST") || text.startsWith("MeST")) return 4;
  if (text.startsWith("GMT")) return 3 + signedOffsetLength(text.slice(3));
  if (text.length >= 3 && (text[0] === "+" || text[0] === "-")) return signedOffsetLength(text);
  const upper = /^[A-Z]{0,6}/.exec(text)?.[0] ?? "";
  if (upper.length === 3) return 3;
  if (upper.length === 4) return upper[3] === "T" || upper === "WITA" ? 4 : 0;
  return upper.length === 5 && upper[4] === "T" ? 5 : 0;
}

function signedOffsetLength(text: string): number {
  const match = /^[+-]([0-9]+)/.exec(text);
  return match?.[1] === undefined || Number(match[1]) > 23 ? 0 : match[0].length;
}

/** Turns a day of the year into month and day, and checks it against those that the text names too. */
function resolveYearDay(reader: TimeReader): void {
  let ordinal = reader.yearDay;
  let month = 0;
  let day = 0;
  if (isLeapYear(reader.year) && ordinal === 60) [month, day] = [2, 29];
  else if (isLeapYear(reader.year) && ordinal > 60) ordinal--;
  if (ordinal < 1 || ordinal > 365) throw new BuiltinError("not a time: day of the year out of range");
  if (month === 0) {
    month = Math.floor((ordinal - 1) / 31) + 1;
    if (daysBeforeMonth(month + 1) < ordinal) month++;
    day = ordinal - daysBeforeMonth(month);
  }
  if ((reader.month >= 0 && reader.month !== month) || (reader.day >= 0 && reader.day !== day)) {
    throw new BuiltinError("not a time: day of the year contradicts the date");
  }
  reader.month = month;
  reader.day = day;
}

/** `text` by the Go layout `layout`, as nanoseconds since 1970 (any year from 0 to 9999). Throws BuiltinError. */
export function parseTime(layout: string, text: string): bigint {
  const elements = toLayout(layout);
  const reader = new TimeReader(text);
  // Go looks for the fraction behind the seconds past any literal between them.
  elements.forEach((element, at) => {
    reader.element(
      element,
      elements.slice(at + 1, at + 3).find(({ kind }) => kind !== "literal"),
    );
  });
  reader.end();
  if (reader.afternoon === true && reader.hour < 12) reader.hour += 12;
  else if (reader.afternoon === false && reader.hour === 12) reader.hour = 0;
  if (reader.yearDay >= 0) resolveYearDay(reader);
  const month = reader.month < 0 ? 1 : reader.month;
  const day = reader.day < 0 ? 1 : reader.day;
  if (day < 1 || day > daysInMonth(month, reader.year)) throw new BuiltinError("not a time: day out of range");
  const seconds = secondsFromCivil(reader.year, month, day, reader.hour, reader.minute, reader.second);
  const offset = reader.isUtc ? 0 : (reader.offsetSeconds ?? 0);
  return BigInt(seconds - offset) * 1_000_000_000n + BigInt(reader.nanosecond);
}
