// gRPC statuses and how one is written: the code, and its message percent-encoded. SPEC: gRPC over HTTP/2, "Responses",
// grpc/doc/statuscodes.md.

/** The codes that are answered here; a handler may answer any from 1 to 16. */
export const GRPC_STATUS = {
  OK: 0,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  RESOURCE_EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAUTHENTICATED: 16,
} as const;

const MAX_STATUS = 16;

/** Whether `code` can end a call that has no message: OK never does, for some clients take an empty response for an allow. */
export const isErrorStatus = (code: number): boolean =>
  Number.isInteger(code) && code > GRPC_STATUS.OK && code <= MAX_STATUS;

/** Octets of a message's UTF-8 that are sent; what is longer is cut off at a character. */
export const MAX_MESSAGE_OCTETS = 1024;

/**
 * `Status-Message` as `Percent-Encoded`: ASCII without control characters. Half a surrogate pair becomes U+FFFD. Spaces at the ends
 * are encoded too: SPEC: RFC 9113 §8.2.1: a field value neither begins nor ends with one.
 */
export function toPercentEncoded(message: string): string {
  return escapeOctets(message).replace(/^ | $/g, "%20");
}

function escapeOctets(message: string): string {
  if (message.length <= MAX_MESSAGE_OCTETS && /^[ -$&-~]*$/.test(message)) return message;
  const octets = Buffer.from(message, "utf8");
  let end = Math.min(octets.length, MAX_MESSAGE_OCTETS);
  // An octet 10xxxxxx goes on with the character before it.
  while (end < octets.length && ((octets[end] as number) & 0xc0) === 0x80) end--;
  let encoded = "";
  for (let at = 0; at < end; at++) {
    const octet = octets[at] as number;
    encoded +=
      octet >= 0x20 && octet <= 0x7e && octet !== 0x25
        ? String.fromCharCode(octet)
        : `%${octet.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}
