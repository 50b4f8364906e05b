// What is shipped for authors of policies: the library and the examples with their tests, the input's schema, the
// capabilities; all of it through the evaluator that decides in production.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { packageRoot } from "../../src/base/package-root.ts";
import { runCli } from "../../src/cli/index.ts";
import { builtinNames } from "../../src/policy/builtins/index.ts";
import { loadActivePolicy } from "../../src/policy/load.ts";
import { countResults } from "../../src/policy/test-runner/result.ts";
import { runTests } from "../../src/policy/test-runner/run-tests.ts";
import { capabilities } from "../support/capabilities.ts";
import { inputSchema } from "../support/input-schema.ts";
import { schemaProblems } from "../support/json-schema.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { STACK_ENGINE } from "../support/stack.ts";

const POLICIES = join(packageRoot(), "policies");
const LIBRARY = join(POLICIES, "lib");
const folders = readdirSync(POLICIES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
const examples = folders.filter((name) => name !== "lib");
const read = (...path: string[]): string => readFileSync(join(packageRoot(), ...path), "utf8");
const sources = (name: string): string[] => readdirSync(join(POLICIES, name)).filter((file) => file.endsWith(".rego"));
const usesLibrary = (name: string): boolean =>
  sources(name).some((file) => read("policies", name, file).includes("import data.svidgate."));
const pathsOf = (name: string): string[] =>
  name !== "lib" && usesLibrary(name) ? [LIBRARY, join(POLICIES, name)] : [join(POLICIES, name)];

it("there is a library and at least six examples, each with data, tests, and a page on its use and limits", () => {
  assert.ok(folders.includes("lib"));
  assert.ok(examples.length >= 6, examples.join(" "));
  for (const name of examples) {
    for (const file of ["policy.rego", "policy_test.rego", "data.json", "README.md"])
      assert.ok(read("policies", name, file).length > 0, `${name}/${file}`);
    assert.match(
      read("policies", name, "README.md"),
      /\*\*When\.\*\*(?:.|\n)*\*\*What it does not protect from\.\*\*/,
      name,
    );
    assert.match(read("policies", "README.md"), new RegExp(`\\(${name}/\\)`), `${name} is in the list of examples`);
  }
});

for (const name of folders) {
  describe(`policies/${name}`, () => {
    it("passes its tests in our evaluator, and there are enough of them", async () => {
      const run = await runTests({ paths: pathsOf(name), dataFiles: [], regoVersion: "v1", timeoutMs: 10_000 });
      assert.ok(run.ok, run.ok ? "" : run.problems.join("\n"));
      const own = run.results.filter(({ at }) => at.file.startsWith(join(POLICIES, name)));
      const { passed } = countResults(own);
      assert.ok(passed >= 10, `${passed} tests`);
      assert.deepEqual(
        run.results.filter(({ outcome }) => outcome !== "pass").map(({ name: test }) => test),
        [],
      );
      for (const { cases, name: test } of own) for (const one of cases) assert.ok(one.passed, `${test}[${one.name}]`);
    });

    it("compiles with --check --strict, the input's schema included", async () => {
      let err = "";
      const entrypoint = name === "lib" ? ["--entrypoint", "svidgate/decision"] : [];
      const words = pathsOf(name).flatMap((path) => ["--policy", path]);
      const code = await runCli(["build", "--check", "--strict", ...words, ...entrypoint], {
        env: {},
        out: () => undefined,
        err: (text) => {
          err += text;
        },
        onSignal: () => undefined,
      });
      assert.deepEqual({ code, err }, { code: 0, err: "" });
    });
  });
}

for (const name of examples) {
  it(`policies/${name} denies what it knows nothing about`, async () => {
    const loaded = await loadActivePolicy({
      paths: pathsOf(name),
      dataFiles: [],
      regoVersion: "v1",
      entrypoint: "envoy/authz/allow",
      engine: STACK_ENGINE,
      strictBuiltinErrors: false,
      maxMemoryBytes: 256 * 1024 * 1024,
      clock: createManualClock(),
    });
    assert.ok(loaded.ok, loaded.ok ? "" : loaded.problems.join("\n"));
    const hostile = [
      "{}",
      "null",
      "[]",
      '"allow"',
      '{"attributes":null,"identity":null,"parsed_path":null,"source_principal":null}',
      '{"attributes":[],"identity":true,"parsed_path":"orders","source_principal":["a"]}',
      '{"identity":{"authenticated":true},"parsed_path":[],"attributes":{"request":{"http":{"method":"GET"}}}}',
      '{"identity":{"authenticated":true,"spiffe_id":7},"parsed_path":[7],"attributes":{"request":{"http":{"headers":[]}}}}',
    ];
    for (const input of hostile) {
      const [answer] = JSON.parse(await loaded.policy.evaluate(input, () => new AbortController().signal)) as {
        result: boolean | { allowed: boolean };
      }[];
      const allowed = typeof answer?.result === "object" ? answer.result.allowed : answer?.result;
      assert.equal(allowed, false, input);
    }
  });
}

describe("docs/input.schema.json", () => {
  const schema: unknown = JSON.parse(read("docs", "input.schema.json"));
  const vectors = (file: string): unknown[] =>
    read("test", "vectors", file)
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));

  it("is what the message tables give", () => assert.equal(read("docs", "input.schema.json"), inputSchema()));

  it("describes every recorded input of the plugin", () => {
    const inputs = (vectors("input.jsonl") as { name: string; want: { input?: unknown } }[]).filter(
      ({ want }) => want.input !== undefined,
    );
    assert.ok(inputs.length > 50);
    for (const { name, want } of inputs) assert.deepEqual(schemaProblems(schema, want.input), [], name);
  });

  it("describes every input of generated requests", () => {
    const inputs = (vectors("generated-input.jsonl") as { want: { kind: string; json?: string } }[]).flatMap(
      ({ want }) => (want.kind === "input" && want.json !== undefined ? [want.json] : []),
    );
    assert.ok(inputs.length > 100);
    for (const json of inputs) assert.deepEqual(schemaProblems(schema, JSON.parse(json)), [], json);
  });

  const page = readFileSync(join(packageRoot(), "docs", "input.md"), "utf8");

  it("has the fields that docs/input.md explains, and no others", () => {
    const explained = [...page.matchAll(/^\| `([a-z0-9_.*]+)` \|/gm)].map(([, name]) => name);
    const of = (schema: unknown, at: string): string[] => {
      const { properties, additionalProperties } = schema as {
        properties?: Record<string, unknown>;
        additionalProperties?: unknown;
      };
      const named = Object.entries(properties ?? {}).flatMap(([name, inner]) => {
        const path = `${at}${name}`;
        return [path, ...of(inner, `${path}.`)];
      });
      return typeof additionalProperties === "object" && at.startsWith("identity.")
        ? [...named, ...of(additionalProperties, `${at}*.`)]
        : named;
    };
    const { properties } = schema as { properties: Record<string, unknown> };
    const fields = [...Object.keys(properties), ...of(properties["identity"], "identity.")];
    assert.deepEqual([...explained].sort(), fields.sort());
  });

  const input = { version: { encoding: "protojson", ext_authz: "v3" }, parsed_path: [""], parsed_query: {} };
  const nobody = { authenticated: false, verified_by: "none", credential: { type: "none" } };
  const times = {
    ...{ not_before: "2026-01-01T00:00:00Z", not_after: "2026-01-01T01:00:00Z", not_before_unix: 1767225600 },
    ...{ not_after_unix: 1767229200, lifetime_seconds: 3600, age_seconds: 60, remaining_seconds: 3540 },
  };
  const proven = {
    authenticated: true,
    verified_by: "pdp",
    spiffe_id: "spiffe://example.org/ns/shop/sa/web",
    trust_domain: "example.org",
    path: "/ns/shop/sa/web",
    segments: ["ns", "shop", "sa", "web"],
    kind: "workload",
    federated: false,
    credential: {
      ...{ type: "x509-svid", source: "certificate", binding: "mtls", ...times, serial: "0f", issuer: "O=SPIRE" },
      ...{ subject: "O=SPIRE", key_type: "EC", key_size: 256, signature_algorithm: "ecdsa-with-SHA256" },
      ...{ fingerprint_sha256: "ab".repeat(32), dns_names: ["web"], chain_length: 2 },
    },
    attributes: {
      namespace: { value: "shop", source: "template", trust: "pdp" },
      purpose: { value: ["a", { b: 1 }], source: "data", trust: "operator" },
    },
    bundle: {
      ...{ trust_domain: "example.org", generation: 3, sequence: "42", age_seconds: 1, state: "fresh", source: "file" },
    },
    peer: { spiffe_id: "spiffe://example.org/gw", trust_domain: "example.org", fingerprint_sha256: "cd".repeat(32) },
    token: {
      ...{ spiffe_id: "spiffe://example.org/ns/shop/sa/web", audience: ["a"], key_id: "k", token_id: "t" },
      ...{ not_after: "2026-01-01T01:00:00Z", claims: { aud: ["a"], tier: 1 } },
    },
  };
  const token = {
    ...{ type: "jwt-svid", source: "token", binding: "bearer", ...times, issuer: "https://example.org", key_id: "k" },
    ...{ algorithm: "ES256", token_id: "t", audience: ["a"], issued_at_unix: 1767225600 },
  };
  const identities = {
    "no credential": nobody,
    "a claim": { ...nobody, unverified: { principal: "spiffe://example.org/x" } },
    "a credential that proves nobody": { ...nobody, error: "x509_expired" },
    "an X.509-SVID": proven,
    "a JWT-SVID": { ...proven, credential: token },
    "Envoy's word": {
      ...{ ...proven, bundle: undefined, peer: undefined, token: undefined, federated: undefined },
      ...{ verified_by: "envoy", credential: { type: "x509-svid", source: "principal", binding: "mtls" } },
    },
  };
  for (const [name, identity] of Object.entries(identities)) {
    it(`describes the identity of ${name}`, () => {
      assert.deepEqual(schemaProblems(schema, { ...input, identity: JSON.parse(JSON.stringify(identity)) }), []);
    });
  }

  it("is closed in every part of the identity", () => {
    const { credential, attributes, bundle, peer, token: told } = proven;
    const wrong = {
      ...{ ...proven, spifeid: "x", verified_by: "me", kind: "robot" },
      credential: { ...credential, seriall: "1", type: "x509" },
      attributes: { ...attributes, team: "shop", environment: { value: "prod", source: "data", trust: "me", by: "x" } },
      ...{
        bundle: { ...bundle, state: "old", sequence: 42 },
        peer: { ...peer, id: "x" },
        token: { ...told, claim: 1 },
      },
      unverified: { spiffe_id: "x" },
    };
    assert.deepEqual(schemaProblems(schema, { ...input, identity: wrong }).sort(), [
      "$.identity.attributes.environment.by: is not in the schema",
      '$.identity.attributes.environment.trust: "me" is none of the values',
      "$.identity.attributes.team: string and not object",
      "$.identity.bundle.sequence: number and not string",
      '$.identity.bundle.state: "old" is none of the values',
      "$.identity.credential.seriall: is not in the schema",
      '$.identity.credential.type: "x509" is none of the values',
      '$.identity.kind: "robot" is none of the values',
      "$.identity.peer.id: is not in the schema",
      "$.identity.spifeid: is not in the schema",
      "$.identity.token.claim: is not in the schema",
      "$.identity.unverified.spiffe_id: is not in the schema",
      '$.identity.verified_by: "me" is none of the values',
    ]);
    assert.deepEqual(schemaProblems(schema, { ...input, identity: {} }), [
      "$.identity.authenticated: is missing",
      "$.identity.verified_by: is missing",
      "$.identity.credential: is missing",
    ]);
  });

  it("the checker of this test finds what is wrong", () => {
    const wrong = { version: {}, parsed_path: [7], parsed_query: { a: "1" }, metod: "GET", source_principal: null };
    assert.deepEqual(schemaProblems(schema, wrong).sort(), [
      "$.metod: is not in the schema",
      "$.parsed_path[0]: number and not string",
      "$.parsed_query.a: string and not array",
      "$.source_principal: null and not string",
      "$.version.encoding: is missing",
      "$.version.ext_authz: is missing",
    ]);
  });
});

describe("capabilities.json", () => {
  const shipped = read("capabilities.json");
  const document = JSON.parse(shipped) as {
    builtins: { name: string; decl: unknown }[];
    wasm_abi_versions: unknown;
    features: string[];
  };
  const names = new Set(document.builtins.map(({ name }) => name));

  it("is what the compiler says of our builtins", async () => assert.equal(shipped, await capabilities()));

  it("has every builtin of the host with its declaration", () => {
    for (const name of builtinNames) assert.ok(names.has(name), name);
    for (const { name, decl } of document.builtins) assert.equal(typeof decl, "object", name);
  });

  it("has builtins that are native to OPA's module, and none that only configuration allows", () => {
    for (const name of ["startswith", "regex.match", "json.unmarshal", "internal.member_2"])
      assert.ok(names.has(name), name);
    for (const name of ["http.send", "net.lookup_ip_addr"]) assert.ok(!names.has(name), name);
  });

  it("names the ABI that is needed", () =>
    assert.deepEqual(document.wasm_abi_versions, [{ version: 1, minor_version: 2 }]));
});
