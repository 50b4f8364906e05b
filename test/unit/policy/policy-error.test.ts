import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { nativeRequest } from "../../../src/policy/builtins/index.ts";
import { compileRegoBatch } from "../../../src/policy/compiler/index.ts";
import { loadPolicy, type Policy } from "../../../src/policy/evaluator.ts";
import { PolicyError } from "../../../src/policy/policy-error.ts";

const SECRET = "hunter2";

describe("what is told of a builtin's error", () => {
  const rows: readonly (readonly [call: string, why: RegExp])[] = [
    ["to_number(input.x)", /^to_number: strconv/],
    ['net.cidr_contains(input.x, "10.0.0.1")', /^net.cidr_contains: invalid CIDR/],
    ["time.clock([0, input.x])", /^time.clock: unknown time zone/],
    ['json.patch({}, [{"op": input.x, "path": "/a"}])', /^json.patch: unrecognized op/],
    ['yaml.unmarshal(sprintf(`pw: !!int "%s"`, [input.x]))', /^yaml.unmarshal: /],
  ];
  let policies: readonly Policy[];
  before(async () => {
    const requests = rows.map(([call]) => ({
      files: [{ path: "p.rego", text: `package p\n q := ${call}` }],
      entrypoints: ["p/q"],
      builtins: ["json.patch", "sprintf", "time.clock", "yaml.unmarshal"],
      print: false,
      regoVersion: "v1" as const,
      ...nativeRequest(true),
    }));
    policies = (await compileRegoBatch(requests)).map((result) => {
      assert.ok(result.ok, JSON.stringify(result));
      return loadPolicy(result.value.wasm, { strictBuiltinErrors: true });
    });
  });

  for (const [index, [call, why]] of rows.entries())
    it(`${call} is one short line, whatever the operand`, () => {
      for (const x of [
        "a\u001b[31m\r\nadmin=true\u2028\u0085",
        "\n".repeat(20_000),
        "x".repeat(1_020) + "\u{1f600}".repeat(9),
      ]) {
        const message = messageOf(() => policies[index]?.evaluate(JSON.stringify({ x })));
        assert.match(message, why);
        assert.ok(message.length <= 1_025, `${message.length}`);
        assert.doesNotMatch(message, /[\p{Cc}\p{Cs}\u2028\u2029]/u);
      }
    });
});

it("errors of builtins that take keys name no part of them", async () => {
  const calls = [
    `io.jwt.verify_hs256("a.b.c", input.x)`,
    `io.jwt.decode(input.x)`,
    `io.jwt.encode_sign_raw("{}", "{}", input.x)`,
    `io.jwt.verify_rs256("e30.e30.AA", input.x)`,
    `json.unmarshal(sprintf("{\\"password\\": %s", [input.x]))`,
  ];
  const results = await compileRegoBatch(
    calls.map((call) => ({
      files: [{ path: "p.rego", text: `package p\n q := ${call}` }],
      entrypoints: ["p/q"],
      builtins: ["io.jwt.decode", "io.jwt.encode_sign_raw", "io.jwt.verify_hs256", "io.jwt.verify_rs256", "sprintf"],
      print: false,
      regoVersion: "v1" as const,
      ...nativeRequest(true),
    })),
  );
  for (const [index, result] of results.entries()) {
    assert.ok(result.ok, JSON.stringify(result));
    const policy = loadPolicy(result.value.wasm, { strictBuiltinErrors: true });
    for (const x of [SECRET, `{"kty":"oct","k":"${SECRET}!"}`, `-----BEGIN PUBLIC KEY-----\n${SECRET}\n`])
      assert.doesNotMatch(
        messageOf(() => policy.evaluate(JSON.stringify({ x }))),
        /hunter|HUNTER/,
        calls[index],
      );
  }
});

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof PolicyError && error.code === "policy_builtin_error", String(error));
    return error.message;
  }
  return assert.fail("no error");
}
