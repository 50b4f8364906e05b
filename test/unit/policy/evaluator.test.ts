import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { loadPolicy, type PolicyOptions } from "../../../src/policy/evaluator.ts";
import { PolicyError, type PolicyErrorCode } from "../../../src/policy/policy-error.ts";
import { compileFixtures } from "../../support/rego.ts";

const FIXTURES = {
  main: {
    rego: `package p
      default allow := false
      allow if input.user == "alice"
      maybe if input.user == "alice"
      not_blocked if not input.blocked
      echo := {"input": input}
      from_data := data.users[input.user]
      conflict := 1 if input.x
      conflict := 2 if input.y
      keyed[k] := v if { some v in input.values; k := "same" }
      values := {"set": {"c", "a", "b", "aa"}, "exact": [9007199254740993, 1.50, 1e3], 1: {true}}
      unmarshal := json.unmarshal(input.text)
      same if input.a == input.b
      product := input.a * input.b
      many contains i if some i in numbers.range(1, input.count)
      said if { print("user", input.user, {1, 2}); print(input.missing); true }
    `,
    entrypoints: [
      "p/allow",
      "p/maybe",
      "p/not_blocked",
      "p/echo",
      "p/from_data",
      "p/conflict",
      "p/keyed",
      "p/values",
      "p/unmarshal",
      "p/same",
      "p/product",
      "p/many",
      "p/said",
    ],
    builtins: ["internal.print"],
  },
} as const;

let wasm: Uint8Array;
before(async () => {
  wasm = (await compileFixtures(FIXTURES)).main;
});

const load = (options?: PolicyOptions): ReturnType<typeof loadPolicy> => loadPolicy(wasm, options);

function codeOf(run: () => unknown): PolicyErrorCode | "no error" {
  try {
    run();
    return "no error";
  } catch (error) {
    assert.ok(error instanceof PolicyError, String(error));
    return error.code;
  }
}

describe("results", () => {
  for (const [input, entrypoint, want] of [
    ['{"user":"alice"}', "p/allow", '[{"result":true}]'],
    ['{"user":"bob"}', "p/allow", '[{"result":false}]'],
    ['{"user":"bob"}', "p/maybe", "[]"],
    [undefined, "p/allow", '[{"result":false}]'],
    ["{}", "p/values", '[{"result":{"1":[true],"exact":[9007199254740993,1.50,1e3],"set":["a","aa","b","c"]}}]'],
    ['{"values":[1]}', "p/keyed", '[{"result":{"same":1}}]'],
    [
      '{"n":[1.0,1e400,-0,123456789012345678901]}',
      "p/echo",
      '[{"result":{"input":{"n":[1.0,1e400,-0,123456789012345678901]}}}]',
    ],
    ['{"n":{"b":"\\u0000\\ud83d\\ude00é","a":""}}', "p/echo", '[{"result":{"input":{"n":{"a":"","b":"\\u0000😀é"}}}}]'],
  ] as const)
    it(`${entrypoint} of ${input} is ${want}`, () => assert.equal(load().evaluate(input, { entrypoint }), want));

  it("the first entrypoint is the default, and all are listed in the module's order", () => {
    const policy = load();
    assert.deepEqual([...policy.entrypoints].sort(), [...FIXTURES.main.entrypoints].sort());
    const [first = ""] = policy.entrypoints;
    assert.equal(policy.evaluate('{"user":"alice"}'), policy.evaluate('{"user":"alice"}', { entrypoint: first }));
    assert.equal(
      codeOf(() => policy.evaluate("{}", { entrypoint: "p/none" })),
      "policy_entrypoint_missing",
    );
    assert.equal(
      codeOf(() => policy.evaluate("{}", { entrypoint: "" })),
      "policy_entrypoint_missing",
    );
  });

  it("printed lines go to onPrint, with undefined values shown", () => {
    const lines: string[] = [];
    const policy = load({ onPrint: (line) => lines.push(line) });
    assert.equal(policy.evaluate('{"user":"alice"}', { entrypoint: "p/said" }), '[{"result":true}]');
    assert.deepEqual(lines, ["user alice {1, 2}", "<undefined>"]);
  });
});

