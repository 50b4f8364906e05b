// The globs of `regex.globs_match`: characters, `.` and sets in brackets, each with `+` or `*` behind it or not, and `\` to
// escape. SPEC: github.com/yashtewari/glob-intersection v0.2.0 (tokenize.go, simplify.go, match.go), which OPA calls.

import { toWellFormed } from "../value.ts";
import { BuiltinError } from "./builtin.ts";

/** How often a token stands: once, once or more, any number of times. */
export type Repeat = "once" | "plus" | "star";

/** Code points from and to, both included. */
type Range = readonly [from: number, to: number];

/** What one place of a glob takes. `ranges` are sorted and do not touch; undefined takes every character. */
export interface GlobToken {
  readonly kind: "character" | "any" | "set";
  readonly ranges: readonly Range[];
  readonly repeat: Repeat;
}

/** Most tokens of a glob. SECURITY: comparing two globs takes time by the product of their lengths, and more. */
const MAX_TOKENS = 1_000;

/** Reads a glob; tokens that repeat and are alike become one. Throws BuiltinError. */
export function parseGlob(text: string): readonly GlobToken[] {
  const reader = new GlobReader(text);
  const tokens: GlobToken[] = [];
  for (let token = reader.next(); token !== undefined; token = reader.next()) {
    const latest = tokens.at(-1);
    if (latest !== undefined && latest.repeat !== "once" && token.repeat !== "once" && isAlike(latest, token)) {
      const repeat = latest.repeat === "plus" || token.repeat === "plus" ? "plus" : "star";
      tokens[tokens.length - 1] = { ...latest, repeat };
    } else tokens.push(token);
    if (tokens.length > MAX_TOKENS) throw new BuiltinError(`glob of more than ${MAX_TOKENS} tokens`);
  }
  return tokens;
}

const isAlike = (a: GlobToken, b: GlobToken): boolean =>
  a.kind === b.kind &&
  a.ranges.length === b.ranges.length &&
  a.ranges.every(([from, to], at) => from === b.ranges[at]?.[0] && to === b.ranges[at]?.[1]);

/** Whether one character is in both tokens. SPEC: `.` meets every set, the empty one too. */
export function meets(a: GlobToken, b: GlobToken): boolean {
  if (a.kind === "any" || b.kind === "any") return true;
  let i = 0;
  let j = 0;
  for (;;) {
    const x = a.ranges[i];
    const y = b.ranges[j];
    if (x === undefined || y === undefined) return false;
    if (x[1] < y[0]) i++;
    else if (y[1] < x[0]) j++;
    else return true;
  }
}

interface Rune {
  readonly code: number;
  readonly isEscaped: boolean;
}

class GlobReader {
  readonly #codes: readonly number[];
  #at = 0;

  constructor(text: string) {
    this.#codes = Array.from(toWellFormed(text), (character) => character.codePointAt(0) ?? 0xfffd);
  }

  next(): GlobToken | undefined {
    const rune = this.#rune();
    if (rune === undefined) return undefined;
    const { code, isEscaped } = rune;
    if (isEscaped) return { kind: "character", ranges: [[code, code]], repeat: this.#repeat() };
    if (code === DOT) return { kind: "any", ranges: [], repeat: this.#repeat() };
    if (code === CLOSE) throw this.#error("set-close ']' with no preceding '['");
    if (code === PLUS || code === STAR) throw this.#error("flag must be preceded by a non-flag");
    const ranges = code === OPEN ? this.#set() : ([[code, code]] as const);
    return { kind: code === OPEN ? "set" : "character", ranges, repeat: this.#repeat() };
  }

  #rune(): Rune | undefined {
    const code = this.#codes[this.#at];
    if (code === undefined) return undefined;
    if (code !== BACKSLASH) {
      this.#at++;
      return { code, isEscaped: false };
    }
    const escaped = this.#codes[this.#at + 1];
    if (escaped === undefined) throw this.#error("input ends with a \\ (escape) character");
    this.#at += 2;
    return { code: escaped, isEscaped: true };
  }

  #repeat(): Repeat {
    const code = this.#codes[this.#at];
    // The reader of flags looks at an escape too, and minds one that ends the text.
    if (code === BACKSLASH && this.#at === this.#codes.length - 1) this.#rune();
    if (code !== PLUS && code !== STAR) return "once";
    this.#at++;
    return code === PLUS ? "plus" : "star";
  }

  #set(): readonly Range[] {
    const ranges: Range[] = [];
    let previous: number | undefined;
    for (let rune = this.#rune(); rune !== undefined; rune = this.#rune()) {
      if (rune.isEscaped || (rune.code !== HYPHEN && rune.code !== CLOSE)) {
        ranges.push([rune.code, rune.code]);
        previous = rune.code;
      } else if (rune.code === CLOSE) return merged(ranges);
      else {
        ranges.push(this.#rangeFrom(previous));
        previous = undefined;
      }
    }
    throw this.#error("found [ without matching ]");
  }

  #rangeFrom(from: number | undefined): Range {
    if (from === undefined) throw this.#error("range character '-' must be preceded by a Unicode character");
    const to = this.#at >= this.#codes.length - 1 ? undefined : this.#rune();
    if (to === undefined) throw this.#error("range character '-' must be followed by a Unicode character");
    if (!to.isEscaped && (to.code === CLOSE || to.code === HYPHEN))
      throw this.#error("range character '-' cannot be followed by a special symbol");
    if (to.code < from) throw this.#error("range is out of order");
    return [from, to.code];
  }

  #error(why: string): BuiltinError {
    return new BuiltinError(`pos:${this.#at}, ${why}: the input provided is invalid`);
  }
}

const BACKSLASH = 0x5c;
const CLOSE = 0x5d;
const DOT = 0x2e;
const HYPHEN = 0x2d;
const OPEN = 0x5b;
const PLUS = 0x2b;
const STAR = 0x2a;

/** Sorted, and ranges that touch made one, so that equal sets look alike. */
function merged(ranges: readonly Range[]): readonly Range[] {
  const result: [number, number][] = [];
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = result.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else result.push([from, to]);
  }
  return result;
}
