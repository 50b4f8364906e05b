import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { BudgetPressure } from "../../../src/policy/budget-pressure.ts";
import type { Builtin } from "../../../src/policy/builtins/builtin.ts";
import { loadPolicy, type PolicyOptions } from "../../../src/policy/evaluator.ts";
import { PolicyError } from "../../../src/policy/policy-error.ts";
import { compileModule } from "../../../src/policy/wasm-module.ts";
import { createManualClock } from "../../support/manual-clock.ts";
import { Random } from "../../support/random.ts";
import { compileFixtures } from "../../support/rego.ts";

const FIXTURES = {
  policy: {
    rego: `package p
      default allow := false
      allow if data.users[input.user] == "admin"
      pairs if count([1 | some x in input.list; some y in input.list; x == y]) < 0
      sets if count({[x, y] | some x in input.list; some y in input.list}) < 0
      walked if { walk(input.list, [_, a]); walk(input.list, [_, b]); a != b; false }
      joined := concat("", [c | some i in numbers.range(1, input.n); c := input.text])
      matched if { some x in input.list; regex.match(input.text, sprintf("%v", [x])); false }
      add := to_number(input.text) + 1
      member if to_number(input.text) in {1, 2, 3}
      shifted := bits.lsh(input.n, input.shift)
      both := bits.and(to_number(input.text), input.n)
      conflict := 1 if input.user
      conflict := 2 if input.user
      unmarshal := json.unmarshal(input.text)
      product := input.a * input.b
      hashed := crypto.sha256(input.text)
      shared if {
        x0 := [input.user]
        ${Array.from({ length: 30 }, (_, level) => `x${level + 1} := [x${level}, x${level}]`).join("\n")}
        sprintf("%v", [x30]) != ""
      }
    `,
    entrypoints: [
      ...["allow", "pairs", "sets", "walked", "joined", "matched", "add", "member", "shifted", "both", "conflict"],
      ...["unmarshal", "product", "hashed", "shared"],
    ].map((rule) => `p/${rule}`),
    builtins: ["crypto.sha256", "sprintf"],
  },
} as const;
const DATA = JSON.stringify({
  users: { alice: "admin", bob: "guest" },
  more: Array.from({ length: 500 }, (_, n) => n),
});

let bytes: Uint8Array;
let wasm: object;
before(async () => {
  bytes = (await compileFixtures(FIXTURES)).policy;
  wasm = compileModule(bytes);
});

const load = (options: PolicyOptions = {}): ReturnType<typeof loadPolicy> =>
  loadPolicy(wasm, { data: DATA, ...options });
const list = (length: number): readonly number[] => Array.from({ length }, (_, n) => n);

/** The result of a rule, or the code of its failure. */
function ask(policy: ReturnType<typeof loadPolicy>, rule: string, input: unknown): string {
  const text = typeof input === "string" ? input : JSON.stringify(input);
  try {
    return policy.evaluate(text, { entrypoint: `p/${rule}` });
  } catch (error) {
    assert.ok(error instanceof PolicyError, String(error));
    return error.code;
  }
}

const asAlice = (policy: ReturnType<typeof loadPolicy>): string => ask(policy, "allow", { user: "alice" });
const ALLOWED = '[{"result":true}]';

