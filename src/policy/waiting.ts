// Evaluations that wait. A builtin that needs an answer from outside throws it as a question through the module; the
// question is answered, and the evaluation runs again from its start with the answer remembered. That is right because an
// evaluation is a function of its input, its data and the decision's memory; it costs one evaluation for each question.

import { type Answer, type DecisionMemory, type Question, Unanswered } from "./builtins/builtin.ts";
import { PolicyError } from "./policy-error.ts";

/** Most questions of one decision; SECURITY: a list of a request must not become as many requests of ours. */
export const MAX_QUESTIONS = 64;

/** Longest wait of one decision, whatever its caller allows, milliseconds. */
export const MAX_WAIT_MS = 60_000;

/** The evaluations of a policy that wait, and the bound on them. */
export class WaitingRoom {
  readonly #maxWaiting: number;
  #waiting = 0;

  constructor(maxWaiting: number) {
    this.#maxWaiting = maxWaiting;
  }

  /** How many evaluations wait now; each has one question open. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Sees an evaluation through that has asked its first question; `again` evaluates with the memory. Throws PolicyError:
   * that of the evaluation, `policy_timeout` at the signal, `policy_question_limit`, `policy_overloaded`.
   */
  async seeThrough(first: Unanswered, again: (memory: DecisionMemory) => string, signal: AbortSignal): Promise<string> {
    // SECURITY: not the builtin's undefined, which in a rule that denies would be an allow.
    if (this.#waiting >= this.#maxWaiting) {
      const why = `${this.#waiting} evaluations wait for answers from outside already`;
      throw new PolicyError("policy_overloaded", `${first.question.about}: ${why}`);
    }
    this.#waiting++;
    const end = listen(signal);
    try {
      let asked = first;
      for (let questions = 1; ; questions++) {
        const { question, memory } = asked;
        if (questions > MAX_QUESTIONS) {
          const why = `the evaluation has asked ${MAX_QUESTIONS} times already`;
          throw new PolicyError("policy_question_limit", `${question.about}: ${why}`);
        }
        memory.answers.set(question.key, await answerOf(question, signal, end.reached));
        try {
          return again(memory);
        } catch (error) {
          if (!(error instanceof Unanswered)) throw error;
          asked = error;
        }
      }
    } finally {
      end.forget();
      this.#waiting--;
    }
  }
}

/** Whatever a question does, the wait ends with the signal. */
async function answerOf(question: Question, signal: AbortSignal, reached: Promise<undefined>): Promise<Answer> {
  let answer: Answer | undefined;
  try {
    answer = signal.aborted ? undefined : await Promise.race([question.answer(signal), reached]);
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw new PolicyError("policy_trap", `fault in the question of ${question.about}: ${what}`, { cause: error });
  }
  if (answer !== undefined && !signal.aborted) return answer;
  throw new PolicyError("policy_timeout", `${question.about}: no answer while the evaluation could wait`, {
    cause: signal.reason,
  });
}

function listen(signal: AbortSignal): { readonly reached: Promise<undefined>; forget(): void } {
  let stop = (): void => undefined;
  const reached = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
  });
  signal.addEventListener("abort", stop, { once: true });
  return { reached, forget: () => signal.removeEventListener("abort", stop) };
}
