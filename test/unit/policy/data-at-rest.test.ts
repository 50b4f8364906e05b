// That evaluations never write on values of the data, wherever they end: the host relies on it when it puts back only the
// memory below the data after a used-up budget or an abort.

import assert from "node:assert/strict";
import { before, it } from "node:test";
import { MAX_STEPS } from "../../../src/policy/wasm-counter.ts";
import { WasmInstance } from "../../../src/policy/wasm-instance.ts";
import { compileModule } from "../../../src/policy/wasm-module.ts";
import { Random } from "../../support/random.ts";
import { compileFixtures } from "../../support/rego.ts";

const RULES = {
  looked_up: "data.d.users[input.user].roles[_]",
  walked: "[v | walk(data.d, [_, v]); is_number(v)]",
  merged: 'object.union(data.d.users, {"x": data.d.list})',
  removed: 'object.remove(data.d.users, {"alice"})',
  patched: 'json.filter(data.d, ["users/alice", "list/0"])',
  sorted: "sort(data.d.list)",
  reversed: "array.reverse(array.concat(data.d.list, data.d.list))",
  joined: 'concat(",", data.d.names)',
  replaced: 'strings.replace_n({"a": "b", "b": "c"}, concat("", data.d.names))',
  set: "{x | some x in data.d.list} | {x | some x in data.d.names}",
  overlaid: "[d | d := data.d.users with data.d.users as input]",
  summed: "sum(data.d.list) * max(data.d.list) / count(data.d.names)",
  big: "data.d.big * data.d.big",
  bitwise: "bits.xor(data.d.shift, bits.lsh(data.d.shift, 500))",
  printed: "json.marshal(data.d)",
  matched: "[n | some n in data.d.names; regex.match(`^(a|b)+$`, n); glob.match(`*`, [], n)]",
  reached: 'graph.reachable(data.d.graph, {"n1"})',
  whole: "data.d",
} as const;
const names = Object.keys(RULES) as (keyof typeof RULES)[];
const list = Array.from({ length: 200 }, (_, n) => n * 1.5);
const DATA = JSON.stringify({
  d: {
    users: { alice: { roles: ["admin"] }, bob: { roles: ["guest", "é"] } },
    names: Array.from({ length: 100 }, (_, n) => `a${"b".repeat(n % 7)}`),
    list,
    shift: 12_345_678_901_234,
    graph: Object.fromEntries(list.map((_, n) => [`n${n}`, [`n${(n * 7) % 200}`]])),
  },
}).replace(/}}$/, `,"big":${"9".repeat(400)}}}`);

let wasm: Uint8Array;
before(async () => {
  const rego = `package p\n${names.map((name) => `${name} := ${RULES[name]}`).join("\n")}`;
  const entrypoints = names.map((name) => `p/${name}`);
  wasm = (await compileFixtures({ policy: { rego, entrypoints } })).policy;
});

it("data is byte for byte what was loaded, after evaluations that end and that are stopped anywhere", () => {
  const callbacks = { builtin: () => assert.fail("no builtin is called"), print: () => undefined };
  const instance = new WasmInstance(compileModule(wasm), callbacks, 256);
  const { exports, steps, bytes } = instance;
  exports.opa_malloc(0);
  const start = exports.opa_heap_ptr_get();
  const atRest = Buffer.from(bytes.subarray(0, start));
  steps.left = MAX_STEPS;
  const text = instance.write(DATA);
  const data = exports.opa_json_parse(text.address, text.length);
  const end = exports.opa_heap_ptr_get();
  const loaded = Buffer.from(bytes.subarray(start, end));

  /** The steps that it took; the result is printed too. */
  const evaluate = (entrypoint: number, budget: number): number => {
    steps.left = MAX_STEPS;
    exports.opa_heap_ptr_set(end);
    const input = instance.write('{"user":"alice"}');
    const value = exports.opa_value_parse(input.address, input.length);
    const context = exports.opa_eval_ctx_new();
    exports.opa_eval_ctx_set_input(context, value);
    exports.opa_eval_ctx_set_data(context, data);
    exports.opa_eval_ctx_set_entrypoint(context, entrypoint);
    steps.left = budget;
    try {
      exports.eval(context);
      exports.opa_value_dump(exports.opa_eval_ctx_get_result(context));
    } catch (error) {
      assert.ok(steps.isExhausted(error), String(error));
      instance.restoreStack();
      atRest.copy(bytes);
    }
    assert.ok(loaded.equals(bytes.subarray(start, end)), `${names[entrypoint]}, budget ${budget}`);
    return budget - steps.left;
  };

  const random = new Random(3);
  for (const entrypoint of names.keys()) {
    const whole = evaluate(entrypoint, MAX_STEPS);
    assert.ok(whole > 100, `${names[entrypoint]}: ${whole}`);
    for (let round = 0; round < 60; round++) evaluate(entrypoint, random.below(whole));
    assert.equal(evaluate(entrypoint, MAX_STEPS), whole, names[entrypoint]);
  }
});
