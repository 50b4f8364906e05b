// Zones by IANA name: offsets from ICU (Intl.DateTimeFormat), abbreviations from the table. "UTC" and "" are UTC, "Local"
// is the process's own zone; any other name must be spelled as the IANA database spells it, as Go demands.

import { BuiltinError } from "./builtin.ts";
import { secondsFromCivil } from "./civil-date.ts";
import { createLru } from "./lru.ts";
import { findAbbreviations } from "./time-zone-table.ts";

/** A zone that is known to exist. */
export interface TimeZone {
  /** Seconds east of UTC at `unixSeconds`. */
  offsetAt(unixSeconds: number): number;
  /** What Go prints for `MST` in a layout. Throws BuiltinError before 1970, where the table does not reach. */
  abbreviationAt(unixSeconds: number): string;
}

const UTC: TimeZone = { offsetAt: () => 0, abbreviationAt: () => "UTC" };

/** SECURITY: zone names may come from requests, and a formatter holds about 50 KB. */
const MAX_ZONES = 32;
const zones = createLru<TimeZone>(MAX_ZONES);

const pad2 = (value: number): string => String(value).padStart(2, "0");

/** The IANA database's own form for zones without letters: `-03`, `+0545`. */
function numericName(offsetSeconds: number): string {
  const minutes = Math.floor(Math.abs(offsetSeconds) / 60);
  const rest = minutes % 60 === 0 ? "" : pad2(minutes % 60);
  return `${offsetSeconds < 0 ? "-" : "+"}${pad2(Math.floor(minutes / 60))}${rest}`;
}

function createZone(name: string): TimeZone {
  const abbreviations = findAbbreviations(name);
  if (abbreviations === undefined) throw new BuiltinError(`unknown time zone \`${name}\``);
  const format = new Intl.DateTimeFormat("en-US-u-ca-gregory-nu-latn", {
    timeZone: name,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  const offsetAt = (unixSeconds: number): number => {
    const fields = new Map(format.formatToParts(unixSeconds * 1_000).map(({ type, value }) => [type, Number(value)]));
    const field = (type: Intl.DateTimeFormatPartTypes): number => fields.get(type) ?? 0;
    const local = secondsFromCivil(
      field("year"),
      field("month"),
      field("day"),
      field("hour"),
      field("minute"),
      field("second"),
    );
    return local - unixSeconds;
  };
  return {
    offsetAt,
    abbreviationAt(unixSeconds) {
      if (unixSeconds < 0) throw new BuiltinError(`abbreviation of \`${name}\` before 1970 is not known`);
      const offset = offsetAt(unixSeconds);
      return abbreviations.get(offset) ?? numericName(offset);
    },
  };
}

/** The zone of that name. Throws BuiltinError when there is none. */
export function findTimeZone(name: string): TimeZone {
  if (name === "" || name === "UTC") return UTC;
  const known = zones.get(name);
  if (known !== undefined) return known;
  const resolved = name === "Local" ? new Intl.DateTimeFormat().resolvedOptions().timeZone : name;
  let zone: TimeZone;
  try {
    zone = resolved === "UTC" ? UTC : createZone(resolved);
  } catch (error) {
    if (error instanceof RangeError) throw new BuiltinError(`unknown time zone \`${name}\``);
    throw error;
  }
  zones.set(name, zone);
  return zone;
}
