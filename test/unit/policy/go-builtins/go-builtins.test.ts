// The Go builtins as policies see them: loaded only when they are needed, shared, bounded, and paid for by the budget.

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { createBuiltinContext } from "../../../../src/policy/builtin-bridge.ts";
import { type BuiltinContext, BuiltinError, builtinNames, findBuiltin } from "../../../../src/policy/builtins/index.ts";
import { loadPolicy } from "../../../../src/policy/evaluator.ts";
import { isReactorLoaded, sharedReactor } from "../../../../src/policy/go-builtins/artifact.ts";
import { goBuiltins, prepareGoBuiltin } from "../../../../src/policy/go-builtins/index.ts";
import { WARM_UP } from "../../../../src/policy/go-builtins/warm-up.ts";
import { PolicyError, type PolicyErrorCode } from "../../../../src/policy/policy-error.ts";
import { parseValue, printValue, type Value } from "../../../../src/policy/value.ts";
import { builtinContextAt } from "../../../support/builtin-context.ts";
import { compileFixtures } from "../../../support/rego.ts";

const FIXTURES = {
  plain: { rego: "package p\nq := upper(input.x)" },
  schema: {
    rego: 'package p\nq := json.match_schema(input.document, {"required": ["a"], "properties": {"a": {"type": "string"}}})',
    builtins: ["json.match_schema"],
  },
  graphql: {
    rego: 'package p\ndefault q := false\nq if graphql.is_valid(input.query, "type Query { a: Int b(x: Int): Int }")',
    builtins: ["graphql.is_valid"],
  },
  template: {
    rego: "package p\nq := strings.render_template(input.template, input)",
    builtins: ["strings.render_template"],
  },
} as const;

let wasm: Readonly<Record<keyof typeof FIXTURES, Uint8Array>>;
before(async () => {
  wasm = await compileFixtures(FIXTURES);
});

const NOW = 1_700_000_000_000_000_000n;
const context = builtinContextAt(NOW);
const call = (name: string, args: readonly Value[], using: BuiltinContext = context): Value | undefined =>
  goBuiltins[name]?.(args, using);

/** A context with a budget, and how much of it is left. */
function withBudget(steps: number): { readonly context: BuiltinContext; left(): number } {
  let left = steps;
  const spend = (taken: number) => {
    left -= taken;
    if (left < 0) throw new PolicyError("policy_budget", "no more steps");
  };
  const memory = { nowUnixNs: NOW, memo: new Map(), answers: new Map(), effects: 0, steps: 0 };
  return { context: createBuiltinContext(memory, spend, () => left), left: () => left };
}

function codeOf(run: () => unknown): PolicyErrorCode | "no error" {
  try {
    run();
    return "no error";
  } catch (error) {
    assert.ok(error instanceof PolicyError, String(error));
    return error.code;
  }
}

describe("loading", () => {
  it("does not load the module for a policy that calls none of them", () => {
    const plain = loadPolicy(wasm.plain);
    assert.equal(plain.evaluate('{"x":"a"}'), '[{"result":"A"}]');
    for (const name of builtinNames.filter((other) => !(other in goBuiltins))) findBuiltin(name);
    assert.equal(isReactorLoaded(), false);
  });

  it("loads it when such a policy is bound, and shares it among policies", () => {
    const schema = loadPolicy(wasm.schema);
    assert.equal(isReactorLoaded(), true);
    const reactor = sharedReactor();
    const graphql = loadPolicy(wasm.graphql);
    assert.equal(sharedReactor(), reactor);
    assert.equal(schema.evaluate('{"document":{"a":"x"}}'), '[{"result":[true,[]]}]');
    assert.equal(graphql.evaluate('{"query":"{a b(x: 1)}"}'), '[{"result":true}]');
    assert.equal(graphql.evaluate('{"query":"{c}"}'), '[{"result":false}]');
    assert.match(schema.evaluate('{"document":{"a":5}}'), /Expected: string, given: integer/);
  });

  it("has an example for each of them but those of private keys, and each example has an answer", () => {
    const without = Object.keys(goBuiltins).filter((name) => !(name in WARM_UP));
    assert.deepEqual(without, [
      "crypto.parse_private_keys",
      "crypto.x509.parse_keypair",
      "crypto.x509.parse_rsa_private_key",
    ]);
    for (const [name, operands] of Object.entries(WARM_UP)) {
      prepareGoBuiltin(name);
      const args = operands.map((operand) => parseValue(JSON.stringify(operand)));
      assert.notEqual(call(name, args), undefined, name);
    }
  });
});

