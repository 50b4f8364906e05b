// Prints an instant by a Go layout (time/format.go, appendFormat).

import type { CivilTime } from "./civil-date.ts";
import { fractionDigits, type LayoutElement, MONTHS, toLayout, WEEKDAYS } from "./time-layout.ts";

/** An instant in a zone, ready to print. */
export interface ZonedTime {
  readonly civil: CivilTime;
  /** Nanoseconds within the second. */
  readonly nanosecond: number;
  /** East of UTC is positive. */
  readonly offsetSeconds: number;
  /** The zone's abbreviation at this instant, asked for only when the layout has `MST`; throws when it is not known. */
  abbreviation(): string;
}

const padded = (value: number, width: number): string =>
  (value < 0 ? "-" : "") + String(Math.abs(value)).padStart(width, "0");

function formatOffset(element: LayoutElement, offsetSeconds: number): string {
  if (element.kind === "zoneIso" && offsetSeconds === 0) return "Z";
  const minutes = Math.trunc(offsetSeconds / 60);
  const absolute = Math.abs(minutes);
  const form = element.text.slice(1);
  const colon = form.includes(":") ? ":" : "";
  let text = `${minutes < 0 ? "-" : "+"}${padded(Math.trunc(absolute / 60), 2)}`;
  if (form !== "07") text += colon + padded(absolute % 60, 2);
  if (form.length >= 6 && form !== "07:00") {
    // Go negates the whole offset only when its minutes are negative.
    text += colon + padded(minutes < 0 ? Math.abs(offsetSeconds) % 60 : offsetSeconds % 60, 2);
  }
  return text;
}

function formatFraction(element: LayoutElement, nanosecond: number): string {
  const digits = fractionDigits(element);
  const trim = element.kind === "fraction9";
  if (trim && (digits === 0 || nanosecond === 0)) return "";
  const text = `${element.text[0]}${padded(nanosecond, 9).slice(0, Math.min(digits, 9))}`;
  return trim ? text.replace(/0+$/, "").replace(/[.,]$/, "") : text;
}

const hour12 = (hour: number): number => (hour % 12 === 0 ? 12 : hour % 12);

function formatElement(element: LayoutElement, time: ZonedTime): string {
  const { civil } = time;
  switch (element.kind) {
    case "literal":
      return element.text;
    case "longMonth":
      return MONTHS[civil.month - 1] ?? "";
    case "month":
      return (MONTHS[civil.month - 1] ?? "").slice(0, 3);
    case "numMonth":
      return String(civil.month);
    case "zeroMonth":
      return padded(civil.month, 2);
    case "longWeekday":
      return WEEKDAYS[civil.weekday] ?? "";
    case "weekday":
      return (WEEKDAYS[civil.weekday] ?? "").slice(0, 3);
    case "day":
      return String(civil.day);
    case "underDay":
      return String(civil.day).padStart(2, " ");
    case "zeroDay":
      return padded(civil.day, 2);
    case "underYearDay":
      return String(civil.yearDay).padStart(3, " ");
    case "zeroYearDay":
      return padded(civil.yearDay, 3);
    case "hour":
      return padded(civil.hour, 2);
    case "hour12":
      return String(hour12(civil.hour));
    case "zeroHour12":
      return padded(hour12(civil.hour), 2);
    case "minute":
      return String(civil.minute);
    case "zeroMinute":
      return padded(civil.minute, 2);
    case "second":
      return String(civil.second);
    case "zeroSecond":
      return padded(civil.second, 2);
    case "longYear":
      return padded(civil.year, 4);
    case "year":
      return padded(Math.abs(civil.year) % 100, 2);
    case "PM":
      return civil.hour >= 12 ? "PM" : "AM";
    case "pm":
      return civil.hour >= 12 ? "pm" : "am";
    case "zoneName":
      return time.abbreviation();
    case "zoneIso":
    case "zoneNum":
      return formatOffset(element, time.offsetSeconds);
    case "fraction0":
    case "fraction9":
      return formatFraction(element, time.nanosecond);
  }
}

/** `time` printed by the Go layout `layout`; at most a few characters per character of the layout. */
export const formatTime = (time: ZonedTime, layout: string): string =>
  toLayout(layout)
    .map((element) => formatElement(element, time))
    .join("");
