import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { type Builtin, BuiltinError } from "../../../src/policy/builtins/builtin.ts";
import { loadPolicy, type PolicyOptions } from "../../../src/policy/evaluator.ts";
import { printValue, RegoNumber, RegoSet, type Value } from "../../../src/policy/value.ts";
import { createManualClock } from "../../support/manual-clock.ts";
import { compileFixtures } from "../../support/rego.ts";

// Builtins of every arity, played by functions of the tests: the bridge is what is tested, not what they compute.
const NAMES = ["time.now_ns", "crypto.sha256", "sprintf", "strings.split_n", "time.add_date", "net.cidr_expand"];
const FIXTURES = {
  policy: {
    rego: `package p
      now := [time.now_ns(), time.now_ns()]
      one := crypto.sha256(input.text)
      args := sprintf("f", [input, {2, 1}, 9007199254740993, 1.50])
      three := strings.split_n("a", "b", input.n)
      four := time.add_date(1, 2, 3, 4)
      expanded := net.cidr_expand(input.text)
      is_a_set if is_set(net.cidr_expand(input.text))
      has_two if net.cidr_expand(input.text) == {"b", "a"}
      default or_else := "default"
      or_else := crypto.sha256(input.text)
    `,
    entrypoints: [
      "p/now",
      "p/one",
      "p/args",
      "p/three",
      "p/four",
      "p/expanded",
      "p/is_a_set",
      "p/has_two",
      "p/or_else",
    ],
    builtins: NAMES,
  },
};

let wasm: Uint8Array;
before(async () => {
  wasm = (await compileFixtures(FIXTURES)).policy;
});

function load(
  builtins: Readonly<Record<string, Builtin>>,
  options: PolicyOptions = {},
): (entrypoint: string, input?: string) => string {
  const unused: Builtin = () => assert.fail("not the builtin of this test");
  const findBuiltin = (name: string): Builtin => builtins[name] ?? unused;
  const policy = loadPolicy(wasm, { ...options, findBuiltin });
  return (entrypoint, input = '{"text":"t","n":1}') => policy.evaluate(input, { entrypoint: `p/${entrypoint}` });
}

describe("arguments and results", () => {
  it("arguments keep sets, order and digits", () => {
    let seen: readonly Value[] = [];
    const evaluate = load({
      sprintf: (args) => {
        seen = args;
        return "done";
      },
    });
    assert.equal(evaluate("args", '{"b":[1.0],"a":"\\u0000é\\ud83d\\ude00"}'), '[{"result":"done"}]');
    assert.equal(
      seen.map(printValue).join(" "),
      '"f" [{"a": "\\u0000é😀", "b": [1.0]}, {1, 2}, 9007199254740993, 1.50]',
    );
  });

  it("builtins of zero, one, three and four arguments get them in order", () => {
    const show: Builtin = (args) => args.map(printValue).join(" ");
    const evaluate = load({ "crypto.sha256": show, "strings.split_n": show, "time.add_date": show });
    assert.equal(evaluate("one"), '[{"result":"\\"t\\""}]');
    assert.equal(evaluate("three"), '[{"result":"\\"a\\" \\"b\\" 1"}]');
    assert.equal(evaluate("four"), '[{"result":"1 2 3 4"}]');
  });

  it("a set comes back as a set", () => {
    const evaluate = load({ "net.cidr_expand": () => RegoSet.of(["b", "a"]) });
    assert.equal(evaluate("expanded"), '[{"result":["a","b"]}]');
    assert.equal(evaluate("is_a_set"), '[{"result":true}]');
    assert.equal(evaluate("has_two"), '[{"result":true}]');
  });

  for (const value of [
    null,
    false,
    "",
    '\u0000\u001f"\\\u007f\u2028é😀',
    RegoNumber.of(2n ** 70n),
    RegoSet.of([]),
    ["x"],
  ])
    it(`returns ${printValue(value)} unchanged`, () => {
      const evaluate = load({ "crypto.sha256": () => value });
      const want = value instanceof RegoSet ? "[]" : printValue(value);
      assert.equal(evaluate("one"), `[{"result":${want}}]`);
    });

  it("lone surrogates in a result become U+FFFD", () => {
    assert.equal(load({ "crypto.sha256": () => "a\ud800" })("one"), '[{"result":"a\ufffd"}]');
  });

  it("a large result is taken whole", () => {
    const text = "é".repeat(1_000_000);
    assert.equal(load({ "crypto.sha256": () => text }, { budgetSteps: "off" })("one"), `[{"result":"${text}"}]`);
  });
});