describe("bounds", () => {
  it("refuses operands of more than 262,144 characters", () => {
    const query = `{${"a ".repeat(131_072)}}`;
    assert.throws(() => call("graphql.parse_query", [query]), /operands: longer than 262144 characters as text/);
    assert.equal(printValue(call("graphql.parse_query", [`{a #${"x".repeat(262_000)}\n}`]) ?? null).length > 0, true);
  });

  it("takes from the budget what the call worked, more for more work", () => {
    const steps = [1, 10, 100].map((fields) => {
      const budget = withBudget(20_000_000);
      call("graphql.parse_query", [`{${"a ".repeat(fields)}}`], budget.context);
      return 20_000_000 - budget.left();
    });
    assert.ok(steps.every((taken, index) => taken > 0 && (index === 0 || taken > (steps[index - 1] ?? 0))));
  });

  it("lets a budget that is large enough buy the parsing of a large module", () => {
    const args = ["a.rego", `package a\n${numbered(50, (n) => `p if { input.x == ${n} }`, "\n")}`];
    const large = withBudget(1_000_000_000);
    assert.notEqual(call("rego.parse_module", args, large.context), undefined);
    const used = 1_000_000_000 - large.left();
    assert.equal(
      codeOf(() => call("rego.parse_module", args, withBudget(20_000_000).context)),
      "policy_budget",
    );
    assert.ok(used > 20_000_000);
  });

  const HOSTILE: readonly (readonly [what: string, name: string, args: readonly Value[]])[] = [
    ["100,000 fields", "graphql.parse_query", [`{${"a ".repeat(100_000)}}`]],
    ["fields nested 80,000 deep", "graphql.parse_query", ["{a".repeat(80_000)]],
    ["the same field again and again", "graphql.is_valid", [`{${"a{a}".repeat(50_000)}}`, "type Query { a: Query }"]],
    [
      "2,000 fragments that must agree",
      "graphql.is_valid",
      [
        `{${numbered(2_000, (n) => `...F${n}`)}}${numbered(2_000, (n) => `fragment F${n} on Query{a}`)}`,
        "type Query { a: Int }",
      ],
    ],
    ["an enum of 20,000", "graphql.schema_is_valid", [`enum E{${numbered(20_000, (n) => `V${n}`)}}`]],
    ["30,000 equal items", "json.match_schema", [`[${"1,".repeat(30_000)}1]`, '{"items":{"type":"string"}}']],
    ["30,000 unique items", "json.match_schema", [`[${numbered(30_000, String, ",")}]`, '{"uniqueItems":true}']],
    [
      "patterns of 1,000 states each",
      "json.verify_schema",
      [`{"allOf":[${'{"pattern":"((a{10}){10}){10}"},'.repeat(6_000)}{}]}`],
    ],
    ["a schema that refers to itself", "json.match_schema", ["{}", '{"allOf":[{"$ref":"#"}]}']],
    ["a loop of a thousand millions", "strings.render_template", ["{{range 1000000000}}{{end}}", parseValue("{}")]],
    ["templates that double", "strings.render_template", [doubling(60), parseValue("{}")]],
    ["10,000 rules", "rego.parse_module", ["a", `package a\n${"p if { input.x == 1 }\n".repeat(10_000)}`]],
    ["5,000 keys, each compared with each", "yaml.unmarshal", [numbered(5_000, (n) => `k${n}: v`, "\n")]],
    [
      "as many aliases as go-yaml allows",
      "yaml.unmarshal",
      [`a: &a [${"x, ".repeat(1_500)}]\nb: [${"*a, ".repeat(80)}]`],
    ],
    ["a number of 250,000 digits", "yaml.unmarshal", [`- ${"9".repeat(250_000)}`]],
    ["an array nested 60,000 deep", "rego.parse_module", ["a", `package a\np := ${"[".repeat(60_000)}`]],
  ];
  for (const [what, name, args] of HOSTILE) {
    it(`${name} gives up on ${what}, and the budget pays`, () => {
      const unlimited = withBudget(Number.MAX_SAFE_INTEGER);
      assert.throws(() => call(name, args, unlimited.context), BuiltinError);
      assert.ok(Number.MAX_SAFE_INTEGER - unlimited.left() >= 10_000_000);
      assert.equal(
        codeOf(() => call(name, args, withBudget(10_000_000).context)),
        "policy_budget",
      );
      assert.equal(call("strings.render_template", ["{{.a}}", parseValue('{"a":1}')]), "1");
    });
  }

  it("stops a call when it has taken what the evaluation has left, and not later", () => {
    const args = ["{{range 1000000000}}{{end}}", parseValue("{}")] as const;
    const unitsOf = (steps: number): number => {
      let spent = 0;
      const memory = { nowUnixNs: NOW, memo: new Map(), answers: new Map(), effects: 0, steps: 0 };
      const spend = (taken: number) => {
        spent += taken;
      };
      const limited = createBuiltinContext(memory, spend, () => steps - spent);
      assert.throws(() => call("strings.render_template", args, limited), /too much work/);
      return (spent - 10_000_000) / 10; // without what a fault costs
    };
    assert.equal(unitsOf(1_000_000), 100_000);
    assert.equal(unitsOf(5), 0);
    assert.equal(unitsOf(-1), 0);
    assert.equal(unitsOf(1_000_000_000), 4_000_000);
  });

  it("reads YAML of 10,000 characters for 30,000,000 steps, and of 200 for less than one", () => {
    const entry = '- name: abc\n  value: 12\n  items:\n    - x: "y z"\n      w: true\n';
    const stepsOf = (entries: number): number => {
      const budget = withBudget(1_000_000_000);
      assert.ok(Array.isArray(call("yaml.unmarshal", [entry.repeat(entries)], budget.context)));
      return 1_000_000_000 - budget.left();
    };
    assert.ok(stepsOf(160) < 30_000_000);
    assert.ok(stepsOf(3) < 1_000_000);
  });

  it("a policy's offender is denied, and the next request of another policy is answered", () => {
    const template = loadPolicy(wasm.template, { strictBuiltinErrors: true });
    const schema = loadPolicy(wasm.schema);
    for (let round = 0; round < 5; round++) {
      const code = codeOf(() => template.evaluate('{"template":"{{range 1000000000}}{{end}}"}'));
      assert.ok(code === "policy_budget" || code === "policy_builtin_error", code);
      assert.equal(schema.evaluate('{"document":{"a":"x"}}'), '[{"result":[true,[]]}]');
      assert.equal(template.evaluate('{"template":"{{.n}}","n":1.50}'), '[{"result":"1.50"}]');
    }
  });
});

