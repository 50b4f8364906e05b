// Keeps what was made of an object for as long as the object lives: texts of certificates, tokens and bundles that are the same
// in every check.

/** A function that calls `make` once per object. */
export function kept<T extends object, R>(make: (value: T) => R): (value: T) => R {
  const made = new WeakMap<T, { readonly result: R }>();
  return (value) => {
    let entry = made.get(value);
    if (entry === undefined) {
      entry = { result: make(value) };
      made.set(value, entry);
    }
    return entry.result;
  };
}
