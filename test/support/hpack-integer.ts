// Integers as HPACK writes them. SPEC: RFC 7541 §5.1.

/** A length or index that may need more than its prefix of `bits`; `flags` are the bits before that. */
export function integer(flags: number, bits: number, value: number): Buffer {
  const mask = 2 ** bits - 1;
  if (value < mask) return Buffer.of(flags | value);
  const octets = [flags | mask];
  let rest = value - mask;
  for (; rest > 127; rest = Math.floor(rest / 128)) octets.push(128 + (rest % 128));
  return Buffer.from([...octets, rest]);
}