describe("work that grows faster than the input is policy_budget, and the next evaluation is right", () => {
  const rows: readonly (readonly [what: string, rule: string, input: unknown])[] = [
    ["a comprehension over pairs", "pairs", { list: list(10_000) }],
    ["a set of pairs", "sets", { list: list(3_000) }],
    ["a walk within a walk", "walked", { list: list(5_000) }],
    ["a text of copies", "joined", { n: 100_000, text: "x".repeat(100) }],
    ["a pattern, many times", "matched", { text: "(a|b)+c", list: list(100_000) }],
    ["the digits of a huge exponent", "add", { text: "1e100000000" }],
    ["a set's member with a huge exponent", "member", { text: "1e900000000" }],
    ["bits of 20,000 digits", "both", { text: "9".repeat(20_000), n: 1 }],
    ["bits of an exponent", "both", { text: "1e20000", n: 1 }],
    ["an operand that shares its parts thirty times over", "shared", { user: "alice" }],
  ];
  for (const engine of ["native", "opa-wasm"] as const)
    for (const [what, rule, input] of rows)
      it(`${what} (${engine})`, () => {
        const policy = load({ engine });
        assert.equal(ask(policy, rule, input), "policy_budget");
        assert.ok(policy.lastSteps >= 20_000_000);
        assert.equal(asAlice(policy), ALLOWED);
      });

  it("an object whose keys collide is not parsed to its end", () => {
    const keys = collidingKeys(4_096);
    const object = JSON.stringify(Object.fromEntries(keys.map((key) => [key, 1])));
    const other = JSON.stringify(Object.fromEntries(keys.map((key, index) => [`${key}${index}`, 1])));
    const policy = load();
    assert.equal(ask(policy, "allow", object), "policy_budget");
    assert.equal(ask(policy, "allow", other), '[{"result":false}]');
    assert.equal(asAlice(policy), ALLOWED);
  });
});

/** Keys that all have one FNV-1a hash (32 bits, multiplied first): pairs of blocks that lead to the same state, in a row. */
function collidingKeys(count: number): string[] {
  const mix = (state: number, block: string): number => {
    let hash = state;
    for (let index = 0; index < block.length; index++) hash = Math.imul(hash, 0x01000193) ^ block.charCodeAt(index);
    return hash;
  };
  let keys = [""];
  let state = 0x811c9dc5;
  while (keys.length < count) {
    const seen = new Map<number, string>();
    for (let number = 0; ; number++) {
      const block = `${number.toString(36).padStart(4, "0")}.`;
      const next = mix(state, block);
      const first = seen.get(next);
      if (first !== undefined) {
        keys = keys.flatMap((key) => [key + first, key + block]);
        state = next;
        break;
      }
      seen.set(next, block);
    }
  }
  return keys;
}

