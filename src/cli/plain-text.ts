// Text of others on a terminal. SECURITY: what a file or an answer holds must not move the reader's cursor.

/** The text with control and format characters escaped as `\uXXXX`. */
export const toPlainText = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}]/gu, (character) =>
    Array.from(
      { length: character.length },
      (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`,
    ).join(""),
  );