describe("input", () => {
  for (const input of ["0", "false", '""', "null", "[]", "{}", "-1.5", " true\n"])
    it(`${JSON.stringify(input)} is an input, as text and as bytes`, () => {
      const policy = load();
      const want = `[{"result":{"input":${input.trim()}}}]`;
      assert.equal(policy.evaluate(input, { entrypoint: "p/echo" }), want);
      assert.equal(policy.evaluate(Buffer.from(input), { entrypoint: "p/echo" }), want);
    });

  it("undefined alone is no input", () => {
    const policy = load();
    assert.equal(policy.evaluate(undefined, { entrypoint: "p/echo" }), "[]");
    assert.equal(policy.evaluate(undefined, { entrypoint: "p/not_blocked" }), '[{"result":true}]');
  });

  // `not input.blocked` holds without an input, so none of these may count as "no input".
  for (const [name, input, code] of [
    ["nothing", "", "policy_input_invalid"],
    ["white space", "  ", "policy_input_invalid"],
    ["half an object", '{"blocked":true', "policy_input_invalid"],
    ["text behind the value", '{"blocked":true}x', "policy_input_invalid"],
    ["two values", "{} {}", "policy_input_invalid"],
    ["a set", '{"blocked", 1}', "policy_input_invalid"],
    ["an object with a key that is no string", "{1: 2}", "policy_input_invalid"],
    ["a NUL byte", "\0", "policy_input_invalid"],
    ["a byte order mark", "\ufeff{}", "policy_input_invalid"],
    ["no bytes", new Uint8Array(), "policy_input_invalid"],
    ["bytes that are no UTF-8", Buffer.from([0x22, 0xff, 0x22]), "policy_input_invalid"],
    ["half a UTF-8 sequence", Buffer.from([0x22, 0xe2, 0x82, 0x22]), "policy_input_invalid"],
    ["a surrogate in UTF-8", Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), "policy_input_invalid"],
    ["hostile nesting", "[".repeat(1_000_000), "policy_input_too_large"],
    ["nesting over the limit", "[".repeat(2_001) + "]".repeat(2_001), "policy_input_too_large"],
    ["more bytes than the limit", JSON.stringify("x".repeat(4 * 1024 * 1024)), "policy_input_too_large"],
    ["more bytes than the limit, in fewer characters", JSON.stringify("€".repeat(1_500_000)), "policy_input_too_large"],
    ["JavaScript's null", null as unknown as string, "policy_input_invalid"],
    ["a JavaScript object", {} as unknown as string, "policy_input_invalid"],
  ] as const)
    it(`${name} is ${code}, never no input`, () => {
      const policy = load();
      assert.equal(
        codeOf(() => policy.evaluate(input, { entrypoint: "p/not_blocked" })),
        code,
      );
      assert.equal(policy.evaluate('{"user":"alice"}', { entrypoint: "p/allow" }), '[{"result":true}]');
    });

  it("text that the caller vouches for is still never taken for no input", () => {
    const policy = load();
    for (const text of ["", "  ", "{", '{"blocked"', "nul", "}"])
      assert.equal(
        codeOf(() => policy.evaluateTrusted(text, "p/not_blocked")),
        "policy_input_invalid",
        text,
      );
    for (const text of ["[".repeat(100_000), '{"a":'.repeat(100_000)])
      assert.equal(
        codeOf(() => policy.evaluateTrusted(text, "p/not_blocked")),
        "policy_input_too_large",
      );
    const tooLong = JSON.stringify("x".repeat(5_000_000));
    assert.equal(
      codeOf(() => policy.evaluateTrusted(tooLong, "p/not_blocked")),
      "policy_input_too_large",
    );
    assert.equal(policy.evaluateTrusted('{"user":"alice"}', "p/allow"), '[{"result":true}]');
  });

  it("lone surrogates become U+FFFD, escaped or not, and break nothing", () => {
    const policy = load();
    const want = '[{"result":{"input":["\ufffd","\ufffda","😀"]}}]';
    for (const input of ['["\\ud800","\\udfffa","\\ud83d\\ude00"]', '["\ud800","\udfffa","😀"]']) {
      assert.equal(policy.evaluate(input, { entrypoint: "p/echo" }), want);
      assert.equal(policy.evaluateTrusted(input, "p/echo"), want);
    }
    for (let round = 0; round < 2_000; round++) policy.evaluateTrusted('{"x":"\\ud800"}', "p/allow");
    assert.equal(policy.evaluate('{"user":"alice"}', { entrypoint: "p/allow" }), '[{"result":true}]');
  });

  it("strings of every length are read whole", () => {
    const policy = load();
    for (const length of [0, 1, 5_461, 5_462, 16_381, 16_382, 16_383, 16_384, 100_000])
      for (const char of ["a", "é", "€", "😀"]) {
        const input = JSON.stringify(char.repeat(length));
        assert.equal(policy.evaluate(input, { entrypoint: "p/echo" }), `[{"result":{"input":${input}}}]`);
      }
  });
});

