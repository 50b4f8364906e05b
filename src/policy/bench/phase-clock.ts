// Where the time of an evaluation goes: listens to the evaluator's phases and to the builtins that it calls, and keeps what each
// takes. Asking a clock costs time too; what one look costs is measured first and taken off each part.

import type { Builtin } from "../builtins/builtin.ts";
import type { EvaluationPhase } from "../engine.ts";
import { Series } from "./distribution.ts";

/** Microseconds of an evaluation's parts, medians over all evaluations; their sum is nearly the whole. */
export interface PhaseTimes {
  /** The input's text into the module's memory, its check included. */
  readonly writeUs: number;
  /** That text to values, in the module. */
  readonly parseUs: number;
  /** The rules, without the host's builtins. */
  readonly evaluateUs: number;
  /** The builtins of the host, with their operands' and results' way out of the module and back. */
  readonly builtinsUs: number;
  /** The result out of the module. */
  readonly readUs: number;
  /** Each of them, the most expensive first. */
  readonly builtins: readonly BuiltinTimes[];
}

/** One builtin within one evaluation. */
export interface BuiltinTimes {
  readonly name: string;
  /** A mean, since evaluations may differ. */
  readonly calls: number;
  /** The median of all its calls together. */
  readonly us: number;
}

interface CallTimes {
  readonly us: Series;
  calls: number;
  /** Of the evaluation that runs. */
  nowUs: number;
}

const LOOKS = 10_000;

/** Keeps times; `nowMs` is a monotonic clock with a fraction. */
export class PhaseClock {
  readonly #nowMs: () => number;
  /** What one look at the clock costs. */
  readonly lookUs: number;
  readonly #write = new Series();
  readonly #parse = new Series();
  readonly #evaluate = new Series();
  readonly #called = new Series();
  readonly #read = new Series();
  readonly #builtins = new Map<string, CallTimes>();
  #last = 0;
  #writeUs = 0;
  #parseUs = 0;
  #evaluateUs = 0;
  #calledUs = 0;
  #builtin = "";

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.lookUs = costOfLook(nowMs);
  }

  /** How many evaluations count. */
  get evaluations(): number {
    return this.#read.length;
  }

  /** An evaluation begins. */
  begin(): void {
    this.#writeUs = 0;
    this.#parseUs = 0;
    this.#evaluateUs = 0;
    this.#calledUs = 0;
    this.#last = this.#nowMs();
  }

  /** Hears of the end of a phase; after `read` the evaluation counts. */
  readonly onPhase = (phase: EvaluationPhase): void => {
    const now = this.#nowMs();
    const us = Math.max(0, (now - this.#last) * 1000 - this.lookUs);
    this.#last = now;
    switch (phase) {
      case "write":
        this.#writeUs += us;
        return;
      case "parse":
        this.#parseUs += us;
        return;
      case "call":
      case "evaluate":
        this.#evaluateUs += us;
        return;
      case "return":
        this.#calledUs += us;
        this.#countCall(us);
        return;
      case "read":
        this.#write.add(this.#writeUs);
        this.#parse.add(this.#parseUs);
        this.#evaluate.add(this.#evaluateUs);
        this.#called.add(this.#calledUs);
        this.#read.add(us);
        for (const times of this.#builtins.values()) {
          times.us.add(times.nowUs);
          times.nowUs = 0;
        }
    }
  };

  /** The same builtin, which says its name when it is called. */
  named(name: string, run: Builtin): Builtin {
    return (args, context) => {
      this.#builtin = name;
      return run(args, context);
    };
  }

  /** Forgets what was measured: the warm-up. */
  clear(): void {
    for (const series of [this.#write, this.#parse, this.#evaluate, this.#called, this.#read]) series.clear();
    this.#builtins.clear();
  }

  /** What was measured since. */
  times(): PhaseTimes {
    const evaluations = this.#read.length;
    const builtins = [...this.#builtins].map(([name, { calls, us }]) => ({
      name,
      calls: calls / evaluations,
      us: us.median(),
    }));
    return {
      writeUs: this.#write.median(),
      parseUs: this.#parse.median(),
      evaluateUs: this.#evaluate.median(),
      builtinsUs: this.#called.median(),
      readUs: this.#read.median(),
      builtins: builtins.sort((a, b) => b.us - a.us),
    };
  }

  #countCall(us: number): void {
    let times = this.#builtins.get(this.#builtin);
    if (times === undefined) {
      times = { us: new Series(), calls: 0, nowUs: 0 };
      this.#builtins.set(this.#builtin, times);
    }
    times.calls++;
    times.nowUs += us;
  }
}

function costOfLook(nowMs: () => number): number {
  const costs = new Series();
  let last = nowMs();
  for (let look = 0; look < LOOKS; look++) {
    const now = nowMs();
    costs.add((now - last) * 1000);
    last = now;
  }
  return costs.median();
}