describe("steps", () => {
  it("are those of the rule and the data alone: the same for the same input, however often", () => {
    const policy = load();
    const stepsOf = (length: number): number => {
      ask(policy, "pairs", { list: list(length) });
      return policy.lastSteps;
    };
    const [ten, twenty, forty] = [stepsOf(10), stepsOf(20), stepsOf(40)];
    assert.ok(forty > twenty * 3 && twenty > ten * 3, `${ten}, ${twenty}, ${forty}`);
    for (let round = 0; round < 100; round++) assert.equal(stepsOf(20), twenty);
    const other = load();
    ask(other, "pairs", { list: list(20) });
    assert.equal(other.lastSteps, twenty);
  });

  it("do not count what parsing the input takes", () => {
    const policy = load();
    asAlice(policy);
    const steps = policy.lastSteps;
    ask(policy, "allow", { user: "alice", ignored: "x".repeat(100_000) });
    assert.equal(policy.lastSteps, steps);
    assert.ok(steps > 10 && steps < 10_000, `${steps}`);
  });

  it("are told of each evaluation, whatever came of it", () => {
    const told: number[] = [];
    const policy = load({ onSteps: (steps) => told.push(steps), budgetSteps: 1_000_000 });
    for (const [rule, input] of [
      ["allow", { user: "alice" }],
      ["conflict", { user: "alice" }],
      ["pairs", { list: list(2_000) }],
      ["allow", "{"],
    ] as const)
      ask(policy, rule, input);
    assert.equal(told.length, 3, "an input that is no JSON is not evaluated");
    assert.ok(told.every((steps) => steps > 0));
    assert.equal(told[2], 1_000_000);
  });

  it("are not counted when the budget is off", () => {
    const policy = loadPolicy(bytes, { budgetSteps: "off", onSteps: () => assert.fail("not counted") });
    assert.equal(ask(policy, "pairs", { list: list(3_000) }), "[]");
    assert.equal(policy.lastSteps, 0);
  });

  for (const engine of ["native", "opa-wasm"] as const) {
    it(`are taken by a builtin for its work (${engine})`, () => {
      const work: Builtin = ([text], context) => {
        context.spend(Number(text));
        return "done";
      };
      const policy = load({ engine, findBuiltin: () => work });
      assert.equal(ask(policy, "hashed", { text: "19000000" }), '[{"result":"done"}]');
      assert.equal(ask(policy, "hashed", { text: "40000000" }), "policy_budget");
      assert.equal(ask(policy, "hashed", { text: "1e300" }), "policy_budget");
      assert.equal(ask(policy, "hashed", { text: "1" }), '[{"result":"done"}]');
    });

    it(`are known to a builtin: what is left falls with its work (${engine})`, () => {
      const left: number[] = [];
      const work: Builtin = (_, context) => {
        left.push(context.stepsLeft());
        context.spend(5_000_000);
        left.push(context.stepsLeft());
        return "done";
      };
      const policy = load({ engine, findBuiltin: () => work });
      ask(policy, "hashed", { text: "x" });
      const [before = 0, after = 0] = left;
      assert.equal(before - after, 5_000_000);
      assert.ok(before > 19_000_000 && before < 25_000_000, `${before} steps`);
      ask(policy, "hashed", { text: "x" });
      assert.equal(left.length, 4);
      assert.ok(Number(left[2]) > after, "each evaluation has its own");
    });

    it(`end a builtin's evaluation also when the builtin goes on (${engine})`, () => {
      const stubborn: Builtin = (_, context) => {
        try {
          context.spend(2 ** 40);
        } catch {
          return "done";
        }
        return "not reached";
      };
      const policy = load({ engine, findBuiltin: () => stubborn });
      assert.equal(ask(policy, "hashed", { text: "x" }), "policy_budget");
      assert.equal(asAlice(policy), ALLOWED);
    });
  }

  it("are a whole number from 1 to 2³¹ - 1, or off", () => {
    for (const budgetSteps of [0, -1, 1.5, Number.NaN, 2 ** 31]) assert.throws(() => load({ budgetSteps }), RangeError);
    assert.equal(asAlice(load({ budgetSteps: 2 ** 31 - 1 })), ALLOWED);
    assert.equal(asAlice(load({ budgetSteps: 1 })), "policy_budget");
  });
});

