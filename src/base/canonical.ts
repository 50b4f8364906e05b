// Encodings read so that one content has one writing: what a lenient decoder skips, pads or repairs is no text of these.
// SECURITY: whoever remembers or compares texts must not be given two for the same bytes.

/** The bytes, if `text` is the one text that they have in this encoding, and is not empty. */
export function decodeCanonical(text: string, encoding: "base64" | "base64url"): Buffer | undefined {
  const bytes = Buffer.from(text, encoding);
  return bytes.length > 0 && bytes.toString(encoding) === text ? bytes : undefined;
}

/** The text behind percent encoding, where a `+` is a plus; undefined for half an escape, or one that is no UTF-8. */
export function percentDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
