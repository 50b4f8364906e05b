// Checks JSON text without building it: OPA's runtime takes an unreadable input for *no input*, accepts text after the
// value, and aborts on lone surrogates, so all three are settled before the text reaches it. One pass, no recursion.
// SPEC: RFC 8259; lone surrogates become U+FFFD, as in Go's encoding/json.

/** What is wrong with a text, and where (UTF-16 units from its start). */
export interface JsonFault {
  readonly kind: "invalid" | "too_deep";
  readonly at: number;
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const FOUR_HEX = /[0-9a-fA-F]{4}/y;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const ARRAY_END = 0x5d;
const OBJECT_END = 0x7d;

/** Undefined when `text` is exactly one JSON value, nested at most `maxDepth` deep. */
export function findJsonFault(text: string, maxDepth: number): JsonFault | undefined {
  const ends: number[] = []; // the closing character of each open array or object
  let at = 0;
  for (;;) {
    at = skipSpace(text, at);
    const unit = text.charCodeAt(at);
    if (unit === 0x7b || unit === 0x5b) {
      const end = unit + 2;
      if (ends.length >= maxDepth) return { kind: "too_deep", at };
      at = skipSpace(text, at + 1);
      if (text.charCodeAt(at) !== end) {
        ends.push(end);
        if (end === ARRAY_END) continue;
        at = skipKey(text, at);
        if (at < 0) return { kind: "invalid", at: ~at };
        continue;
      }
      at++;
    } else {
      at = skipScalar(text, at, unit);
      if (at < 0) return { kind: "invalid", at: ~at };
    }
    // A value has ended: close what ends with it, then go on to the next member.
    for (;;) {
      at = skipSpace(text, at);
      const end = ends.at(-1);
      if (end === undefined) return at === text.length ? undefined : { kind: "invalid", at };
      const next = text.charCodeAt(at);
      if (next === end) {
        ends.pop();
        at++;
        continue;
      }
      if (next !== COMMA) return { kind: "invalid", at };
      at++;
      if (end === OBJECT_END) {
        at = skipKey(text, skipSpace(text, at));
        if (at < 0) return { kind: "invalid", at: ~at };
      }
      break;
    }
  }
}

/** The same JSON with each escape of a lone surrogate (`\ud800`) as `\ufffd`; `text` must be valid JSON. */
export function replaceLoneSurrogates(text: string): string {
  if (!text.includes("\\u")) return text; // PERF: almost every text
  return text.replace(
    /\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\[\s\S]/g,
    (written) => (written.length === 6 ? "\\ufffd" : written),
  );
}

// Each skip function returns the offset behind what it read, or ~offset (negative) where it stopped.

function skipScalar(text: string, at: number, unit: number): number {
  if (unit === QUOTE) return skipString(text, at);
  if (unit === 0x74) return skipWord(text, at, "true");
  if (unit === 0x66) return skipWord(text, at, "false");
  if (unit === 0x6e) return skipWord(text, at, "null");
  NUMBER.lastIndex = at;
  return NUMBER.test(text) ? NUMBER.lastIndex : ~at;
}

function skipKey(text: string, at: number): number {
  const end = text.charCodeAt(at) === QUOTE ? skipString(text, at) : ~at;
  if (end < 0) return end;
  const colon = skipSpace(text, end);
  return text.charCodeAt(colon) === COLON ? colon + 1 : ~colon;
}

function skipString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) return at + 1;
    if (unit < 0x20) return ~at;
    if (unit !== 0x5c) continue;
    at++;
    if (text.charCodeAt(at) === 0x75) {
      FOUR_HEX.lastIndex = at + 1;
      if (!FOUR_HEX.test(text)) return ~at;
      at += 4;
    } else if (at >= text.length || !'"\\/bfnrt'.includes(text.charAt(at))) return ~at;
  }
  return ~text.length;
}

const skipWord = (text: string, at: number, word: string): number =>
  text.startsWith(word, at) ? at + word.length : ~at;

function skipSpace(text: string, start: number): number {
  let at = start;
  for (;;) {
    const unit = text.charCodeAt(at);
    if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return at;
    at++;
  }
}
