// Strings that are not UTF-8 through a whole evaluation: into builtins, out of them, and through the builtins inside of the
// module. The answers are those of `opa eval` 1.22.2 on the same policy and input.

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { loadPolicy, type TrustingPolicy } from "../../../src/policy/evaluator.ts";
import { PolicyError } from "../../../src/policy/policy-error.ts";
import { ValueMemory } from "../../../src/policy/value-memory.ts";
import type { WasmInstance } from "../../../src/policy/wasm-instance.ts";
import { compileFixtures } from "../../support/rego.ts";

const FIXTURES = {
  policy: {
    rego: `package p

      bad := hex.decode("ff")

      half := hex.decode("c3")

      texts := {"a", bad, half, concat("", [half, hex.decode("a9")])}

      r["encoded"] := base64.encode(bad)

      r["native decode"] := hex.encode(base64.decode("/wD+"))

      r["joined by the module"] := concat("", [half, hex.decode("a9")]) == "é"

      r["joined by a builtin"] := sprintf("%s%s", [half, hex.decode("a9")]) == "é"

      r["different bytes"] := [hex.decode("ff") == hex.decode("fe"), hex.decode("ff") == "\\ufffd", hex.decode("ff") == bad]

      r["members"] := [bad in texts, half in texts, "é" in texts, hex.decode("fe") in texts, count(texts)]

      r["object keys"] := [o[bad], o[half], object.get(o, hex.decode("fe"), "none"), count(o)] if {
        o := urlquery.decode_object("%ff=1&%c3=2&%c3%a9=3&plain=4&%ff=5")
      }

      r["values"] := [hex.encode(v) | some v in urlquery.decode_object("k=%ff&k=%c3%a9&k=%fe%41").k]

      r["split"] := [hex.encode(part) | some part in strings.split_n(base64.decode("/0H+Qf8="), "A", 5)]

      r["native split"] := [hex.encode(part) | some part in split(base64.decode("/0H+Qf8="), "A")]

      r["nested sets"] := [x, y, z] if {
        s := graph.reachable_paths({bad: [half], half: []}, [bad])
        x := [bad, half] in s
        y := [half, bad] in s
        z := count(s)
      }

      r["order"] := [hex.encode(t) | some t in sort([bad, "z", half, "é", "\\uffff", "😀"])]

      r["starts"] := [startswith(base64.decode("/0H+"), bad), endswith(base64.decode("/0H+"), bad), contains("é", half)]

      r["hmac"] := crypto.hmac.sha256("m", base64.decode("/wD+"))

      r["token"] := io.jwt.verify_hs256(io.jwt.encode_sign_raw(\`{"alg":"HS256"}\`, "{}", \`{"kty":"oct","k":"_wD-"}\`), base64.decode("/wD+"))

      r["comprehension"] := {hex.encode(k): hex.encode(v) | some k, v in {bad: half, "x": bad}}

      r["result"] := [bad, half, {bad: {half}}, texts]

      r["smuggled"] := [hex.encode(input.raw), hex.encode(input.pair), input.raw == bad]

      r["smuggled, not found"] := "found" if {
        some x in [input.raw, input.pair]
        x in {bad, half, "é"}
      }

      r["quoted"] := sprintf("%q %v", [bad, [bad, {half}]])

      echo := input

      is_bad if hex.encode(input.raw) == "ff"

      lowered := lower(hex.decode("ff"))
    `,
    entrypoints: ["p/r", "p/echo", "p/is_bad", "p/lowered"],
    builtins: [
      "crypto.hmac.sha256",
      "graph.reachable_paths",
      "hex.decode",
      "hex.encode",
      "io.jwt.encode_sign_raw",
      "io.jwt.verify_hs256",
      "sprintf",
      "strings.split_n",
      "urlquery.decode_object",
    ],
  },
};

/** What OPA answers to `p/r`. */
const OPA_ANSWERS = {
  comprehension: { "78": "ff", ff: "c3" },
  "different bytes": [false, false, true],
  encoded: "/w==",
  hmac: "ec629f95038df25137f80082f6a22eea16e0ce3d87b751db6dc84f12468df0ae",
  "joined by a builtin": true,
  "joined by the module": true,
  members: [true, true, true, false, 4],
  "native decode": "ff00fe",
  "native split": ["ff", "fe", "ff"],
  "nested sets": [true, false, 1],
  "object keys": [["1", "5"], ["2"], "none", 4],
  order: ["7a", "c3", "c3a9", "efbfbf", "f09f9880", "ff"],
  quoted: '"\\xff" ["\\xff", {"\\xc3"}]',
  result: ["\ufffd", "\ufffd", { "\ufffd": ["\ufffd"] }, ["a", "\ufffd", "\u00e9", "\ufffd"]],
  smuggled: ["efbfbd", "efbfbdefbfbd", false],
  split: ["ff", "fe", "ff"],
  starts: [true, false, true],
  token: true,
  values: ["ff", "c3a9", "fe41"],
};

