// Copies of bytes that are kept for long. SECURITY: `Buffer.from` copies into a pool that many share (8 KiB, and 64 KiB from Node 24
// on), where a few octets that are kept keep all of it alive; these have memory of their own.

/** A copy with nothing beside it. */
export function copyOf(bytes: Uint8Array): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes.length);
  own.set(bytes);
  return own;
}
