// DER, as much as reading a certificate takes: one element at a time, definite and shortest lengths only.
// SPEC: X.690 §8.1 and §10.1. It does not interpret content beyond what the caller asks, and never throws.

/** One element: its tag byte, and where its content begins and ends. */
export interface DerElement {
  /** The identifier octet; tags above 30 are not read. */
  readonly tag: number;
  readonly start: number;
  /** Just behind the content, where the next element begins. */
  readonly end: number;
}

/** Reads the element at `at`, which must end at or before `limit`; undefined when it is not DER. */
export function readDer(bytes: Uint8Array, at: number, limit: number): DerElement | undefined {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined || at + 2 > limit || (tag & 0x1f) === 0x1f) return undefined;
  if (first < 0x80) return within(tag, at + 2, first, limit);
  const octets = first & 0x7f;
  // 0x80 is an indefinite length; four octets would be more than any certificate here has.
  if (octets < 1 || octets > 3 || at + 2 + octets > limit) return undefined;
  let length = 0;
  for (let octet = 0; octet < octets; octet++) length = length * 256 + (bytes[at + 2 + octet] ?? 0);
  const shortest = length >= 0x80 && length >= 256 ** (octets - 1);
  return shortest ? within(tag, at + 2 + octets, length, limit) : undefined;
}

function within(tag: number, start: number, length: number, limit: number): DerElement | undefined {
  return start + length <= limit ? { tag, start, end: start + length } : undefined;
}

/** The elements inside `parent`, in order; undefined when its content is not a row of DER elements, or of more than `most`. */
export function derChildren(bytes: Uint8Array, parent: DerElement, most = 256): readonly DerElement[] | undefined {
  const children: DerElement[] = [];
  for (let at = parent.start; at < parent.end; ) {
    const child = readDer(bytes, at, parent.end);
    if (child === undefined || children.length >= most) return undefined;
    children.push(child);
    at = child.end;
  }
  return children;
}