function numbered(count: number, print: (n: number) => string, separator = " "): string {
  return Array.from({ length: count }, (_, n) => print(n)).join(separator);
}

/** Each template calls the one below twice. */
function doubling(depth: number): string {
  return `${numbered(depth, (n) => `{{define "t${n}"}}${`{{template "t${n + 1}"}}`.repeat(2)}{{end}}`, "")}{{define "t${depth}"}}{{end}}{{template "t0"}}`;
}

describe("what passes", () => {
  it("keeps numbers as written, sets, and bytes that are no UTF-8", () => {
    const variables = parseValue('{"s": [3, "x"], "n": 12345678901234567890.50}');
    assert.equal(call("strings.render_template", ["{{.s}} {{.n}}", variables]), "[3 x] 12345678901234567890.50");
    const members = parseValue('{"type": "array", "items": {"maximum": 2}}');
    assert.match(
      printValue(
        call("json.match_schema", [
          parseValue('{"a": {3, 1}}'),
          parseValue(`{"properties": {"a": ${printValue(members)}}}`),
        ]) ?? null,
      ),
      /a\.1: Must be less than/,
    );
    assert.equal(call("strings.render_template", ["\udcff\udc80é{{/* */}}", parseValue("{}")]), "\udcff\udc80é");
    assert.equal(call("strings.render_template", ['\u0000\n"\\\u001f<&>', parseValue("{}")]), '\u0000\n"\\\u001f<&>');
  });

  it("reads YAML as bytes: what is no UTF-8 is an error, UTF-16 with its mark is read", () => {
    assert.throws(() => call("yaml.unmarshal", ["a: \udcff"]), /yaml: .*UTF-8/);
    assert.equal(call("yaml.is_valid", ["a: \udcff"]), false);
    assert.equal(call("yaml.unmarshal", ["\udcff\udcfea\u0000b\u0000"]), "ab");
  });

  it("is undefined for an operand of a wrong type, and an error under strict mode", () => {
    const input = '{"template":5}';
    assert.equal(loadPolicy(wasm.template).evaluate(input), "[]");
    const strict = loadPolicy(wasm.template, { strictBuiltinErrors: true });
    assert.equal(
      codeOf(() => strict.evaluate(input)),
      "policy_builtin_error",
    );
  });
});
