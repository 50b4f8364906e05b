// glob.match in place of the one inside OPA's module, which has no match for a text with a line feed, takes `(` and `$` for
// more than themselves, and a malformed pattern for one that matches nothing, so that a rule that denies by it would not.
// SPEC: github.com/gobwas/glob v1.0.0, which OPA calls (v1/topdown/glob.go): `*` and `?` stop at separators, `**` does not,
// `[a-c]`, `[!abc]`, `{a,b}`, `\` before what is to stand for itself. A pattern becomes one of RE2, linear in the text.

import { toWellFormed, type Value } from "../value.ts";
import { BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { createLru } from "./lru.ts";
import { type Check, delimiters, is } from "./native-checks.ts";
import { arrayOperand, stringOperand } from "./operands.ts";
import { compilePattern } from "./regex.ts";

/** As many patterns as OPA keeps. */
const MAX_PATTERNS = 100;
/** SECURITY: what stands in braces can be in braces again; the regular expression would nest as deep. */
const MAX_DEPTH = 100;
/** Longest pattern, in UTF-16 units. */
const MAX_PATTERN_CHARS = 4_096;

/** What it costs to compile a character of a pattern, known or not: the same call is to cost the same. */
const STEPS_PER_PATTERN_CHAR = 2_000;
/** SECURITY: what each wildcard may cost at each character of the text, where they are so many that no table of states holds. */
const STEPS_PER_WILDCARD = 60;

type Matches = (text: string) => boolean;
/** What a glob costs is charged here, and not by what it becomes. */
const alreadyPaid = (): void => undefined;
const patterns = createLru<Matches>(MAX_PATTERNS);

const CHECKS: readonly Check[] = [is(0, "string"), is(1, "array", "null"), delimiters, is(2, "string")];

/** SPEC: no list of separators is none, an empty one is the full stop. */
function separatorsOf(args: readonly Value[]): string {
  if (args[1] === null) return "";
  return arrayOperand(args, 1).map(String).join("") || ".";
}

function compileGlob(pattern: string, separators: string): Matches {
  const key = `${separators.length} ${separators}${pattern}`;
  const known = patterns.get(key);
  if (known !== undefined) return known;
  const compiled = compilePattern(new GlobReader(pattern, toWellFormed(separators)).toRegex(), alreadyPaid);
  const matches: Matches = (text) => compiled.matches(text);
  patterns.set(key, matches);
  return matches;
}

const quote = (text: string): string => text.replace(/[\\.+*?()|[\]{}^$-]/g, "\\$&");

/** Reads a pattern once, from its begin to its end. */
class GlobReader {
  readonly #runes: readonly string[];
  readonly #one: string;
  #at = 0;

  constructor(pattern: string, separators: string) {
    this.#runes = Array.from(pattern);
    this.#one = separators === "" ? "(?s:.)" : `[^${quote(separators)}]`;
    this.#at = this.#runes.findIndex((rune) => toWellFormed(rune) !== rune);
    if (this.#at >= 0) throw this.#error("invalid UTF-8 sequence");
    this.#at = 0;
  }

  toRegex(): string {
    let regex = "";
    let depth = 0;
    for (let rune = this.#next(); rune !== undefined; rune = this.#next()) {
      if (rune === "{") {
        regex += "(?:";
        if (++depth > MAX_DEPTH) throw new BuiltinError(`glob: more than ${MAX_DEPTH} \`{\` inside each other`);
      } else if (rune === "," && depth > 0) regex += "|";
      else if (rune === "}" && depth > 0) {
        regex += ")";
        depth--;
      } else if (rune === "[") regex += this.#class();
      else if (rune === "?") regex += this.#one;
      else if (rune === "*") regex += this.#star();
      else regex += quote(rune === "\\" ? this.#escaped() : rune);
    }
    if (depth > 0) throw this.#error("unclosed `{`");
    return regex;
  }

  #next(): string | undefined {
    return this.#runes[this.#at++];
  }

  #star(): string {
    if (this.#runes[this.#at] !== "*") return `${this.#one}*`;
    this.#at++;
    return "(?s:.)*";
  }

  #escaped(): string {
    const rune = this.#next();
    if (rune === undefined) throw this.#error("trailing backslash");
    return rune;
  }

  /** What follows `[`. SPEC: the first character counts as such, be it `]`, `\` or `-`, when `-` follows it. */
  #class(): string {
    const not = this.#runes[this.#at] === "!" ? "^" : "";
    if (not !== "") this.#at++;
    if (this.#at < this.#runes.length && this.#runes[this.#at + 1] === "-") return `[${not}${this.#range()}]`;
    let set = "";
    for (let rune = this.#inClass(); rune !== "]"; rune = this.#inClass()) {
      set += quote(rune === "\\" ? this.#inClass() : rune);
    }
    if (set === "") throw this.#error("could not parse range");
    return `[${not}${set}]`;
  }

  #range(): string {
    const low = this.#inClass();
    this.#at++;
    const high = this.#inClass();
    if (this.#inClass() !== "]") throw this.#error("expected close range character");
    if ((high.codePointAt(0) ?? 0) < (low.codePointAt(0) ?? 0)) {
      throw this.#error("range hi character is less than lo");
    }
    return `${quote(low)}-${quote(high)}`;
  }

  #inClass(): string {
    const rune = this.#next();
    if (rune === undefined) throw this.#error("unexpected end of input");
    return rune;
  }

  /** Places count in bytes, as Go's do. */
  #error(reason: string): BuiltinError {
    const bytes = Buffer.byteLength(this.#runes.slice(0, this.#at).join(""));
    return new BuiltinError(`glob: syntax error at ${bytes}: ${reason}`);
  }
}

/** In place of the module's. */
export const globNatives: BuiltinFamily = {
  "glob.match": (args, context) => {
    for (const check of CHECKS) {
      const words = check(args);
      if (words !== undefined) throw new BuiltinError(words);
    }
    const pattern = stringOperand(args, 0);
    const text = stringOperand(args, 2);
    if (pattern.length > MAX_PATTERN_CHARS) throw new BuiltinError("glob: pattern too long");
    const wildcards = pattern.match(/[*?[{]/g)?.length ?? 0;
    context.spend(pattern.length * STEPS_PER_PATTERN_CHAR + (wildcards + 1) * STEPS_PER_WILDCARD * text.length);
    return compileGlob(pattern, separatorsOf(args))(toWellFormed(text));
  },
};
