import assert from "node:assert/strict";
import { before, it } from "node:test";
import type { BoundBuiltin } from "../../../src/policy/builtin-bridge.ts";
import { BuiltinError } from "../../../src/policy/builtins/builtin.ts";
import { readTables } from "../../../src/policy/native-engine.ts";
import type { PolicyErrorCode } from "../../../src/policy/policy-error.ts";
import { MAX_STEPS } from "../../../src/policy/wasm-counter.ts";
import { WasmHost } from "../../../src/policy/wasm-host.ts";
import { compileModule } from "../../../src/policy/wasm-module.ts";
import { createManualClock } from "../../support/manual-clock.ts";
import { compileFixtures } from "../../support/rego.ts";

const FIXTURES = {
  policy: {
    rego: `package p
      product := input.a * input.b
      conflict := input.a
      conflict := input.b
      unmarshal := json.unmarshal(input.text)
      hash := crypto.sha256(input.text)
      total := sum(numbers.range(1, input.a))
    `,
    entrypoints: ["p/product", "p/conflict", "p/unmarshal", "p/hash", "p/total"],
    builtins: ["crypto.sha256"],
  },
};
const DATA = '{"k":[1,"é"]}';

let wasm: Uint8Array;
before(async () => {
  wasm = (await compileFixtures(FIXTURES)).policy;
});

function createHost(): { readonly host: WasmHost; readonly evaluate: (rule: string, input: string) => string } {
  const builtins = new Map<number, BoundBuiltin>();
  const host = new WasmHost(
    { module: compileModule(wasm), builtins },
    { clock: createManualClock(), strictBuiltinErrors: true, maxMemoryBytes: 2 ** 23, onPrint: () => undefined },
  );
  const tables = readTables(host);
  const run = ([text]: readonly unknown[]): never => {
    throw text === "fault" ? new TypeError("a fault") : new BuiltinError("refused");
  };
  for (const [name, id] of tables.builtins) builtins.set(id, { name, run });
  host.loadData(DATA);
  return { host, evaluate: (rule, input) => host.evaluate(input, tables.entrypoints.indexOf(`p/${rule}`), MAX_STEPS) };
}

const nines = "9".repeat(20_000);
const deep = "[".repeat(100_000);
const rows: readonly (readonly [what: string, rule: string, input: string, code: PolicyErrorCode, trusted: boolean])[] =
  [
    ["a trap within the runtime", "product", `{"a":${nines},"b":${nines}}`, "policy_trap", false],
    ["the stack's end while the input is parsed", "product", deep, "policy_input_too_large", false],
    ["the stack's end within the evaluation", "unmarshal", JSON.stringify({ text: deep }), "policy_trap", false],
    ["a conflict", "conflict", '{"a":1,"b":2}', "policy_conflict", true],
    ["an abort", "unmarshal", JSON.stringify({ text: '"\\ud800"' }), "policy_trap", true],
    ["a refused input", "product", "{", "policy_input_invalid", true],
    ["a builtin's error", "hash", '{"text":"x"}', "policy_builtin_error", true],
    ["a builtin's fault", "hash", '{"text":"fault"}', "policy_trap", true],
    ["the end of memory", "total", '{"a":1000000}', "policy_memory", true],
  ];
for (const [what, rule, input, code, trusted] of rows)
  it(`after ${what} the instance is ${trusted ? "kept" : "given up, and its data with it"}`, () => {
    const { host, evaluate } = createHost();
    assert.throws(() => evaluate(rule, input), { name: "PolicyError", code });
    assert.deepEqual([host.isUsable, host.hasTrustedData], [trusted, trusted]);
    assert.equal(host.shouldBeReplaced, !trusted);
    if (trusted) assert.equal(evaluate("product", '{"a":6,"b":7}'), '[{"result":42}]');
  });