describe("time", () => {
  it("stands still within an evaluation and moves between evaluations", () => {
    const clock = createManualClock();
    const now: Builtin = (_, context) => {
      clock.advanceMs(5);
      return RegoNumber.of(context.nowUnixNs);
    };
    const evaluate = load({ "time.now_ns": now }, { clock });
    const first = BigInt(Date.UTC(2026, 0, 1)) * 1_000_000n;
    assert.equal(evaluate("now"), `[{"result":[${first},${first}]}]`);
    const second = BigInt(clock.unixMs()) * 1_000_000n;
    assert.ok(second > first);
    assert.equal(evaluate("now"), `[{"result":[${second},${second}]}]`);
  });

  it("each evaluation has a memo of its own, shared by its builtins", () => {
    const count: Builtin = (_, { memo }) => {
      memo.set(`${memo.size}`, null);
      return RegoNumber.of(memo.size);
    };
    const evaluate = load({ "time.now_ns": count });
    for (let round = 0; round < 3; round++) assert.equal(evaluate("now"), '[{"result":[1,2]}]');
  });
});

describe("failures", () => {
  const failing: Builtin = () => {
    throw new BuiltinError("no such thing");
  };

  it("undefined and builtin errors are Rego's undefined", () => {
    for (const builtin of [failing, (() => undefined) as Builtin]) {
      const evaluate = load({ "crypto.sha256": builtin });
      assert.equal(evaluate("one"), "[]");
      assert.equal(evaluate("or_else"), '[{"result":"default"}]');
    }
  });

  for (const engine of ["native", "opa-wasm"] as const) {
    it(`a builtin error is policy_builtin_error in strict mode (${engine})`, () => {
      const evaluate = load(
        { "crypto.sha256": failing, "time.add_date": () => null },
        { engine, strictBuiltinErrors: true },
      );
      for (let round = 0; round < 3; round++)
        assert.throws(() => evaluate("or_else"), {
          code: "policy_builtin_error",
          message: "crypto.sha256: no such thing",
        });
      assert.equal(evaluate("four"), '[{"result":null}]');
    });

    for (const [name, thrown] of [
      ["an Error", new TypeError("bug")],
      ["a string", "bug"],
      ["nothing", undefined],
    ] as const)
      it(`${name} thrown by a builtin is policy_trap, and the next evaluation is right (${engine})`, () => {
        const evaluate = load(
          {
            "crypto.sha256": () => {
              throw thrown;
            },
            "time.add_date": () => RegoNumber.of(4),
          },
          { engine },
        );
        for (let round = 0; round < 50; round++)
          assert.throws(() => evaluate("one"), { name: "PolicyError", code: "policy_trap" });
        assert.equal(evaluate("four"), '[{"result":4}]');
      });
  }

  it("5,000 throwing builtins leave the stack as it was", () => {
    const evaluate = load({
      "crypto.sha256": () => {
        throw new Error("bug");
      },
      "time.add_date": () => RegoNumber.of(4),
    });
    for (let round = 0; round < 5_000; round++) assert.throws(() => evaluate("one"), { code: "policy_trap" });
    assert.equal(evaluate("four"), '[{"result":4}]');
  });

  it("a builtin that evaluates the same policy is refused, and both stay usable", () => {
    const inner: { evaluate?: () => string } = {};
    const evaluate = load({
      "crypto.sha256": () => inner.evaluate?.() ?? null,
      "time.add_date": () => RegoNumber.of(4),
    });
    inner.evaluate = () => evaluate("four");
    assert.throws(() => evaluate("one"), { code: "policy_trap", message: /evaluation within an evaluation/ });
    assert.equal(evaluate("four"), '[{"result":4}]');
  });

  it("builtins that the host lacks refuse the policy, all named", () => {
    for (const engine of ["native", "opa-wasm"] as const)
      assert.throws(() => loadPolicy(wasm, { engine, findBuiltin: () => undefined }), {
        code: "policy_missing_builtin",
        message: /`crypto\.sha256`.*`net\.cidr_expand`/,
      });
  });
});
