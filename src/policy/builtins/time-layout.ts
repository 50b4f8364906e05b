// Go's reference-time layouts ("Mon Jan 2 15:04:05 MST 2006") as a list of elements: one linear pass, used by both
// formatting and parsing. The rules are those of nextStdChunk in Go's time/format.go.

/** An element of a layout; `text` is the layout's own spelling. */
export interface LayoutElement {
  readonly kind: LayoutKind;
  readonly text: string;
}

/** What an element stands for. `zone…`: `iso` prints Z for UTC, `num` never does. `fraction0` pads, `fraction9` trims. */
export type LayoutKind =
  | "literal"
  | "longMonth"
  | "month"
  | "numMonth"
  | "zeroMonth"
  | "longWeekday"
  | "weekday"
  | "day"
  | "underDay"
  | "zeroDay"
  | "underYearDay"
  | "zeroYearDay"
  | "hour"
  | "hour12"
  | "zeroHour12"
  | "minute"
  | "zeroMinute"
  | "second"
  | "zeroSecond"
  | "longYear"
  | "year"
  | "PM"
  | "pm"
  | "zoneName"
  | "zoneIso"
  | "zoneNum"
  | "fraction0"
  | "fraction9";

const ZERO_FIELDS = ["zeroMonth", "zeroDay", "zeroHour12", "zeroMinute", "zeroSecond", "year"] as const;

const ZONE_FORMS = ["070000", "07:00:00", "0700", "07:00", "07"] as const;

const isLower = (char: string | undefined): boolean => char !== undefined && char >= "a" && char <= "z";
const isDigit = (char: string | undefined): boolean => char !== undefined && char >= "0" && char <= "9";

/** The spellings that start with a given character and are tried in this order. */
const WORDS: Readonly<Record<string, readonly (readonly [text: string, kind: LayoutKind])[]>> = {
  "1": [
    ["15", "hour"],
    ["1", "numMonth"],
  ],
  "2": [
    ["2006", "longYear"],
    ["2", "day"],
  ],
  "3": [["3", "hour12"]],
  "4": [["4", "minute"]],
  "5": [["5", "second"]],
  P: [["PM", "PM"]],
  p: [["pm", "pm"]],
};

function nameAt(layout: string, at: number): LayoutElement | undefined {
  const starts = (word: string): boolean => layout.startsWith(word, at);
  if (starts("January")) return { kind: "longMonth", text: "January" };
  if (starts("Jan") && !isLower(layout[at + 3])) return { kind: "month", text: "Jan" };
  if (starts("Monday")) return { kind: "longWeekday", text: "Monday" };
  if (starts("Mon") && !isLower(layout[at + 3])) return { kind: "weekday", text: "Mon" };
  return starts("MST") ? { kind: "zoneName", text: "MST" } : undefined;
}

function zeroAt(layout: string, at: number): LayoutElement | undefined {
  const second = layout[at + 1] ?? "";
  const kind = second >= "1" && second <= "6" ? ZERO_FIELDS[Number(second) - 1] : undefined;
  if (kind !== undefined) return { kind, text: `0${second}` };
  return layout.startsWith("002", at) ? { kind: "zeroYearDay", text: "002" } : undefined;
}

function underscoreAt(layout: string, at: number): LayoutElement | undefined {
  // `_2006` is a literal `_` and a year.
  if (layout.startsWith("_2006", at)) return { kind: "literal", text: "_" };
  if (layout.startsWith("_2", at)) return { kind: "underDay", text: "_2" };
  return layout.startsWith("__2", at) ? { kind: "underYearDay", text: "__2" } : undefined;
}

function zoneAt(layout: string, at: number): LayoutElement | undefined {
  const form = ZONE_FORMS.find((digits) => layout.startsWith(digits, at + 1));
  if (form === undefined) return undefined;
  return { kind: layout[at] === "Z" ? "zoneIso" : "zoneNum", text: `${layout[at]}${form}` };
}

function fractionAt(layout: string, at: number): LayoutElement | undefined {
  const digit = layout[at + 1];
  if (digit !== "0" && digit !== "9") return undefined;
  let end = at + 1;
  while (layout[end] === digit) end++;
  // Only a fraction is all zeros or all nines.
  if (isDigit(layout[end])) return undefined;
  return { kind: digit === "0" ? "fraction0" : "fraction9", text: layout.slice(at, end) };
}

function elementAt(layout: string, at: number): LayoutElement | undefined {
  const char = layout[at] ?? "";
  switch (char) {
    case "J":
    case "M":
      return nameAt(layout, at);
    case "0":
      return zeroAt(layout, at);
    case "_":
      return underscoreAt(layout, at);
    case "-":
    case "Z":
      return zoneAt(layout, at);
    case ".":
    case ",":
      return fractionAt(layout, at);
    default: {
      const word = WORDS[char]?.find(([text]) => layout.startsWith(text, at));
      return word === undefined ? undefined : { kind: word[1], text: word[0] };
    }
  }
}

/** The elements of `layout`, literals between them; total. */
export function toLayout(layout: string): readonly LayoutElement[] {
  const elements: LayoutElement[] = [];
  let literal = 0;
  let at = 0;
  while (at < layout.length) {
    const element = elementAt(layout, at);
    if (element === undefined || element.kind === "literal") {
      at++;
      continue;
    }
    if (at > literal) elements.push({ kind: "literal", text: layout.slice(literal, at) });
    elements.push(element);
    at += element.text.length;
    literal = at;
  }
  if (at > literal) elements.push({ kind: "literal", text: layout.slice(literal) });
  return elements;
}

/** Digits that a fraction element asks for; Go keeps twelve bits of the count. */
export const fractionDigits = (element: LayoutElement): number => (element.text.length - 1) & 0xfff;

/** The layouts that OPA knows by name; any other text is a layout itself. */
export const LAYOUT_NAMES: ReadonlyMap<string, string> = new Map([
  ["ANSIC", "Mon Jan _2 15:04:05 2006"],
  ["UnixDate", "Mon Jan _2 15:04:05 MST 2006"],
  ["RubyDate", "Mon Jan 02 15:04:05 -0700 2006"],
  ["RFC822", "02 Jan 06 15:04 MST"],
  ["RFC822Z", "02 Jan 06 15:04 -0700"],
  ["RFC850", "Monday, 02-Jan-06 15:04:05 MST"],
  ["RFC1123", "Mon, 02 Jan 2006 15:04:05 MST"],
  ["RFC1123Z", "Mon, 02 Jan 2006 15:04:05 -0700"],
  ["RFC3339", "2006-01-02T15:04:05Z07:00"],
  ["RFC3339Nano", "2006-01-02T15:04:05.999999999Z07:00"],
]);

/** English names, as Go prints and reads them whatever the locale. */
export const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
] as const;

/** See {@link MONTHS}; the first day is Sunday. */
export const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"] as const;
