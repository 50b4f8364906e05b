// Keys with a `*`, such as `svidgate.identity.trust_domains.*.bundle`: the name that a key has in its place. A name may hold dots,
// the words behind it may not, so what stands between prefix and suffix is the name.

/** Whether a field's key has a `*`. */
export const hasName = (pattern: string): boolean => pattern.includes("*");

/** The name in the `*`'s place; undefined when the key is none of this pattern's. */
export function nameInKey(pattern: string, key: string): string | undefined {
  const [prefix = "", suffix] = pattern.split("*");
  if (suffix === undefined || !key.startsWith(prefix) || !key.endsWith(suffix)) return undefined;
  return key.length > prefix.length + suffix.length ? key.slice(prefix.length, key.length - suffix.length) : undefined;
}

/** The pattern with the name that a misspelt key of the same section has in the `*`'s place; as it is for other keys. */
export function borrowName(pattern: string, key: string): string {
  const [prefix = "", suffix] = pattern.split("*");
  const end = key.lastIndexOf(".");
  if (suffix === undefined || !key.startsWith(prefix) || end <= prefix.length) return pattern;
  return prefix + key.slice(prefix.length, end) + suffix;
}
