import assert from "node:assert/strict";
import { it } from "node:test";
import { gzipSync } from "node:zlib";
import { writeTarGzip } from "../../../src/base/tar.ts";
import { readBundle, sha256Hex, writeBundle } from "../../../src/policy/bundle.ts";
import { EMPTY_DATA } from "../../../src/policy/data-document.ts";
import { toJson } from "../../../src/policy/value.ts";

const WASM = Buffer.from("\0asm then some");
const PLAN = '{"plans":{}}';
const MANIFEST = JSON.stringify({
  revision: "r1",
  roots: [""],
  wasm: [{ entrypoint: "envoy/authz/allow", module: "/policy.wasm" }],
  metadata: { svidgate: { wasm_sha256: sha256Hex(WASM), plan_sha256: sha256Hex(PLAN), compiler: "opa" } },
});

const archive = (files: Readonly<Record<string, string | Uint8Array>>): Promise<Uint8Array> =>
  writeTarGzip(Object.entries(files).map(([name, content]) => ({ name, bytes: Buffer.from(content) })));

const GOOD = {
  "/.manifest": MANIFEST,
  "/data.json": '{"a":{"b":1.0}}',
  "/policy.wasm": WASM,
  "/plan.json": PLAN,
  "/policy.rego": "package envoy.authz",
} as const;

it("reads manifest, data, sources, module and its bound plan", async () => {
  const bundle = await readBundle(await archive(GOOD));
  assert.ok(bundle.ok);
  assert.equal(bundle.value.manifest.revision, "r1");
  assert.deepEqual(bundle.value.manifest.entrypoints, ["envoy/authz/allow"]);
  assert.equal(toJson(bundle.value.data), '{"a":{"b":1.0}}');
  assert.deepEqual(bundle.value.modules, [{ path: "policy.rego", text: "package envoy.authz" }]);
  assert.deepEqual(Buffer.from(bundle.value.wasm ?? []), WASM);
  assert.equal(bundle.value.plan, PLAN);
  assert.deepEqual(bundle.value.warnings, []);
});

it("reads names with and without a leading slash, and data at the path of its folder", async () => {
  const bundle = await readBundle(
    await archive({
      "./data.json": '{"a":1}',
      "roles/data.yaml": "admin: [x]\n",
      "/x/y/data.json": "[1]",
      "z/other.json": "{",
    }),
  );
  assert.ok(bundle.ok, JSON.stringify(bundle));
  assert.equal(toJson(bundle.value.data), '{"a":1,"roles":{"admin":["x"]},"x":{"y":[1]}}');
});

for (const [name, files] of [
  ["without a binding", { "/.manifest": '{"revision":"r1"}' }],
  ["of another module", { "/policy.wasm": "another module" }],
  ["that was changed", { "/plan.json": '{"plans":{"x":1}}' }],
] as const) {
  it(`ignores a plan ${name}, with a warning`, async () => {
    const bundle = await readBundle(await archive({ ...GOOD, ...files }));
    assert.ok(bundle.ok);
    assert.equal(bundle.value.plan, undefined);
    assert.match(bundle.value.warnings[0] ?? "", /plan\.json is ignored/);
  });
}

const refused = [
  ["a manifest that is no JSON", { "/.manifest": "{" }, "bundle_manifest"],
  ["a manifest that is a list", { "/.manifest": "[]" }, "bundle_manifest"],
  ["a revision that is no string", { "/.manifest": '{"revision":1}' }, "bundle_manifest"],
  ["an unknown Rego version", { "/.manifest": '{"rego_version":2}' }, "bundle_manifest"],
  ["a wasm row without entrypoint", { "/.manifest": '{"wasm":[{}]}' }, "bundle_manifest"],
  ["a second module", { "/.manifest": '{"wasm":[{"entrypoint":"a","module":"/other.wasm"}]}' }, "bundle_manifest"],
  ["data that is no JSON", { "/data.json": "{a" }, "bundle_data"],
  ["data whose top is no object", { "/data.json": "[1]" }, "bundle_data"],
  ["data in set notation, which is no JSON", { "/data.json": '{"a":{1,2}}' }, "bundle_data"],
  ["two values for one key", { "/a/data.json": '{"b":2}' }, "bundle_data"],
  ["a name that climbs", { "/../x.rego": "package x" }, "bundle_name"],
  ["a signed bundle, which is not verified yet", { "/.signatures.json": "{}" }, "bundle_unsupported"],
  ["a delta bundle", { "/patch.json": "{}" }, "bundle_unsupported"],
] as const;
for (const [name, files, code] of refused) {
  it(`refuses ${name}`, async () => {
    const bundle = await readBundle(await archive({ ...GOOD, ...files }));
    assert.deepEqual(bundle.ok ? "read" : bundle.code, code);
  });
}

