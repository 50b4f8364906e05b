// Dates of the proleptic Gregorian calendar and clock fields, counted from 1970-01-01 as Go's time package does.
// Knows no zones: callers add a zone's offset first.

/** Seconds in a day. */
export const SECONDS_PER_DAY = 86_400;

/** Calendar and clock fields of an instant, in whatever zone the caller has added. */
export interface CivilTime {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  /** 1 to 366. */
  readonly yearDay: number;
  /** 0 is Sunday. */
  readonly weekday: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

const floorDiv = (a: number, b: number): number => Math.floor(a / b);
const modulo = (a: number, b: number): number => a - b * Math.floor(a / b);

/** Whether `year` has a 29 February. */
export const isLeapYear = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

const DAYS_BEFORE = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365] as const;

/** Days of the year before `month` (1 to 13), in a common year. */
export const daysBeforeMonth = (month: number): number => DAYS_BEFORE[month - 1] ?? 365;

/** Days of `month` (1 to 12) in `year`. */
export const daysInMonth = (month: number, year: number): number =>
  month === 2 && isLeapYear(year) ? 29 : daysBeforeMonth(month + 1) - daysBeforeMonth(month);

/** Days from 1970-01-01 to the date; month and day may lie outside their ranges and carry over. */
export function daysFromCivil(year: number, month: number, day: number): number {
  const fullYear = year + floorDiv(month - 1, 12);
  const monthOfYear = modulo(month - 1, 12) + 1;
  const y = fullYear - 1;
  const leapDays = floorDiv(y, 4) - floorDiv(y, 100) + floorDiv(y, 400);
  const leapShift = monthOfYear > 2 && isLeapYear(fullYear) ? 1 : 0;
  return y * 365 + leapDays + daysBeforeMonth(monthOfYear) + leapShift + day - 719_163;
}

/** Seconds from 1970-01-01T00:00:00 to these fields, each of which may carry over. */
export const secondsFromCivil = (
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
): number => daysFromCivil(year, month, day) * SECONDS_PER_DAY + hour * 3_600 + minute * 60 + second;

/** The fields of `seconds` since 1970-01-01T00:00:00. */
export function toCivil(seconds: number): CivilTime {
  const days = floorDiv(seconds, SECONDS_PER_DAY);
  const ofDay = seconds - days * SECONDS_PER_DAY;
  let year = 1970 + floorDiv(days, 365.2425);
  while (daysFromCivil(year, 1, 1) > days) year--;
  while (daysFromCivil(year + 1, 1, 1) <= days) year++;
  const yearDay = days - daysFromCivil(year, 1, 1) + 1;
  let month = 12;
  while (daysFromCivil(year, month, 1) > days) month--;
  return {
    year,
    month,
    day: days - daysFromCivil(year, month, 1) + 1,
    yearDay,
    weekday: modulo(days + 4, 7),
    hour: floorDiv(ofDay, 3_600),
    minute: floorDiv(ofDay % 3_600, 60),
    second: ofDay % 60,
  };
}