const INPUT = '{"raw":"\\udcff","pair":"\\udcc3\\udca9"}';

let policy: TrustingPolicy;
before(async () => {
  policy = loadPolicy((await compileFixtures(FIXTURES)).policy);
});

const resultOf = (resultSet: string): unknown => (JSON.parse(resultSet) as [{ result: unknown }])[0]?.result;

describe("a string that is not UTF-8", () => {
  for (const [name, want] of Object.entries(OPA_ANSWERS))
    it(`is to a policy what it is in OPA: ${name}`, () => {
      const result = resultOf(policy.evaluate(INPUT, { entrypoint: "p/r" })) as Readonly<Record<string, unknown>>;
      // Sets of strings are sorted by bytes here, and so is OPA's result.
      assert.deepEqual(result[name], want);
    });

  it("gives the same answers a thousand evaluations later", () => {
    const first = policy.evaluate(INPUT, { entrypoint: "p/r" });
    for (let round = 0; round < 1_000; round++) assert.equal(policy.evaluate(INPUT, { entrypoint: "p/r" }), first);
  });

  it("ends the evaluation where the module's own builtins cannot read it, and no other", () => {
    assert.throws(
      () => policy.evaluate(INPUT, { entrypoint: "p/lowered" }),
      (error) => error instanceof PolicyError && error.code === "policy_trap",
    );
    assert.deepEqual(resultOf(policy.evaluate("1", { entrypoint: "p/echo" })), 1);
  });
});

describe("callers cannot make one", () => {
  const REPLACED = { raw: "\ufffd" };
  for (const [what, evaluate] of [
    ["evaluate", (json: string, entrypoint: string) => policy.evaluate(json, { entrypoint })],
    ["evaluateTrusted", (json: string, entrypoint: string) => policy.evaluateTrusted(json, entrypoint)],
  ] as const)
    for (const [how, json] of [
      ["an escape", '{"raw":"\\udcff"}'],
      ["an escape in capitals", '{"raw":"\\uDCFF"}'],
      ["a lone surrogate", '{"raw":"\udcff"}'],
    ] as const)
      it(`by ${how} given to ${what}`, () => {
        assert.deepEqual(resultOf(evaluate(json, "p/echo")), REPLACED);
        assert.equal(evaluate(json, "p/is_bad"), "[]");
      });

  it("by bytes that are not UTF-8, which are no input", () => {
    const bytes = Buffer.concat([Buffer.from('{"raw":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    assert.throws(
      () => policy.evaluate(bytes, { entrypoint: "p/echo" }),
      (error) => error instanceof PolicyError && error.code === "policy_input_invalid",
    );
  });

  it("by the data document", () => {
    const own = loadPolicy(compiledData, { data: '{"raw":"\\udcff\udcfe"}' });
    assert.equal(own.evaluate(undefined, { entrypoint: "q/hexed" }), '[{"result":"efbfbdefbfbd"}]');
  });

  let compiledData: Uint8Array;
  before(async () => {
    const fixture = {
      rego: "package q\n hexed := hex.encode(data.raw)",
      entrypoints: ["q/hexed"],
      builtins: ["hex.encode"],
    };
    compiledData = (await compileFixtures({ data: fixture })).data;
  });
});

describe("a module whose runtime lays values out otherwise", () => {
  /** Whatever is parsed sits at `address`; memory is full of `fill`. */
  function foreign(fill: number, address: number): WasmInstance {
    const exports = { opa_value_parse: () => address, opa_malloc: () => 0 };
    const bytes = Buffer.alloc(256, fill);
    const dump = () => '["dumped", "a\udcff"]';
    return { bytes, exports, dump, write: () => ({ address: 0, length: 0 }) } as unknown as WasmInstance;
  }

  for (const [what, fill, address] of [
    ["no type where it should be", 0, 8],
    ["addresses beyond the memory", 4, 8],
    ["an address at the end of the memory", 4, 255],
  ] as const)
    it(`is read by its dumps, and gets no string that is not UTF-8: ${what}`, () => {
      const values = new ValueMemory(foreign(fill, address));
      assert.deepEqual(
        values.read(8, () => undefined),
        ["dumped", "a\udcff"],
      );
      assert.equal(values.write("text"), address);
      assert.throws(
        () => values.write(["\udcff"]),
        (error) => error instanceof PolicyError && error.code === "policy_trap" && /not UTF-8/.test(error.message),
      );
    });
});
