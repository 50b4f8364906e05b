// What was worked out for callers that were seen lately, bounded in number and in characters. Two halves: what is asked for moves to
// the young one, and when that is full the old one goes. PERF: no list to keep in order; a caller that calls is found.

/** A bounded memory of values by key. */
export interface TextCache<T> {
  get(key: string): T | undefined;
  set(key: string, value: T): void;
  clear(): void;
  /** How many are held. */
  readonly size: number;
}

const MAX_ENTRIES = 10_000;
const MAX_CHARS = 16 * 1024 * 1024;

/** Creates one of at most 10,000 values and about 16 Mi characters, keys included, as `charsOf` counts them, or by other bounds. */
export function createTextCache<T>(
  charsOf: (value: T) => number,
  { maxEntries = MAX_ENTRIES, maxChars = MAX_CHARS } = {},
): TextCache<T> {
  let young = new Map<string, T>();
  let old = new Map<string, T>();
  let youngChars = 0;

  function set(key: string, value: T): void {
    const chars = key.length + charsOf(value);
    if (chars > maxChars / 2) return;
    if (young.size >= maxEntries / 2 || youngChars + chars > maxChars / 2) {
      old = young;
      young = new Map();
      youngChars = 0;
    }
    old.delete(key);
    young.set(key, value);
    youngChars += chars;
  }

  return {
    get: (key) => {
      const found = young.get(key);
      if (found !== undefined) return found;
      const older = old.get(key);
      if (older !== undefined) set(key, older);
      return older;
    },
    set,
    clear: () => {
      young = new Map();
      old = new Map();
      youngChars = 0;
    },
    get size() {
      return young.size + old.size;
    },
  };
}
