import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RememberedAnswers } from "../../../../src/policy/bench/remembered-answers.ts";
import { type Answer, type Builtin, BuiltinError, type Question } from "../../../../src/policy/builtins/builtin.ts";
import type { Value } from "../../../../src/policy/value.ts";
import { builtinContextAt } from "../../../support/builtin-context.ts";

/** A builtin that asks for its operand, and what was asked. */
function createAsker(answerOf: (key: string) => Answer) {
  const asked: string[] = [];
  const ask: Builtin = ([key], context) => {
    const question: Question = {
      key: String(key),
      about: `ask ${String(key)}`,
      answer: async () => {
        asked.push(String(key));
        return answerOf(String(key));
      },
    };
    return context.ask(question);
  };
  return { ask, asked };
}

const call = (run: Builtin, key: string): Value | undefined => run([key], builtinContextAt(0n));
const signal = new AbortController().signal;
const said = (value: Value): Answer => ({ ok: true, value });

describe("remembered answers", () => {
  it("ask each question once and then know it", async () => {
    let nowMs = 0;
    const answers = new RememberedAnswers(() => (nowMs += 5));
    const { ask, asked } = createAsker((key) => said(`${key}!`));
    const run = answers.wrap(ask);
    const evaluate = (): string => [call(run, "a"), call(run, "b"), call(run, "a")].join(" ");
    assert.equal(await answers.settle(evaluate, signal), "a! b! a!");
    assert.equal(evaluate(), "a! b! a!");
    assert.deepEqual(asked, ["a", "b"]);
    assert.deepEqual(answers.asked, [
      { about: "ask a", ms: 5 },
      { about: "ask b", ms: 5 },
    ]);
  });

  it("remember that there was none", async () => {
    const answers = new RememberedAnswers(() => 0);
    const { ask } = createAsker(() => ({ ok: false, error: new BuiltinError("refused") }));
    const run = answers.wrap(ask);
    await assert.rejects(
      answers.settle(() => String(call(run, "a")), signal),
      new BuiltinError("refused"),
    );
    assert.throws(() => call(run, "a"), new BuiltinError("refused"));
    assert.equal(answers.asked.length, 1);
  });

  it("ask nothing of a policy that does not ask", async () => {
    const answers = new RememberedAnswers(() => 0);
    const run = answers.wrap(([value]) => value);
    assert.equal(await answers.settle(() => String(call(run, "x")), signal), "x");
    assert.deepEqual(answers.asked, []);
  });

  it("give up on a policy that asks without end", async () => {
    const answers = new RememberedAnswers(() => 0);
    const { ask, asked } = createAsker(() => said(true));
    const run = answers.wrap(ask);
    const evaluate = (): string => {
      for (let index = 0; ; index++) call(run, String(index));
    };
    await assert.rejects(answers.settle(evaluate, signal), { name: "Unanswered" });
    assert.equal(asked.length, 64);
  });

  it("pass on what goes wrong otherwise", async () => {
    const answers = new RememberedAnswers(() => 0);
    const fault = new Error("fault");
    await assert.rejects(
      answers.settle(() => {
        throw fault;
      }, signal),
      fault,
    );
  });
});