it("refuses two files of one name", async () => {
  const twice = await writeTarGzip([
    { name: "/policy.wasm", bytes: WASM },
    { name: "policy.wasm", bytes: Buffer.from("other") },
  ]);
  const bundle = await readBundle(twice);
  assert.equal(bundle.ok ? "read" : bundle.code, "bundle_name");
});

it("refuses what is no gzip, a torn archive and a bomb", async () => {
  const good = await archive(GOOD);
  const torn = gzipSync(Buffer.alloc(700, 1));
  const bomb = gzipSync(Buffer.alloc(600 * 1024 * 1024));
  for (const bytes of [Buffer.from("no gzip"), good.subarray(0, 60), torn, bomb]) {
    const bundle = await readBundle(bytes);
    assert.equal(bundle.ok ? "read" : bundle.code, "bundle_archive");
  }
});

it("writes the same bytes for the same contents, and reads back what it wrote", async () => {
  const contents = {
    manifest: MANIFEST,
    data: EMPTY_DATA,
    modules: [{ path: `${"../policies/very/long/".padEnd(200, "x/")}a.rego`, text: "package a" }],
    wasm: WASM,
    plan: PLAN,
  };
  const first = await writeBundle(contents);
  assert.deepEqual(first, await writeBundle(contents));
  const read = await readBundle(first);
  assert.ok(read.ok, JSON.stringify(read));
  assert.equal(read.value.plan, PLAN);
  assert.ok(read.value.modules[0]?.path.startsWith("policies/very/long/"));
});

const manifestWith = (svidgate: Readonly<Record<string, unknown>>): string =>
  JSON.stringify({ ...(JSON.parse(MANIFEST) as object), metadata: { svidgate } });
const BINDING = { wasm_sha256: sha256Hex(WASM), plan_sha256: sha256Hex(PLAN), compiler: "opa" };

const guardedRows: readonly (readonly [what: string, svidgate: Readonly<Record<string, unknown>>, guarded: boolean])[] =
  [
    ["said, with the hash of the module", { ...BINDING, strict_builtin_errors: true }, true],
    ["said to be not", { ...BINDING, strict_builtin_errors: false }, false],
    ["not said", BINDING, false],
    ["said as text", { ...BINDING, strict_builtin_errors: "true" }, false],
    ["said of another module", { ...BINDING, wasm_sha256: sha256Hex("another"), strict_builtin_errors: true }, false],
    ["said of no module", { strict_builtin_errors: true }, false],
    ["said with a hash that is no text", { ...BINDING, wasm_sha256: 1, strict_builtin_errors: true }, false],
  ];
for (const [what, svidgate, guarded] of guardedRows) {
  it(`guards are believed to be there or not: ${what}: ${guarded}`, async () => {
    const bundle = await readBundle(await archive({ ...GOOD, "/.manifest": manifestWith(svidgate) }));
    assert.ok(bundle.ok);
    assert.equal(bundle.value.guarded, guarded);
  });
}

it("guards of a bundle without a module are none", async () => {
  const manifest = JSON.stringify({ metadata: { svidgate: { ...BINDING, strict_builtin_errors: true } } });
  const bundle = await readBundle(await archive({ "/.manifest": manifest, "/policy.rego": "package a" }));
  assert.ok(bundle.ok);
  assert.equal(bundle.value.guarded, false);
});