describe("failures", () => {
  it("a conflict is policy_conflict with its place", () => {
    assert.throws(() => load().evaluate('{"x":1,"y":1}', { entrypoint: "p/conflict" }), {
      name: "PolicyError",
      code: "policy_conflict",
      message: /^p\.rego:\d+: eval_conflict_error: complete rules must not produce multiple outputs$/,
    });
    assert.throws(() => load().evaluate('{"values":[1,2]}', { entrypoint: "p/keyed" }), {
      code: "policy_conflict",
      message: /^p\.rego:\d+: eval_conflict_error: object keys must be unique$/,
    });
  });

  it("an abort of the runtime is policy_trap with its sentence", () => {
    const input = JSON.stringify({ text: '"\\ud800"' });
    assert.throws(() => load().evaluate(input, { entrypoint: "p/unmarshal" }), {
      code: "policy_trap",
      message: "abort: illegal string escape character",
    });
  });

  it("20,000 failed evaluations change nothing for the next one", () => {
    const policy = load({ data: '{"users":{"alice":"admin"}}' });
    const abort = JSON.stringify({ text: '"\\ud800"' });
    const roundOfFailures = (): void => {
      assert.equal(
        codeOf(() => policy.evaluate('{"x":1,"y":1}', { entrypoint: "p/conflict" })),
        "policy_conflict",
      );
      assert.equal(
        codeOf(() => policy.evaluate(abort, { entrypoint: "p/unmarshal" })),
        "policy_trap",
      );
    };
    roundOfFailures();
    const before = policy.memoryBytes;
    for (let round = 0; round < 10_000; round++) roundOfFailures();
    assert.equal(policy.memoryBytes, before);
    assert.equal(policy.evaluate('{"user":"alice"}', { entrypoint: "p/from_data" }), '[{"result":"admin"}]');
  });

  it("a result that nests deeper than is read is policy_result", () => {
    const input = "[".repeat(2_000) + "]".repeat(2_000);
    assert.equal(
      codeOf(() => load().evaluate(input, { entrypoint: "p/echo" })),
      "policy_result",
    );
  });

  // OPA's runtime multiplies into a buffer of fixed size; it finds the end of memory by writing to it.
  const trapping = JSON.stringify({ a: 1, b: 1 }).replace(/1/g, "9".repeat(20_000));
  const bytesOfData = '{"users":{"alice":"admin","list":[1,2.50,{"k":"\\u20ac"}]}}';
  const readData = (policy: ReturnType<typeof load>): string =>
    ["alice", "list"].map((user) => policy.evaluate(JSON.stringify({ user }), { entrypoint: "p/from_data" })).join();

  it("a trap fails that evaluation only: the next has another instance, with data as it was loaded", () => {
    const policy = load({ data: bytesOfData });
    const [data, memoryBytes] = [readData(policy), policy.memoryBytes];
    for (let round = 0; round < 50; round++) {
      assert.throws(() => policy.evaluate(trapping, { entrypoint: "p/product" }), {
        code: "policy_trap",
        message: /^trap: memory access out of bounds$/,
      });
      assert.ok(policy.memoryBytes <= memoryBytes); // an instance that took the long numbers would have more
      assert.equal(readData(policy), data);
      assert.equal(policy.evaluate('{"a":6,"b":7}', { entrypoint: "p/product" }), '[{"result":42}]');
    }
  });

  it("data that was replaced is what a trap leaves in force", () => {
    const policy = load({ data: bytesOfData });
    policy.setData('{"users":{"alice":"guest"}}');
    assert.equal(
      codeOf(() => policy.setData("[]")),
      "policy_data_invalid",
    );
    assert.equal(
      codeOf(() => policy.evaluate(trapping, { entrypoint: "p/product" })),
      "policy_trap",
    );
    assert.equal(policy.evaluate('{"user":"alice"}', { entrypoint: "p/from_data" }), '[{"result":"guest"}]');
  });

  it("running out of stack fails that evaluation only", () => {
    const policy = load({ maxDepth: 10_000 });
    const deep = "[".repeat(4_000) + "]".repeat(4_000);
    const codes = new Set<string>();
    for (let round = 0; round < 50; round++)
      codes.add(codeOf(() => policy.evaluate(`{"a":${deep},"b":${deep}}`, { entrypoint: "p/echo" })));
    assert.ok(!codes.has("no error"), [...codes].join()); // the result nests deeper than the module, or we, follow
    const deeper = `${'{"a":'.repeat(9_999)}1${"}".repeat(9_999)}`;
    for (let round = 0; round < 50; round++)
      assert.equal(
        codeOf(() => policy.evaluate(deeper, { entrypoint: "p/allow" })),
        "policy_input_too_large",
      );
    assert.equal(policy.evaluate('{"user":"alice"}', { entrypoint: "p/allow" }), '[{"result":true}]');
  });
});

