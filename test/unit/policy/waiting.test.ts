import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { type Answer, type Builtin, BuiltinError, type Question } from "../../../src/policy/builtins/builtin.ts";
import { findBuiltin } from "../../../src/policy/builtins/index.ts";
import { loadPolicy, type Policy, type PolicyOptions } from "../../../src/policy/evaluator.ts";
import { PolicyError } from "../../../src/policy/policy-error.ts";
import { RegoNumber, type Value } from "../../../src/policy/value.ts";
import { MAX_QUESTIONS } from "../../../src/policy/waiting.ts";
import { createManualClock } from "../../support/manual-clock.ts";
import { compileFixtures } from "../../support/rego.ts";

// `net.lookup_ip_addr` and `crypto.sha256` stand for builtins that ask; what they ask is the test's.
const FIXTURES = {
  policy: {
    rego: `package p
      one := net.lookup_ip_addr(input.name)
      two := [net.lookup_ip_addr("a"), net.lookup_ip_addr("b")]
      same := [net.lookup_ip_addr("a"), net.lookup_ip_addr("a")]
      still := [before, time.now_ns(), random] if {
        before := time.now_ns()
        random := uuid.rfc4122("r")
        net.lookup_ip_addr("a")
      }
      all := [x | some name in input.names; x := net.lookup_ip_addr(name)]
      default denied := "denied"
      denied := x if x := net.lookup_ip_addr(input.name)
      work := count([1 | some i in numbers.range(1, 20000); i > net.lookup_ip_addr("n")])
      plain := 1
    `,
    entrypoints: ["p/one", "p/two", "p/same", "p/still", "p/all", "p/denied", "p/work", "p/plain"],
    builtins: ["net.lookup_ip_addr", "time.now_ns", "uuid.rfc4122"],
  },
};

let wasm: Uint8Array;
before(async () => {
  wasm = (await compileFixtures(FIXTURES)).policy;
});

/** A world outside that answers when the test says so. */
class World {
  readonly asked: string[] = [];
  readonly open = new Map<string, (answer: Answer) => void>();
  readonly signals: AbortSignal[] = [];
  /** Answers at once by this; undefined leaves the question open. */
  answer: (name: string) => Answer | undefined = (name) => ({ ok: true, value: `${name}!` });
  known: (name: string) => Answer | undefined = () => undefined;
  strayAnswer: ((question: string) => Promise<Answer>) | undefined;

  readonly builtin: Builtin = ([name], context): Value => {
    const text = String(name);
    const question: Question = {
      key: `ask ${text}`,
      about: `a question about ${text}`,
      known: () => this.known(text),
      answer: (signal) => {
        this.asked.push(text);
        this.signals.push(signal);
        if (this.strayAnswer !== undefined) return this.strayAnswer(text);
        const answer = this.answer(text);
        if (answer !== undefined) return Promise.resolve(answer);
        return new Promise((resolve) => this.open.set(text, resolve));
      },
    };
    return context.ask(question);
  };

  policy(options: PolicyOptions = {}): Policy {
    return loadPolicy(wasm, {
      ...options,
      findBuiltin: (name) => (name === "net.lookup_ip_addr" ? this.builtin : findBuiltin(name)),
    });
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const rejectsWith = (promise: Promise<unknown>, code: string, message: RegExp = /./): Promise<void> =>
  assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof PolicyError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });

for (const engine of ["native", "opa-wasm"] as const) {
  describe(`an evaluation that waits, on the engine ${engine}`, () => {
    it("gives what the answer makes of it", async () => {
      const world = new World();
      const result = await world.policy({ engine }).evaluateAsync('{"name":"x"}', { entrypoint: "p/one" });
      assert.equal(result, '[{"result":"x!"}]');
      assert.deepEqual(world.asked, ["x"]);
    });

    it("asks one question after the other, each once", async () => {
      const world = new World();
      const policy = world.policy({ engine });
      assert.equal(await policy.evaluateAsync("{}", { entrypoint: "p/two" }), '[{"result":["a!","b!"]}]');
      assert.deepEqual(world.asked, ["a", "b"]);
      assert.equal(await policy.evaluateAsync("{}", { entrypoint: "p/same" }), '[{"result":["a!","a!"]}]');
      assert.deepEqual(world.asked, ["a", "b", "a"], "once a decision");
    });

    it("sees one time, however long it waits", async () => {
      const clock = createManualClock();
      const startNs = `${BigInt(clock.unixMs()) * 1_000_000n}`;
      const world = new World();
      world.answer = () => undefined;
      const pending = world.policy({ engine, clock }).evaluateAsync("{}", { entrypoint: "p/still" });
      await nextTurn();
      clock.advanceMs(5_000);
      world.open.get("a")?.({ ok: true, value: true });
      const times = (await pending).match(/\d{16,}/g) ?? [];
      assert.equal(times.length, 2);
      // The package hands numbers over as doubles.
      for (const time of times) assert.equal(Number(time), Number(startNs));
      if (engine === "native") assert.deepEqual(times, [startNs, startNs]);
    });
  });
}

