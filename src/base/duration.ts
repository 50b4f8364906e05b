// Durations as people write them. A bare number is refused: the unit is part of the value.

const UNIT_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `250ms`, `5s`, `2m`, `1h` → milliseconds; undefined when the text is no such duration. `0` alone is 0. */
export function parseDurationMs(text: string): number | undefined {
  if (text === "0") return 0;
  const [, digits, unit = ""] = /^(\d{1,9})(us|ms|s|m|h)$/.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits) * (UNIT_MS[unit] ?? Number.NaN);
}
