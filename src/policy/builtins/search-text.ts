// Finds a pattern in a sequence in linear time (Knuth, Morris, Pratt), for strings and for arrays of values.
// SECURITY: both sides may come from a request; searching again from every position would take quadratic time.

/** Where `pattern` starts in `sequence`, ascending; with `overlapping` also within an earlier find. Not for empty patterns. */
export function findOccurrences<T>(
  sequence: ArrayLike<T>,
  pattern: ArrayLike<T>,
  isEqual: (a: T, b: T) => boolean,
  overlapping: boolean,
  limit = Number.POSITIVE_INFINITY,
): number[] {
  const length = pattern.length;
  const fallback = fallbackTable(pattern, isEqual);
  const found: number[] = [];
  let matched = 0;
  for (let at = 0; at < sequence.length && found.length < limit; at++) {
    const item = sequence[at] as T;
    while (matched > 0 && !isEqual(item, pattern[matched] as T)) matched = fallback[matched - 1] ?? 0;
    if (isEqual(item, pattern[matched] as T)) matched++;
    if (matched < length) continue;
    found.push(at - length + 1);
    matched = overlapping ? (fallback[matched - 1] ?? 0) : 0;
  }
  return found;
}

/** For each prefix of the pattern, the length of its longest proper prefix that is also its suffix. */
function fallbackTable<T>(pattern: ArrayLike<T>, isEqual: (a: T, b: T) => boolean): Uint32Array {
  const table = new Uint32Array(pattern.length);
  let matched = 0;
  for (let at = 1; at < pattern.length; at++) {
    while (matched > 0 && !isEqual(pattern[at] as T, pattern[matched] as T)) matched = table[matched - 1] ?? 0;
    if (isEqual(pattern[at] as T, pattern[matched] as T)) matched++;
    table[at] = matched;
  }
  return table;
}

const sameUnit = (a: string, b: string): boolean => a === b;

/** {@link findOccurrences} for text, in UTF-16 units. */
export const findText = (text: string, pattern: string, overlapping: boolean, limit?: number): number[] =>
  pattern.length === 1 && !text.includes(pattern) ? [] : findOccurrences(text, pattern, sameUnit, overlapping, limit);
