// Reads JSON for comparisons in tests: exact numbers, exact keys on every Node.

/**
 * JSON with its numbers as texts, so that none loses a digit. Keys travel as hex: in Node 24 and 26 (V8 13 and 14; not in Node 20) `JSON.parse` reads the key `"\u0000"`, or any other that is one escape, as
 * `"\\"` when it has just read an object of the same shape with that key.
 */
export function withNumbersAsText(json: string): unknown {
  const safe = json.replace(
    /("(?:[^"\\]|\\.)*")(\s*:)?|-?\d[\d.eE+-]*/g,
    (part, string: string | undefined, colon: string | undefined) => {
      if (string === undefined) return `"number ${part}"`;
      return colon === undefined ? string : `"${Buffer.from(JSON.parse(string) as string).toString("hex")}":`;
    },
  );
  return withKeysFromHex(JSON.parse(safe));
}

function withKeysFromHex(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withKeysFromHex);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [Buffer.from(key, "hex").toString(), withKeysFromHex(item)]),
  );
}
