// Answers of the outside world (`http.send`, look-ups) for a measurement: each question is asked once, before anything is
// measured, and its answer is then known at once. What is measured is the policy, and not somebody's network.

import { type Answer, type Builtin, type BuiltinContext, type Question, Unanswered } from "../builtins/builtin.ts";
import type { Value } from "../value.ts";
import { MAX_QUESTIONS } from "../waiting.ts";

/** One question that was asked. */
export interface AskedQuestion {
  /** For people: the builtin and whom it asked. */
  readonly about: string;
  /** How long its answer took, milliseconds. */
  readonly ms: number;
}

/** Remembers answers; `nowMs` is a monotonic clock. */
export class RememberedAnswers {
  readonly #nowMs: () => number;
  readonly #answers = new Map<string, Answer>();
  readonly #asked: AskedQuestion[] = [];
  #open: Question | undefined;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** In the order in which they were asked. */
  get asked(): readonly AskedQuestion[] {
    return this.#asked;
  }

  /** The same builtin, which finds its answers here. */
  wrap(run: Builtin): Builtin {
    return (args, context) => run(args, { ...context, ask: (question) => this.#answer(question, context) });
  }

  /** Evaluates until no question is open; gives what the last evaluation gave, or throws what it threw. */
  async settle(evaluate: () => string, signal: AbortSignal): Promise<string> {
    for (;;) {
      this.#open = undefined;
      try {
        return evaluate();
      } catch (error) {
        const question = this.#takeOpen();
        if (question === undefined || this.#asked.length >= MAX_QUESTIONS) throw error;
        const startMs = this.#nowMs();
        this.#answers.set(question.key, await question.answer(signal));
        this.#asked.push({ about: question.about, ms: this.#nowMs() - startMs });
      }
    }
  }

  #takeOpen(): Question | undefined {
    return this.#open;
  }

  #answer(question: Question, context: BuiltinContext): Value {
    const answer = this.#answers.get(question.key);
    if (answer === undefined) {
      try {
        return context.ask(question);
      } catch (error) {
        if (error instanceof Unanswered) this.#open = question;
        throw error;
      }
    }
    if (!answer.ok) throw answer.error;
    return answer.value;
  }
}
