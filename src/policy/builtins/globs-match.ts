// `regex.globs_match`: whether one text is matched by both globs. SPEC: glob-intersection v0.2.0 (non_empty.go), whose
// answers are kept also where its search gives up too early (`a*b` and `a*`: it stops at the first token that fits neither).
// Its search takes exponential time; here each pair of places is searched once.

import { type BuiltinContext, BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { type GlobToken, meets, parseGlob } from "./glob-tokens.ts";
import { stringOperand } from "./operands.ts";

type Glob = readonly GlobToken[];

/** Pairs of tokens that one call may compare: about 50 ms. */
const MAX_COMPARISONS = 500_000;
/** Steps of one comparison of two tokens, and of each range in brackets that it may look at. */
const STEPS_PER_COMPARISON = 200;
const STEPS_PER_RANGE = 20;

function doIntersect(left: Glob, right: Glob, context: BuiltinContext): boolean {
  const trimmed = trim(left, right);
  return trimmed !== undefined && new Intersection(trimmed[0], trimmed[1], context).exists();
}

const isOnce = (token: GlobToken | undefined): token is GlobToken => token?.repeat === "once";

/** Both globs without what they begin and end with alike, but for one token at each end; undefined when they differ there. */
function trim(left: Glob, right: Glob): readonly [Glob, Glob] | undefined {
  let start = 0;
  for (let l = left[0], r = right[0]; isOnce(l) && isOnce(r); l = left[start], r = right[start]) {
    if (!meets(l, r)) return undefined;
    start++;
  }
  if (start > 0) start--;
  let cut = 0;
  for (;;) {
    const l = left.length - 1 - cut < start ? undefined : left[left.length - 1 - cut];
    const r = right.length - 1 - cut < start ? undefined : right[right.length - 1 - cut];
    if (!isOnce(l) || !isOnce(r)) break;
    if (!meets(l, r)) return undefined;
    cut++;
  }
  if (cut > 0) cut--;
  return [left.slice(start, left.length - cut), right.slice(start, right.length - cut)];
}

/** A search over pairs of places. `swapped`: the first of the two globs is the right one, which the rules depend on. */
class Intersection {
  readonly #globs: readonly [Glob, Glob];
  readonly #context: BuiltinContext;
  readonly #known = new Map<number, boolean>();
  #comparisons = 0;

  constructor(left: Glob, right: Glob, context: BuiltinContext) {
    this.#globs = [left, right];
    this.#context = context;
  }

  exists(): boolean {
    return this.#normal(0, 0, false);
  }

  #first(swapped: boolean): Glob {
    return this.#globs[swapped ? 1 : 0];
  }

  #meets(a: GlobToken, b: GlobToken): boolean {
    this.#context.spend(STEPS_PER_COMPARISON + (a.ranges.length + b.ranges.length) * STEPS_PER_RANGE);
    if (++this.#comparisons > MAX_COMPARISONS) throw new BuiltinError("regex.globs_match: globs too complex");
    return meets(a, b);
  }

  /** Whether the rest of the first glob from `i` and the rest of the other from `j` intersect. */
  #normal(i: number, j: number, swapped: boolean): boolean {
    const key = (i * 1_024 + j) * 2 + (swapped ? 1 : 0);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const exists = this.#search(i, j, swapped);
    this.#known.set(key, exists);
    return exists;
  }

  #search(i: number, j: number, swapped: boolean): boolean {
    const first = this.#first(swapped);
    const other = this.#first(!swapped);
    for (; ; i++, j++) {
      const x = first[i];
      const y = other[j];
      if (x === undefined || y === undefined) return x === y;
      if (x.repeat !== "once") return this.#repeated(i, j, swapped);
      if (y.repeat !== "once") return this.#repeated(j, i, !swapped);
      if (!this.#meets(x, y)) return false;
    }
  }

  /** As `#normal`, when the first glob's token at `i` repeats. */
  #repeated(i: number, j: number, swapped: boolean): boolean {
    const x = this.#first(swapped)[i] as GlobToken;
    const y = this.#first(!swapped)[j] as GlobToken;
    if (x.repeat === "star") return this.#star(i, j, swapped);
    if (!this.#meets(x, y)) return false;
    return this.#star(i, j + 1, swapped) || (y.repeat !== "once" && this.#normal(i + 1, j, swapped));
  }

  /** The first glob's token at `i` swallows the other's tokens from `j` on, until those left intersect with what follows. */
  #star(i: number, j: number, swapped: boolean): boolean {
    const first = this.#first(swapped);
    const other = this.#first(!swapped);
    const star = first[i] as GlobToken;
    const next = first[i + 1];
    for (let at = j; at < other.length; at++) {
      const token = other[at] as GlobToken;
      if (next !== undefined && this.#meets(token, next) && this.#normal(i + 1, at, swapped)) return true;
      if (!this.#meets(token, star)) return false;
    }
    return next === undefined;
  }
}

/** `regex.globs_match(glob1, glob2)`. */
export const globsMatchBuiltins: BuiltinFamily = {
  "regex.globs_match": (args, context) => {
    const [left, right] = [stringOperand(args, 0), stringOperand(args, 1)];
    return doIntersect(parseGlob(left), parseGlob(right), context);
  },
};