describe("memory", () => {
  const MIB = 1024 * 1024;

  it("stays as it is over 100,000 evaluations of changing inputs, and none sees another's input", () => {
    const policy = load();
    policy.evaluate(JSON.stringify({ user: "x".repeat(1_000) }), { entrypoint: "p/allow" });
    const size = policy.memoryBytes;
    for (let round = 0; round < 100_000; round++) {
      const user = round % 3 === 0 ? "alice" : "u".repeat(round % 900);
      assert.equal(
        policy.evaluateTrusted(`{"user":"${user}"}`, "p/maybe"),
        user === "alice" ? '[{"result":true}]' : "[]",
      );
    }
    assert.equal(policy.memoryBytes, size);
    assert.equal(policy.evaluate(undefined, { entrypoint: "p/maybe" }), "[]");
  });

  it("an input that does not fit is policy_input_too_large, and an evaluation policy_memory; the next is right", () => {
    const policy = load({ maxMemoryBytes: 2 * MIB, data: '{"users":{"alice":"admin"}}' });
    const numbers = JSON.stringify(new Array<number>(200_000).fill(7));
    for (let round = 0; round < 5; round++) {
      assert.equal(
        codeOf(() => policy.evaluate(numbers, { entrypoint: "p/allow" })),
        "policy_input_too_large",
      );
      assert.equal(
        codeOf(() => policy.evaluate('{"count":100000}', { entrypoint: "p/many" })),
        "policy_memory",
      );
      assert.ok(policy.memoryBytes <= 2 * MIB);
      assert.equal(policy.evaluate('{"user":"alice"}', { entrypoint: "p/from_data" }), '[{"result":"admin"}]');
    }
  });

  it("is given back after an oversized evaluation, and the data is still there", () => {
    const users = Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [`user${index}`, index]));
    const policy = load({ data: JSON.stringify({ users }) });
    const before = policy.memoryBytes;
    assert.match(policy.evaluate(JSON.stringify({ pad: new Array<number>(900_000).fill(7) })), /^\[/);
    assert.equal(policy.memoryBytes, before);
    for (const id of [0, 777, 1_999])
      assert.equal(policy.evaluate(`{"user":"user${id}"}`, { entrypoint: "p/from_data" }), `[{"result":${id}}]`);
    // The copy is as good as the original: it takes failures, large inputs and another copy.
    assert.equal(
      codeOf(() => policy.evaluate('{"x":1,"y":1}', { entrypoint: "p/conflict" })),
      "policy_conflict",
    );
    policy.evaluate(JSON.stringify({ pad: new Array<number>(900_000).fill(7) }));
    assert.equal(policy.evaluate('{"user":"user42"}', { entrypoint: "p/from_data" }), '[{"result":42}]');
  });
});