describe("an evaluation that waits", () => {
  it("keeps random values over its runs", async () => {
    const seen: string[] = [];
    const world = new World();
    const policy = loadPolicy(wasm, {
      findBuiltin: (name) => {
        if (name === "net.lookup_ip_addr") return world.builtin;
        const run = findBuiltin(name);
        if (name !== "uuid.rfc4122" || run === undefined) return run;
        return (args, context) => {
          const value = run(args, context);
          seen.push(`${args[0]} ${value}`);
          return value;
        };
      },
    });
    await policy.evaluateAsync("{}", { entrypoint: "p/still" });
    const ofR = seen.filter((line) => line.startsWith("r "));
    assert.equal(ofR.length, 2, "it ran twice");
    assert.equal(new Set(ofR).size, 1);
  });

  it("leaves evaluations of others alone that come between", async () => {
    const world = new World();
    world.answer = () => undefined;
    const policy = world.policy();
    const first = policy.evaluateAsync('{"name":"slow"}', { entrypoint: "p/one" });
    const second = policy.evaluateAsync('{"name":"quick"}', { entrypoint: "p/one" });
    assert.equal(policy.evaluate("{}", { entrypoint: "p/plain" }), '[{"result":1}]');
    await nextTurn();
    world.open.get("slow")?.({ ok: true, value: "1" });
    world.open.get("quick")?.({ ok: true, value: "2" });
    assert.deepEqual(await Promise.all([first, second]), ['[{"result":"1"}]', '[{"result":"2"}]']);
  });

  it("does not wait for what is known, and remembers it for its further runs", async () => {
    const world = new World();
    let looks = 0;
    world.known = (name) => {
      if (name !== "a") return undefined;
      looks++;
      return { ok: true, value: "known" };
    };
    const policy = world.policy();
    assert.equal(await policy.evaluateAsync("{}", { entrypoint: "p/two" }), '[{"result":["known","b!"]}]');
    assert.deepEqual([world.asked, looks], [["b"], 1]);
    assert.equal(policy.evaluate("{}", { entrypoint: "p/same" }), '[{"result":["known","known"]}]');
  });

  it("takes an error for an answer: undefined, or the end under strict mode", async () => {
    const world = new World();
    world.answer = () => ({ ok: false, error: new BuiltinError("nobody is there") });
    const options = { entrypoint: "p/denied" };
    assert.equal(await world.policy().evaluateAsync('{"name":"x"}', options), '[{"result":"denied"}]');
    await rejectsWith(
      world.policy({ strictBuiltinErrors: true }).evaluateAsync('{"name":"x"}', options),
      "policy_builtin_error",
      /^net\.lookup_ip_addr: nobody is there$/,
    );
  });

  it("cannot be had synchronously, which says what to do", () => {
    const policy = new World().policy();
    assert.throws(() => policy.evaluate('{"name":"x"}', { entrypoint: "p/one" }), {
      code: "policy_builtin_error",
      message: "a question about x: has to wait for its answer: evaluate with `evaluateAsync`",
    });
    assert.equal(policy.evaluate("{}", { entrypoint: "p/plain" }), '[{"result":1}]');
  });

  it("asks 64 times and no more", async () => {
    const world = new World();
    const ask = (count: number): Promise<string> => {
      const names = Array.from({ length: count }, (_, at) => `n${at}`);
      return world.policy().evaluateAsync(JSON.stringify({ names }), { entrypoint: "p/all" });
    };
    assert.equal((JSON.parse(await ask(MAX_QUESTIONS)) as [{ result: string[] }])[0].result.length, MAX_QUESTIONS);
    world.asked.length = 0;
    await rejectsWith(ask(MAX_QUESTIONS + 1), "policy_question_limit", /asked 64 times already/);
    assert.equal(world.asked.length, MAX_QUESTIONS);
  });

  it("is refused when too many wait already, and taken again when one is done", async () => {
    const world = new World();
    world.answer = () => undefined;
    const policy = world.policy({ maxWaiting: 2 });
    const ask = (name: string): Promise<string> =>
      policy.evaluateAsync(JSON.stringify({ name }), { entrypoint: "p/one" });
    const [first, second] = [ask("1"), ask("2")];
    await rejectsWith(ask("3"), "policy_overloaded", /2 evaluations wait/);
    assert.deepEqual(world.asked, ["1", "2"], "the third one was not even asked");
    world.open.get("1")?.({ ok: true, value: true });
    await first;
    const fourth = ask("4");
    for (const [, answer] of world.open) answer({ ok: true, value: true });
    assert.deepEqual(await Promise.all([second, fourth]), ['[{"result":true}]', '[{"result":true}]']);
  });

  it("shares one budget among its runs", async () => {
    const world = new World();
    world.answer = () => ({ ok: true, value: RegoNumber.of(0) });
    const steps: number[] = [];
    const policy = (budgetSteps: number): Policy =>
      world.policy({ budgetSteps, onSteps: (taken) => steps.push(taken) });
    await policy(2_000_000_000).evaluateAsync("{}", { entrypoint: "p/work" });
    const [first = 0, second = 0] = steps;
    assert.ok(first > 0 && second > first);
    await policy(first + second).evaluateAsync("{}", { entrypoint: "p/work" });
    await rejectsWith(policy(second).evaluateAsync("{}", { entrypoint: "p/work" }), "policy_budget");
  });

  it("ends as a fault when a question breaks its word", async () => {
    const world = new World();
    world.strayAnswer = () => Promise.reject(new TypeError("broken"));
    await rejectsWith(
      world.policy().evaluateAsync('{"name":"x"}', { entrypoint: "p/one" }),
      "policy_trap",
      /^fault in the question of a question about x: broken$/,
    );
  });
});

