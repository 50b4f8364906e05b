// A small map that forgets what was not used for longest. For what is dear to make and safe to make again:
// imported keys, compiled patterns, verified signatures.

/** At most `capacity` entries; `get` and `set` make an entry the newest. */
export interface Lru<V> {
  get(key: string): V | undefined;
  set(key: string, value: V): void;
}

/** An empty {@link Lru}. */
export function createLru<V>(capacity: number): Lru<V> {
  // A Map iterates in the order of insertion, so its first key is the oldest.
  const entries = new Map<string, V>();
  return {
    get(key) {
      const value = entries.get(key);
      if (value === undefined) return undefined;
      entries.delete(key);
      entries.set(key, value);
      return value;
    },
    set(key, value) {
      entries.delete(key);
      entries.set(key, value);
      if (entries.size <= capacity) return;
      for (const oldest of entries.keys()) {
        entries.delete(oldest);
        return;
      }
    },
  };
}
