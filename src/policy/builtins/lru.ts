// A small map that forgets what was not used for long. For what is dear to make and safe to make again: imported keys,
// compiled patterns, verified signatures.

/** At most `capacity` entries (one more when that is odd); `get` and `set` keep an entry for longer. */
export interface Lru<V> {
  get(key: string): V | undefined;
  set(key: string, value: V): void;
}

/** An empty {@link Lru}. */
export function createLru<V>(capacity: number): Lru<V> {
  // PERF: two generations. When the young one is full it becomes the old one, and what was old and unused is forgotten:
  // a hit in the young one changes nothing, while moving an entry to the end of one Map cost 0.5 µs a hit.
  const generation = Math.ceil(capacity / 2);
  let young = new Map<string, V>();
  let old = new Map<string, V>();
  function set(key: string, value: V): void {
    if (young.size >= generation && !young.has(key)) {
      old = young;
      young = new Map();
    }
    young.set(key, value);
  }
  return {
    get(key) {
      const value = young.get(key);
      if (value !== undefined) return value;
      const older = old.get(key);
      if (older !== undefined) set(key, older);
      return older;
    },
    set,
  };
}
