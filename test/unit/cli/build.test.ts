import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { readBundle } from "../../../src/policy/bundle.ts";
import { runInProcess } from "../../support/run-cli.ts";

const build = (...words: readonly string[]) => runInProcess("build", ...words);

const policy = (body: string): string => `package envoy.authz\n\ndefault allow := false\n\nallow if ${body}\n`;

describe("svidgate build", () => {
  let folder = "";
  const file = (name: string): string => join(folder, name);
  const checkBody = async (body: string, ...words: string[]) => {
    await writeFile(file("p.rego"), policy(body));
    return build("--policy", file("p.rego"), "--check", ...words);
  };
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "svidgate-cli-build-"));
  });
  after(() => rm(folder, { recursive: true }));

  const fields = [
    'input.attributes.request.http.method == "GET"',
    'input.attributes.request.http.headers["x-anything"] == "1"',
    'input.attributes.request.http.headers.authorization == "1"',
    "input.attributes.source.address.socketAddress.portValue > 1",
    'input.attributes.source.labels.app == "web"',
    'input.attributes.metadataContext.filterMetadata["envoy.filters.http.jwt_authn"].payload.sub == "alice"',
    'input.attributes.contextExtensions.tenant == "a"',
    'input.attributes.tlsSession.sni == "a"',
    "input.attributes.request.time.seconds > 1",
    'input.parsed_path[0] == "orders"',
    'input.parsed_query.limit[0] == "20"',
    'input.parsed_body.any.thing[0].at.all == "x"',
    "input.truncated_body == false",
    'input.source_principal == "x"',
    'input.version.ext_authz == "v3"',
    "input.identity.authenticated",
    'input.identity.segments[1] == "shop"',
    "input.identity.credential.remaining_seconds > 60",
    'input.identity.attributes.attestation_level.value == "hardware"',
    'input.identity.attributes["attestation_level"].trust in {"pdp", "operator"}',
    "input.identity.credential.not_after_unix > 1",
    'input.identity.token.claims.tier == "gold"',
    'input.identity.peer.spiffe_id == "x"',
    'input.identity.bundle.state == "fresh"',
    'input.identity.unverified.principal == "x"',
  ];
  it("--strict knows every field of the input", async () => {
    await writeFile(
      file("p.rego"),
      `package envoy.authz\n\n${fields.map((body) => `allow if ${body}`).join("\n\n")}\n`,
    );
    const run = await build("--policy", file("p.rego"), "--check", "--strict");
    assert.deepEqual(run, { code: 0, out: "1 module compiles\n", err: "" });
  });

  const misspelt: readonly (readonly [string, string])[] = [
    ['input.attributes.request.http.metod == "GET"', "metod"],
    ['input.atributes.request.http.method == "GET"', "atributes"],
    ['input.attributes.source.prinzipal == "x"', "prinzipal"],
    ['input.parsed_paths[0] == "orders"', "parsed_paths"],
    ["input.identity.authentic", "authentic"],
    ['input.identity.credential.type_ == "x509-svid"', "type_"],
    ['input.principal == "x"', "principal"],
  ];
  for (const [body, word] of misspelt) {
    it(`--strict refuses a field that the input does not have: ${word}`, async () => {
      const run = await checkBody(body, "--strict");
      assert.equal(run.code, 2);
      assert.match(run.err, /p\.rego:5:10: rego_type_error: undefined ref: input\./);
      assert.match(run.err, new RegExp(`have: "${word}"`));
      assert.match(run.err, /want \(one of\): \[/);
      assert.match(run.err, /\n {2}5 \| allow if input\.[^\n]*\n {4}\| {10}\^/);
    });
  }

  it("--strict refuses a comparison of types that can never be equal", async () => {
    const run = await checkBody("input.truncated_body == 1", "--strict");
    assert.equal(run.code, 2);
    assert.match(run.err, /rego_type_error: match error/);
  });

  it("--strict refuses unused variables and imports", async () => {
    await writeFile(file("p.rego"), "package envoy.authz\n\nimport data.a\n\nallow if {\n\tx := 1\n}\n");
    const run = await build("--policy", file("p.rego"), "--check", "--strict");
    assert.equal(run.code, 2);
    assert.match(run.err, /import data\.a unused/);
    assert.match(run.err, /assigned var x unused/);
  });

  it("without --strict a misspelt field is undefined, as in OPA", async () => {
    assert.equal((await checkBody('input.attributes.request.http.metod == "GET"')).code, 0);
  });

  const identityBodies: readonly (readonly [string, string])[] = [
    ['input.identity.spifeid == "x"', "spifeid"],
    ['input["identity"].spifeid == "x"', "spifeid"],
    ['input.identity.credential.typ == "x509-svid"', "typ"],
    ['input.identity.peer.id == "x"', "id"],
    ["not input.identity.unverified.principle", "principle"],
  ];
  for (const [body, word] of identityBodies) {
    it(`refuses a misspelt field of the identity, strict or not: ${body}`, async () => {
      for (const words of [[], ["--strict"]]) {
        const run = await checkBody(body, ...words);
        assert.equal(run.code, 2);
        assert.match(run.err, /p\.rego:5:\d+: rego_type_error: undefined ref: input\.identity\./);
        assert.match(run.err, new RegExp(`have: "${word}"`));
      }
    });
  }

  it("finds a misspelt field behind an alias, a local name and another file", async () => {
    const bodies = [
      'import input.identity as who\n\nallow if who.spifeid == "x"',
      'allow if {\n\twho := input.identity\n\twho.spifeid == "x"\n}',
      'allow if data.other.caller.spifeid == "x"',
    ];
    await writeFile(file("other.rego"), "package other\n\ncaller := input.identity\n");
    for (const body of bodies) {
      await writeFile(file("p.rego"), `package envoy.authz\n\n${body}\n`);
      const run = await build("--policy", file("p.rego"), "--policy", file("other.rego"), "--check");
      assert.equal(run.code, 2, body);
      assert.match(run.err, /spifeid/);
    }
  });

  const free = [
    'input.identity.spiffe_id == "x"; input.user == "alice"; input["x-y"].z == 1; input[`raw`] == 2',
    'input.identity.attributes.anything.value == "x"',
    'input == {"identity": {"spifeid": "x"}}; input.identity.authenticated',
    'some key in ["a", "b"]; input[key].spifeid == input.identity.spiffe_id',
    'object.get(input.identity, "spifeid", "") == ""',
    'input.identities.spifeid == "x"',
  ];
  for (const body of free)
    it(`without --strict everything else stays free: ${body}`, async () =>
      assert.deepEqual(await checkBody(`{ ${body} }`), { code: 0, out: "1 module compiles\n", err: "" }));

  it("an input with an identity of its own: without ours, annotated, or of a system package", async () => {
    const body = 'input.identity.spifeid == "x"';
    for (const words of [
      ["--set", "svidgate.input.identity=false"],
      ["--set", "compatibility=opa-envoy-plugin"],
    ])
      assert.equal((await checkBody(body, ...words)).code, 0, words.join(" "));
    const annotation = "# METADATA\n# scope: package\n# schemas:\n#   - input: {type: object}\n";
    await writeFile(file("p.rego"), annotation + policy(body));
    assert.equal((await build("--policy", file("p.rego"), "--check")).code, 0);
    await writeFile(file("p.rego"), policy("true"));
    await writeFile(file("mask.rego"), `package system.log\n\nmask contains "/x" if ${body}\n`);
    assert.equal((await build("--policy", file("p.rego"), "--policy", file("mask.rego"), "--check")).code, 0);
  });

  it("a policy that does not compile says so before anything about the identity", async () => {
    const run = await checkBody('{ input.identity.spifeid; nothing.x == "x" }');
    assert.equal(run.code, 2);
    assert.match(run.err, /rego_unsafe_var_error|var nothing is unsafe/);
  });

  it("--input-schema is for policies that decide something else", async () => {
    await writeFile(file("schema.json"), '{"type": "object", "properties": {"user": {"type": "string"}}}');
    const own = ["--strict", "--input-schema", file("schema.json")];
    assert.equal((await checkBody('input.user == "alice"', ...own)).code, 0);
    assert.match((await checkBody('input.usr == "alice"', ...own)).err, /undefined ref: input\.usr/);
    assert.match((await checkBody("true", "--input-schema", file("schema.json"))).err, /--strict/);
    assert.match((await checkBody("true", "--strict", "--input-schema", "/nowhere")).err, /\/nowhere: no JSON Schema/);
    await writeFile(file("schema.json"), "{");
    assert.equal((await checkBody("true", ...own)).code, 2);
  });

  it("a package that decides about another input says so in its annotation", async () => {
    const other = 'package system.log\n\nmask contains "/input/x" if input.result == false\n';
    await writeFile(file("p.rego"), policy("true"));
    await writeFile(file("mask.rego"), other);
    const words = ["--policy", file("p.rego"), "--policy", file("mask.rego"), "--check", "--strict"];
    assert.match((await build(...words)).err, /mask\.rego:3:29: rego_type_error: undefined ref: input\.result/);
    const annotation = "# METADATA\n# scope: package\n# schemas:\n#   - input: {type: object}\n";
    await writeFile(file("mask.rego"), annotation + other);
    assert.deepEqual(await build(...words), { code: 0, out: "2 modules compile\n", err: "" });
  });

  it("--target rego writes sources and data without a module", async () => {
    await writeFile(file("p.rego"), policy("input.user in data.admins"));
    await writeFile(file("data.json"), '{"admins": ["alice"]}');
    const output = file("opa.tar.gz");
    const words = ["--policy", file("p.rego"), "--data", file("data.json"), "--output", output, "--revision", "7"];
    const run = await build(...words, "--target", "rego");
    assert.equal(run.code, 0);
    const bundle = await readBundle(await readFile(output));
    assert.ok(bundle.ok);
    assert.equal(bundle.value.wasm, undefined);
    assert.equal(bundle.value.manifest.revision, "7");
    assert.equal(bundle.value.manifest.regoVersion, "v1");
    assert.deepEqual(bundle.value.manifest.entrypoints, []);
    assert.equal(bundle.value.modules.length, 1);
    assert.deepEqual((await build(...words, "--target", "elf")).code, 2);
  });

  it("a policy that does not compile makes no bundle of either target", async () => {
    for (const target of ["wasm", "rego"]) {
      const output = file(`broken-${target}.tar.gz`);
      await writeFile(file("p.rego"), policy("nothing.x"));
      const run = await build("--policy", file("p.rego"), "--target", target, "--output", output);
      assert.equal(run.code, 2);
      await assert.rejects(readFile(output));
    }
  });
});
