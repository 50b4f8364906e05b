import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { loadPolicy, type PolicyOptions } from "../../../src/policy/evaluator.ts";
import { RegoNumber, RegoSet } from "../../../src/policy/value.ts";
import { compileFixtures } from "../../support/rego.ts";

const FIXTURES = {
  policy: {
    rego: `package p
      default allow := false
      allow if {
        some role in data.users[input.user]
        some grant in data.roles[role]
        grant.method == input.method
        glob.match(grant.path, ["/"], input.path)
      }
      decision := {"allowed": allow, "headers": {"x-user": input.user}} if input.user
      tokens := split(trim_prefix(input.path, "/"), "/")
      total := sum([n | some n in input.numbers])
      matches := regex.match("^a+$", input.user)
      echo := input
      conflict := 1 if input.x
      conflict := 2 if input.y
      hashed := crypto.sha256(input.user)
      set_order := {"c", "a", "b", "aa"}
      digits := 9007199254740993 + input.one
      huge := 1e400
      is_a_set if is_set(net.cidr_expand("10.0.0.0/30"))
      mac := crypto.hmac.sha256("message", base64.decode(input.key))
    `,
    entrypoints: [
      "p/allow",
      "p/decision",
      "p/tokens",
      "p/total",
      "p/matches",
      "p/echo",
      "p/conflict",
      "p/hashed",
      "p/set_order",
      "p/digits",
      "p/huge",
      "p/is_a_set",
      "p/mac",
    ],
    builtins: ["crypto.hmac.sha256", "crypto.sha256", "net.cidr_expand"],
  },
} as const;

const DATA = JSON.stringify({
  users: { alice: ["admin", "guest"], bob: ["guest"] },
  roles: { admin: [{ method: "POST", path: "/people/*" }], guest: [{ method: "GET", path: "/**" }] },
});

const OPTIONS: PolicyOptions = {
  data: DATA,
  findBuiltin: (name) =>
    name === "crypto.sha256" ? ([text]) => `hash of ${text}` : () => RegoSet.of([RegoNumber.of(1)]),
};

let wasm: Uint8Array;
before(async () => {
  wasm = (await compileFixtures(FIXTURES)).policy;
});

const both = (): ReturnType<typeof loadPolicy>[] =>
  (["native", "opa-wasm"] as const).map((engine) => loadPolicy(wasm, { ...OPTIONS, engine }));

describe("both engines", () => {
  const inputs = [
    undefined,
    "0",
    "false",
    '""',
    "null",
    "[]",
    "{}",
    ...["alice", "bob", "aaa", "\\ud800", "é\\u0000😀"].flatMap((user) =>
      ["GET", "POST"].flatMap((method) =>
        ["/people/1", "/people", "/"].map(
          (path) => `{"user":"${user}","method":"${method}","path":"${path}","numbers":[1,2,3.5],"one":0}`,
        ),
      ),
    ),
    '{"x":1}',
    '{"y":true,"nested":{"a":[[],{}]}}',
  ];

  for (const name of ["allow", "decision", "tokens", "total", "matches", "echo", "conflict", "hashed"] as const)
    it(`agree on ${name} for every input`, () => {
      const [native, second] = both();
      const entrypoint = `p/${name}`;
      for (const input of inputs) {
        const [want, got] = [native, second].map((policy) => policy?.evaluate(input, { entrypoint }) ?? "");
        assert.deepEqual(JSON.parse(got ?? ""), JSON.parse(want ?? ""), input);
      }
    });

  it("agree on their entrypoints, on failures and on what comes after them", () => {
    const [native, second] = both();
    assert.deepEqual(second?.entrypoints, native?.entrypoints);
    for (const policy of both()) {
      for (let round = 0; round < 100; round++)
        assert.throws(() => policy.evaluate('{"x":1,"y":1}', { entrypoint: "p/conflict" }), {
          code: "policy_conflict",
        });
      assert.throws(() => policy.evaluate('{"x":1}}'), { code: "policy_input_invalid" });
      assert.throws(() => policy.evaluate("{}", { entrypoint: "p/none" }), { code: "policy_entrypoint_missing" });
      assert.equal(
        policy.evaluate('{"user":"a","path":"/","method":"GET"}', { entrypoint: "p/matches" }),
        '[{"result":true}]',
      );
    }
  });

  it("replace data as a whole, and keep the old document when the new one is invalid", () => {
    for (const policy of both()) {
      const allowed = (): string =>
        policy.evaluate('{"user":"bob","method":"GET","path":"/x"}', { entrypoint: "p/allow" });
      assert.equal(allowed(), '[{"result":true}]');
      assert.throws(() => policy.setData("{"), { code: "policy_data_invalid" });
      assert.equal(allowed(), '[{"result":true}]');
      policy.setData("{}");
      assert.equal(allowed(), '[{"result":false}]');
      assert.throws(() => policy.evaluate('{"x":1,"y":1}', { entrypoint: "p/conflict" }), { code: "policy_conflict" });
      assert.equal(allowed(), '[{"result":false}]', "the new document outlives a failure");
    }
  });

  it("stay within their memory limit", () => {
    const maxMemoryBytes = 2 * 1024 * 1024;
    for (const engine of ["native", "opa-wasm"] as const) {
      const policy = loadPolicy(wasm, { ...OPTIONS, engine, maxMemoryBytes });
      const large = JSON.stringify(new Array<number>(500_000).fill(1));
      assert.throws(() => policy.evaluate(large), { name: "PolicyError", code: /policy_(input_too_large|memory)/ });
      assert.throws(() => policy.evaluate(JSON.stringify("x".repeat(3_000_000))), { code: "policy_input_too_large" });
      assert.ok(policy.memoryBytes <= maxMemoryBytes);
      assert.equal(policy.evaluate("{}", { entrypoint: "p/allow" }), '[{"result":false}]');
    }
  });
});

describe("where the engines differ, the native one says what `opa eval` 1.22.2 says", () => {
  for (const [name, input, opa] of [
    ["set_order", "{}", '["a","aa","b","c"]'],
    ["digits", '{"one":1}', "9007199254740994"],
    ["huge", "{}", "1e400"],
    ["echo", '{"n":[1.0,1e3,-0,9007199254740993]}', '{"n":[1.0,1e3,-0,9007199254740993]}'],
    ["is_a_set", "{}", "true"],
  ] as const)
    it(name, () => {
      const [native, second] = both();
      const entrypoint = `p/${name}`;
      assert.equal(native?.evaluate(input, { entrypoint }), `[{"result":${opa}}]`);
      // The package alone is no proof of anything here; it must only not fail.
      assert.match(second?.evaluate(input, { entrypoint }) ?? "", /^\[/);
    });
});

it("a key of raw bytes is not taken for another key: this engine, which cannot tell them apart, refuses it", () => {
  const engines = (["native", "opa-wasm"] as const).map((engine) => loadPolicy(wasm, { engine }));
  const macs = ["/w==", "/g==", "QQ=="].map((key) =>
    engines.map((policy) => policy.evaluate(JSON.stringify({ key }), { entrypoint: "p/mac" })),
  );
  assert.equal(new Set(macs.map(([native]) => native)).size, 3);
  assert.deepEqual(macs[0]?.[1], "[]");
  assert.deepEqual(macs[1]?.[1], "[]");
  assert.equal(macs[2]?.[1], macs[2]?.[0]);
});
