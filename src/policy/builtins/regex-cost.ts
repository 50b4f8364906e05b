// What regular expressions take of an evaluation's budget: compiling one in proportion to the program that it becomes, and
// matching in proportion to the characters that re2js looks at. SECURITY: each match is linear in the text, but a search
// for all matches begins again behind each: `a*b|a` reads the rest of `aaa…` once for every `a`.

import type { BuiltinContext } from "./builtin.ts";

/** Takes steps of the budget; see {@link BuiltinContext}. */
type Spend = BuiltinContext["spend"];

/** Steps, measured: reading the pattern, an instruction of the program, a class of Unicode (`\pL`; more to fold its cases). */
const COMPILE = { character: 1_000, instruction: 1_000, unicodeClass: 100_000, foldedClass: 250_000 } as const;

/** Steps of a match: where it begins, each character that is looked at, and of long programs also each instruction. */
const MATCH = { start: 4_000, startInstruction: 10, character: 50, instruction: 25 } as const;

/** re2js notes what it has tried up to this many places, of programs up to that long; beyond, it follows all paths at once. */
const NOTED = { places: 262_144, instructions: 500 } as const;

/** Steps for compiling a pattern, from its text: repetitions multiply what they repeat. Charged before the work. */
export function toCompileSteps(pattern: string): number {
  const classes = pattern.match(/\\[pP]/g)?.length ?? 0;
  const isFolded = /\(\?[a-zA-Z]*i/.test(pattern);
  const classSteps = classes * (isFolded ? COMPILE.foldedClass : COMPILE.unicodeClass);
  return pattern.length * COMPILE.character + estimateProgram(pattern) * COMPILE.instruction + classSteps;
}

/** Steps for a compiled program that is longer than its text let expect. */
export const toExcessSteps = (pattern: string, instructions: number): number =>
  Math.max(0, instructions - 4 * estimateProgram(pattern) - 16) * COMPILE.instruction;

/** One thing that a repetition may follow: a literal that is quoted, a class, an escape, a group's bounds, a repetition. */
const PIECES =
  /\\Q[\s\S]*?(?:\\E|$)|\[\^?\]?(?:\[:\^?\w+:\]|\\[\s\S]|[^\]\\])*\]?|\\[\s\S]|[()]|\{(\d+)(?:,(\d*))?\}|[\s\S]/gu;

/** About the instructions of the program. */
function estimateProgram(pattern: string): number {
  const outer: number[] = [];
  let all = 0;
  let latest = 0;
  for (const [piece, least, most] of pattern.matchAll(PIECES)) {
    if (piece === "(") {
      outer.push(all);
      all = 0;
      latest = 0;
    } else if (piece === ")") {
      latest = all + 2;
      all = (outer.pop() ?? 0) + latest;
    } else if (least !== undefined) {
      const times = Math.max(Number(least), Number(most ?? 0));
      all += latest * Math.max(0, times - 1);
      latest *= Math.max(1, times);
    } else {
      latest = piece.startsWith("\\Q") ? piece.length : 1;
      all += latest;
    }
  }
  return outer.reduce((sum, part) => sum + part, all);
}

/** A text for re2js that charges for what is looked at. PERF: as fast as a string, which V8 reads for both. */
class MeteredText extends String {
  readonly #text: string;
  readonly #spend: Spend;
  readonly #steps: number;
  #looks = 0;

  constructor(text: string, steps: number, spend: Spend) {
    super(text);
    this.#text = text;
    this.#steps = steps;
    this.#spend = spend;
  }

  override charCodeAt(index: number): number {
    if (++this.#looks === CHARGED_TOGETHER) this.charge();
    return this.#text.charCodeAt(index);
  }

  /** The search for a literal that a match must hold. */
  override indexOf(wanted: string, from = 0): number {
    const at = this.#text.indexOf(wanted, from);
    this.#spend(((at < 0 ? this.#text.length : at) - from) * 2);
    return at;
  }

  /** Takes the steps of what was looked at since the latest time. */
  charge(): void {
    const looks = this.#looks;
    this.#looks = 0;
    this.#spend(looks * this.#steps);
  }
}

const CHARGED_TOGETHER = 64;

/** A text to match, and what to call before each search for a match and after the last. */
export interface MeteredSubject {
  /** Give it to re2js only: it looks like a string. */
  readonly text: string;
  charge(): void;
}

/** The subject for a program of that length. */
export function meterSubject(text: string, instructions: number, spend: Spend): MeteredSubject {
  const isLong = instructions > NOTED.instructions || text.length * instructions > NOTED.places;
  const metered = new MeteredText(
    text,
    isLong ? Math.max(MATCH.character, instructions * MATCH.instruction) : MATCH.character,
    spend,
  );
  return {
    // re2js takes String objects as well, and its types do not say so.
    text: metered as unknown as string,
    charge() {
      spend(MATCH.start + instructions * MATCH.startInstruction);
      metered.charge();
    },
  };
}
