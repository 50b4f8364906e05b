import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { loadPolicy } from "../../../src/policy/evaluator.ts";
import { PolicyError } from "../../../src/policy/policy-error.ts";
import { wasm as api } from "../../../src/policy/wasm-api.ts";
import { WasmInstance } from "../../../src/policy/wasm-instance.ts";
import { compileModule, STACK_POINTER_EXPORT } from "../../../src/policy/wasm-module.ts";
import { compileFixtures } from "../../support/rego.ts";

const REGO = `package p
  q := data.value if not input.clash
  q := 1 if input.clash
  q := 2 if input.clash
`;

let wasm: Uint8Array;
before(async () => {
  ({ wasm } = await compileFixtures({ wasm: { rego: REGO } }));
});

/** The module with one name replaced by another of the same length, where it occurs first. */
function renamed(from: string, to: string): Uint8Array {
  const bytes = Buffer.from(wasm);
  const at = bytes.indexOf(Buffer.concat([Buffer.from([from.length]), Buffer.from(from)]));
  assert.ok(at > 0 && from.length === to.length);
  bytes.write(to, at + 1);
  return bytes;
}

const refuses = (module: Uint8Array | object, message: RegExp): void =>
  assert.throws(
    () => loadPolicy(module),
    (error) => error instanceof PolicyError && error.code === "policy_abi" && message.test(error.message),
  );

describe("a module that is not OPA's", () => {
  it("is refused when it is no module at all", () => {
    for (const bytes of [Buffer.from(""), Buffer.from("\0asm"), Buffer.from("package p"), Buffer.alloc(1_000)])
      refuses(bytes, /not a WebAssembly module/);
    for (const value of [{}, [], () => 1, "text", null, undefined])
      refuses(value as unknown as object, /neither bytes nor a WebAssembly.Module/);
  });

  it("is refused when it is cut off anywhere", () => {
    for (let length = 0; length < wasm.length; length += 997) refuses(wasm.subarray(0, length), /svidgate build/);
  });

  it("is refused when it lacks what the host calls, or calls what the host lacks", () => {
    refuses(Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]), /does not export `opa_malloc`/);
    refuses(renamed("opa_value_dump", "opa_value_dumb"), /does not export `opa_value_dump`/);
    refuses(renamed("opa_abort", "opa_adopt"), /imports `env.opa_adopt`/);
  });

  it("is refused when its ABI is older than 1.2, or unknown", () => {
    refuses(renamed("opa_wasm_abi_minor_version", "opa_wasm_abi_minor_versiom"), /ABI 1\.undefined/);
    refuses(renamed("opa_wasm_abi_version", "opa_wasm_abi_versiom"), /ABI undefined/);
  });
});

describe("the stack pointer", () => {
  it("is exported, whatever kind of byte array holds the module", () => {
    const shifted = new Uint8Array(wasm.length + 7);
    shifted.set(wasm, 7);
    for (const bytes of [wasm, Buffer.from(wasm), shifted.subarray(7)]) {
      const names = api.Module.exports(compileModule(bytes)).map(({ name }) => name);
      assert.equal(names.filter((name) => name === STACK_POINTER_EXPORT).length, 1);
    }
  });

  it("is where it was after an evaluation that succeeds", () => {
    const callbacks = { builtin: () => assert.fail("no builtin is called"), print: () => undefined };
    const { exports } = new WasmInstance(compileModule(wasm), callbacks, 16);
    const atRest = exports[STACK_POINTER_EXPORT]?.value;
    assert.ok(atRest !== undefined && atRest > 0);
    for (let round = 0; round < 10; round++) {
      exports.eval(exports.opa_eval_ctx_new());
      assert.equal(exports[STACK_POINTER_EXPORT]?.value, atRest);
    }
  });

  it("does not change the caller's bytes", () => {
    const copy = Buffer.from(wasm);
    compileModule(wasm);
    assert.ok(copy.equals(wasm));
  });
});

describe("a compiled module", () => {
  const clash = (policy: ReturnType<typeof loadPolicy>): void =>
    assert.throws(() => policy.evaluate('{"clash":true}'), { code: "policy_conflict" });

  it("that hides its stack pointer gets a new instance after each failure, with its data", () => {
    const policy = loadPolicy(new api.Module(wasm), {
      data: '{"value":{"kept":[1.0]}}',
      maxMemoryBytes: 1_048_576,
      budgetSteps: "off",
    });
    for (let round = 0; round < 600; round++) clash(policy);
    assert.equal(policy.evaluate("{}"), '[{"result":{"kept":[1.0]}}]');
    policy.setData('{"value":2}');
    for (let round = 0; round < 10; round++) clash(policy);
    assert.equal(policy.evaluate("{}"), '[{"result":2}]');
  });

  it("of ours can be loaded again, as another worker would", () => {
    const policy = loadPolicy(compileModule(wasm), { data: '{"value":1}' });
    for (let round = 0; round < 5_000; round++) clash(policy);
    assert.equal(policy.evaluate("{}"), '[{"result":1}]');
  });
});

it("a module with long constants gets the memory that it needs from the start", async () => {
  const rego = `package p\nq := "${"x".repeat(2_000_000)}"`;
  const { large } = await compileFixtures({ large: { rego } });
  assert.equal(loadPolicy(large, { budgetSteps: "off" }).evaluate().length, '[{"result":""}]'.length + 2_000_000);
  assert.throws(() => loadPolicy(large, { maxMemoryBytes: 1_048_576 }), { code: "policy_memory" });
  assert.throws(
    () => loadPolicy(wasm, { data: JSON.stringify({ value: "x".repeat(1_000_000) }), maxMemoryBytes: 1_048_576 }),
    {
      code: "policy_data_invalid",
    },
  );
});