describe("one evaluation leaves nothing behind for the next", () => {
  const nines = "9".repeat(20_000);
  const failures: readonly (readonly [what: string, rule: string, input: unknown, code: string])[] = [
    ["a conflict", "conflict", { user: "bob" }, "policy_conflict"],
    ["an abort", "unmarshal", { text: '"\\ud800"' }, "policy_trap"],
    ["a builtin's error", "hashed", { text: 1 }, "policy_builtin_error"],
    ["a used-up budget", "pairs", { list: list(200) }, "policy_budget"],
  ];
  for (const [what, rule, input, code] of failures)
    it(`20,000 times ${what}`, () => {
      const policy = load({ strictBuiltinErrors: true, budgetSteps: 30_000 });
      const text = JSON.stringify(input);
      assert.equal(ask(policy, rule, text), code);
      const memoryBytes = policy.memoryBytes;
      for (let round = 1; round < 20_000; round++) assert.equal(ask(policy, rule, text), code);
      assert.equal(policy.memoryBytes, memoryBytes);
      assert.equal(asAlice(policy), ALLOWED);
    });

  it("a budget of any size ends at any point, and what follows is right", () => {
    const random = new Random(7);
    const pressed = [30, 300, 3_000, 30_000, 300_000];
    const policies = pressed.map((budgetSteps) => load({ budgetSteps }));
    const whole = load();
    const seen = new Set<string>();
    for (let round = 0; round < 60; round++) {
      const input = {
        user: "bob",
        list: list(random.below(40)),
        text: random.pick(["(a|b)+c", "1e300", "x"]),
        n: random.below(50),
      };
      const rule = random.pick(["pairs", "sets", "walked", "joined", "matched", "add", "member"]);
      const want = ask(whole, rule, input);
      const tight = loadPolicy(wasm, { data: DATA, budgetSteps: 1 + random.below(Math.max(1, whole.lastSteps)) });
      for (const policy of [...policies, tight]) {
        const got = ask(policy, rule, input);
        assert.ok(got === want || got === "policy_budget", `${rule}: ${got}`);
        seen.add(got === want ? "answered" : got);
      }
      if (round % 10 === 0) for (const policy of policies.slice(2)) assert.equal(asAlice(policy), ALLOWED);
    }
    assert.deepEqual([...seen].sort(), ["answered", "policy_budget"]);
  });

  it("a policy answers as a new one does, whatever was asked of it before", () => {
    const random = new Random(11);
    const used = load({ strictBuiltinErrors: true, budgetSteps: 200_000 });
    const inputs: readonly (() => readonly [string, unknown])[] = [
      ...failures.map(
        ([, rule, input]) =>
          () =>
            [rule, input] as const,
      ),
      () => ["product", `{"a":${nines},"b":${nines}}`],
      () => ["pairs", { list: list(random.below(300)) }],
      () => ["matched", { text: `${random.pick(["secret", "(?i)Secret"])}${random.below(9)}`, list: list(5) }],
      () => ["unmarshal", { text: JSON.stringify({ password: `hunter${random.below(1_000)}` }) }],
      () => ["joined", { n: random.below(9), text: `token-${random.below(1_000)}` }],
      () => ["joined", { n: 2 }],
      () => ["allow", { user: random.pick(["alice", "bob", "eve"]) }],
      () => ["unmarshal", {}],
    ];
    for (let round = 0; round < 150; round++) {
      const [rule, input] = random.pick(inputs)();
      const got = ask(used, rule, input);
      const want = ask(load({ strictBuiltinErrors: true, budgetSteps: 200_000 }), rule, input);
      assert.equal(got, want, `${round}: ${rule}`);
    }
  });
});

describe("pressure", () => {
  it("lowers the budget while evaluations use theirs up, and lets go when they stop", () => {
    const clock = createManualClock();
    const tick: Builtin = () => {
      clock.advanceMs(10);
      return "tick";
    };
    const policy = load({
      clock,
      pressure: new BudgetPressure(clock),
      budgetSteps: 2_000_000,
      findBuiltin: () => tick,
    });
    const [hostile, heavy] = [{ list: list(1_000) }, { list: list(60) }];
    ask(policy, "pairs", heavy);
    assert.ok(policy.lastSteps > 200_000 && policy.lastSteps < 1_000_000, `${policy.lastSteps}`);
    const slowly: Builtin = (_, context) => {
      clock.advanceMs(10);
      context.spend(2 ** 30);
      return "";
    };
    const attacked = load({
      clock,
      pressure: new BudgetPressure(clock),
      budgetSteps: 2_000_000,
      findBuiltin: () => slowly,
    });
    for (let round = 0; round < 10; round++) assert.equal(ask(attacked, "hashed", { text: "x" }), "policy_budget");
    assert.equal(ask(attacked, "pairs", heavy), "policy_budget");
    assert.equal(attacked.lastSteps, 200_000);
    assert.equal(asAlice(attacked), ALLOWED);
    clock.advanceMs(200);
    assert.equal(ask(attacked, "pairs", heavy), "[]");
    assert.equal(ask(attacked, "pairs", hostile), "policy_budget");
    assert.equal(attacked.lastSteps, 2_000_000);
  });
});
