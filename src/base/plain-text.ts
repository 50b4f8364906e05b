// Text of others on a terminal. SECURITY: what a file, a request or an answer holds must not move the reader's cursor, set
// colours or titles, or turn the direction of what stands beside it. Not for logs: those are JSON (ascii-json.ts).

/**
 * The text with control characters (C0, C1), format characters (bidirectional and zero-width ones) and line separators
 * escaped as `\uXXXX`, one escape per UTF-16 unit. Characters of `keep` stay, for example "\t\n".
 */
export const toPlainText = (text: string, keep = ""): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    keep.includes(character) ? character : toEscapes(character),
  );

const toEscapes = (character: string): string =>
  Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`,
  ).join("");