describe("data", () => {
  it("is replaced as a whole", () => {
    const policy = load({ data: '{"users":{"alice":"admin"}}' });
    const roleOf = (user: string): string => policy.evaluate(JSON.stringify({ user }), { entrypoint: "p/from_data" });
    assert.equal(roleOf("alice"), '[{"result":"admin"}]');
    policy.setData('{"users":{"bob":{"\\ud800":1.0}}}');
    assert.equal(roleOf("alice"), "[]");
    assert.equal(roleOf("bob"), '[{"result":{"\ufffd":1.0}}]');
    for (let round = 0; round < 50; round++) policy.setData(`{"users":{"alice":${round}}}`);
    assert.equal(roleOf("alice"), '[{"result":49}]');
  });

  for (const [name, data] of [
    ["no JSON", "{"],
    ["nothing", ""],
    ["an array", "[]"],
    ["null", "null"],
    ["text behind the document", "{} {}"],
    ["nested too deep", `{"a":${"[".repeat(3_000)}${"]".repeat(3_000)}}`],
    ["too large for the memory", JSON.stringify({ list: new Array<number>(300_000).fill(1) })],
    ["no text at all", undefined as unknown as string],
  ] as const)
    it(`${name} is policy_data_invalid, and the old document stays in force`, () => {
      const policy = load({ data: '{"users":{"alice":"admin"}}', maxMemoryBytes: 2 * 1024 * 1024 });
      assert.equal(
        codeOf(() => policy.setData(data)),
        "policy_data_invalid",
      );
      assert.equal(policy.evaluate('{"user":"alice"}', { entrypoint: "p/from_data" }), '[{"result":"admin"}]');
    });

  it("a policy with invalid data is not loaded", () => {
    assert.equal(
      codeOf(() => load({ data: "[]" })),
      "policy_data_invalid",
    );
  });
});

describe("options", () => {
  for (const options of [
    { engine: "other" as "native" },
    { maxInputBytes: 0 },
    { maxInputBytes: Number.NaN },
    { maxDepth: 10_001 },
    { maxDepth: 1.5 },
    { maxMemoryBytes: 1 },
    { maxMemoryBytes: 2 ** 32 },
  ])
    it(`rejects: ${JSON.stringify(options)}`, () => assert.throws(() => load(options), RangeError));

  it("limits are kept exactly", () => {
    const policy = load({ maxInputBytes: 10, maxDepth: 2 });
    assert.equal(
      codeOf(() => policy.evaluate('"12345678"')),
      "no error",
    );
    assert.equal(
      codeOf(() => policy.evaluate('"123456789"')),
      "policy_input_too_large",
    );
    assert.equal(
      codeOf(() => policy.evaluate('"12345é8"')),
      "no error",
    );
    assert.equal(
      codeOf(() => policy.evaluate('"123456é8"')),
      "policy_input_too_large",
    );
    assert.equal(
      codeOf(() => policy.evaluate(Buffer.from('"123456é8"'))),
      "policy_input_too_large",
    );
    assert.equal(
      codeOf(() => policy.evaluate("[[]]")),
      "no error",
    );
    assert.equal(
      codeOf(() => policy.evaluate("[[[]]]")),
      "policy_input_too_large",
    );
  });
});
