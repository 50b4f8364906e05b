import assert from "node:assert/strict";
import { it } from "node:test";
import { FIELDS } from "../../../src/config/fields.ts";
import { type ConfigSources, environmentName, type LoadedConfig, loadConfig } from "../../../src/config/load.ts";

const load = (sources: Partial<ConfigSources>): LoadedConfig =>
  loadConfig({ flags: new Map(), set: [], env: {}, ...sources });

const problemsOf = (sources: Partial<ConfigSources>): readonly string[] => {
  const loaded = load(sources);
  return loaded.ok ? [] : loaded.problems;
};

it("has a valid default for every field", () => {
  const loaded = load({});
  assert.ok(loaded.ok);
  assert.equal(loaded.config.listen, "127.0.0.1:9191");
  assert.equal(loaded.config.admin, "127.0.0.1:8282");
  assert.equal(loaded.config.opaPath, "envoy/authz/allow");
  assert.equal(loaded.config.lameDuckMs, 5_000);
  assert.deepEqual(loaded.config.policyPaths, []);
  assert.ok(Object.isFrozen(loaded.config));
});

it("lets flags win over --set, --set over the environment, the environment over defaults", () => {
  const env = { SVIDGATE_LISTEN: "127.0.0.1:1", SVIDGATE_ADMIN: "127.0.0.1:2", SVIDGATE_AUDIT__SINK: "none" };
  const set = ["svidgate.listen=127.0.0.1:3", "svidgate.admin=127.0.0.1:4"];
  const loaded = load({ env, set, flags: new Map([["listen", ["127.0.0.1:5"]]]) });
  assert.ok(loaded.ok);
  assert.deepEqual(
    [loaded.config.listen, loaded.config.admin, loaded.config.audit, loaded.config.engine],
    ["127.0.0.1:5", "127.0.0.1:4", "none", "native"],
  );
});

it("adds up repeatable flags in their order", () => {
  const loaded = load({ flags: new Map([["policy", ["a.rego", "b"]]]) });
  assert.ok(loaded.ok);
  assert.deepEqual(loaded.config.policyPaths, ["a.rego", "b"]);
});

it("reports every problem at once", () => {
  const problems = problemsOf({
    set: ["svidgate.lissen=x", "nonsense", "svidgate.drain.grace=20"],
    env: { SVIDGATE_LISSEN: "x" },
    flags: new Map([["on-error", ["allow"]]]),
  });
  assert.deepEqual(problems, [
    "SVIDGATE_LISSEN: unknown variable; did you mean `SVIDGATE_LISTEN`?",
    "--set svidgate.lissen: unknown key; did you mean `svidgate.listen`?",
    "--set nonsense: expected key=value",
    "--on-error: `allow` is not valid: expected one of deny, error_response, grpc_error",
    "--set svidgate.drain.grace: `20` is not valid: expected a duration with a unit such as 250ms, 5s, 2m, from 0ms to 600000ms",
  ]);
});

it("refuses a flag that was given twice but may stand once", () => {
  assert.deepEqual(problemsOf({ flags: new Map([["admin", ["127.0.0.1:1", "127.0.0.1:2"]]]) }), [
    "--admin: given 2 times, once is allowed",
  ]);
});

const invalid = [
  ["svidgate.workers", ["0", "-1", "1.5", "", "x", "257", "1e2"]],
  ["svidgate.drain.grace", ["5", "5d", "-5s", "", "1.5s", "601s", "s"]],
  ["plugins.envoy_ext_authz_grpc.grpc-max-recv-msg-size", ["0", "4mb", "-1", "999GiB", ""]],
  ["svidgate.unix_socket_mode", ["999", "660x", "0o660", "", "10660"]],
  ["svidgate.dry_run", ["yes", "1", "TRUE", ""]],
  ["svidgate.policy.engine", ["wasmtime", ""]],
  ["svidgate.listen", [""]],
] as const;
for (const [key, texts] of invalid) {
  for (const text of texts) {
    it(`refuses ${key}=${JSON.stringify(text)} by name`, () => {
      const [problem, ...more] = problemsOf({ set: [`${key}=${text}`] });
      assert.equal(more.length, 0);
      assert.ok(problem?.startsWith(`--set ${key}: \`${text}\` is not valid: `), problem);
    });
  }
}

it("has no two fields with one key, one flag or one environment variable", () => {
  const fields = Object.values(FIELDS) as readonly { readonly key: string; readonly flag?: string }[];
  const keys = fields.map(({ key }) => key);
  const flags = fields.flatMap(({ flag }) => flag ?? []);
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(new Set(flags).size, flags.length);
  assert.equal(new Set(keys.map(environmentName)).size, keys.length);
});

it("leaves the rest of the environment alone", () => {
  assert.equal(load({ env: { PATH: "/bin", SVID: "x", LISTEN: "y" } }).ok, true);
});