describe("the end of a wait", () => {
  it("is the caller's signal, which the question gets to know", async () => {
    const world = new World();
    world.answer = () => undefined;
    const end = new AbortController();
    const policy = world.policy();
    const pending = policy.evaluateAsync('{"name":"x"}', { entrypoint: "p/one", signal: end.signal });
    await nextTurn();
    assert.equal(world.signals[0]?.aborted, false);
    end.abort(new Error("gone"));
    await assert.rejects(pending, { code: "policy_timeout", cause: new Error("gone") });
    assert.equal(world.signals[0]?.aborted, true);
    world.open.get("x")?.({ ok: true, value: true });
    await nextTurn();
    assert.equal(policy.evaluate("{}", { entrypoint: "p/plain" }), '[{"result":1}]');
  });

  it("is a signal that was given already, before anything is asked", async () => {
    const world = new World();
    const pending = world.policy().evaluateAsync('{"name":"x"}', { entrypoint: "p/one", signal: AbortSignal.abort() });
    await rejectsWith(pending, "policy_timeout");
    assert.deepEqual(world.asked, []);
  });

  it("is the time that was given", async () => {
    const world = new World();
    world.answer = () => undefined;
    await rejectsWith(
      world.policy().evaluateAsync('{"name":"x"}', { entrypoint: "p/one", timeoutMs: 5 }),
      "policy_timeout",
      /^a question about x: no answer while the evaluation could wait$/,
    );
  });

  it("says nothing to evaluations that ask nothing", async () => {
    const options = { entrypoint: "p/plain", signal: AbortSignal.abort(), timeoutMs: 0 };
    assert.equal(await new World().policy().evaluateAsync("{}", options), '[{"result":1}]');
  });

  it("is at most 60 s", async () => {
    for (const timeoutMs of [60_001, -1, 0.5, Number.NaN])
      await assert.rejects(new World().policy().evaluateAsync("{}", { entrypoint: "p/plain", timeoutMs }), RangeError);
  });
});
