// The real compiler, driven as the product drives it. One batch for all policies: a process costs half a second.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, it } from "node:test";
import { packageRoot } from "../../../../src/base/package-root.ts";
import {
  type CompiledPolicy,
  type CompileError,
  type CompileRequest,
  type CompileResult,
  compileRegoBatch,
} from "../../../../src/policy/compiler/index.ts";

const policy = (text: string, over: Partial<CompileRequest> = {}): CompileRequest => ({
  files: [{ path: "p.rego", text }],
  entrypoints: ["p/allow"],
  regoVersion: "v1",
  builtins: [],
  ...over,
});
const many = (count: number, line: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => line(i)).join("\n");
const schema = { type: "object", properties: { name: { type: "string" } }, additionalProperties: false };

const accepted = {
  echo: policy(readFileSync(join(packageRoot(), "test/vectors/echo.rego"), "utf8"), {
    entrypoints: ["envoy/authz/allow"],
  }),
  v0: policy("package p\nallow { input.x == 1 }", { regoVersion: "v0" }),
  "v1 import in v0": policy("package p\nimport rego.v1\nallow if input.x == 1", { regoVersion: "v0" }),
  "host builtin": policy('package p\nallow if sprintf("%s", [input.x]) == "1"', { builtins: ["sprintf"] }),
  "print erased": policy('package p\nallow if { print("x"); input.x }'),
  "print kept": policy('package p\nallow if { print("x"); input.x }', { print: true, builtins: ["internal.print"] }),
  metadata: policy(
    "# METADATA\n# title: t\n# entrypoint: true\npackage p\n\n# METADATA\n# title: <who>\n# custom: {k: [1]}\nallow := rego.metadata.rule().title",
  ),
  dependents: policy("package p\nallow if input.x\nother if allow\nthird if other\nfree := 1"),
  pruned: policy("package p\nallow if input.x\nother if allow", { pruneUnused: true }),
  "package as entrypoint": policy("package p\nallow if input.x", { entrypoints: ["p"], roots: ["p"] }),
  "two entrypoints": policy("package p\nallow if input.x\ndeny if input.y", {
    entrypoints: ["p/deny", "p/allow", "p/deny"],
  }),
  query: policy("package p\nallow if input.x", { entrypoints: [], query: "data.p.allow = x; input.y == x" }),
  "schema that fits": policy('package p\nallow if input.name == "a"', { schemas: { "": schema } }),
  "1,000 rules": policy(`package p\n${many(1000, (i) => `allow if input.path == "/${i}"`)}`),
  "5,000 keys in one rule": policy(`package p\nallow if input.x in [${many(5000, (i) => `"k${i}",`)}]`),
  "3,000 brackets": policy(`package p\nallow := ${"[".repeat(3000)}${"]".repeat(3000)}`),
  "after the deepest": policy("package p\nallow := true"),
} satisfies Record<string, CompileRequest>;

type Place = readonly [code: string, message: RegExp, file?: string, row?: number, col?: number];
const refused: Readonly<Record<string, readonly [request: CompileRequest, ...places: Place[]]>> = {
  "undefined builtin": [
    policy('package p\n\nallow if {\n\t"äöü𝄞" == input.x; http.send({"url": "x"})\n}'),
    ["rego_type_error", /^undefined function http\.send$/, "p.rego", 4, 21],
  ],
  "several errors of the compiler": [
    policy("package p\nallow if y == 1\nb if input.z == x\nc if x.y"),
    ["rego_unsafe_var_error", /var y is unsafe/, "p.rego", 2, 10],
    ["rego_unsafe_var_error", /var x is unsafe/, "p.rego", 3, 6],
    ["rego_unsafe_var_error", /var x is unsafe/, "p.rego", 4, 6],
  ],
  "type errors with what was wanted": [
    policy('package p\nallow if { startswith(1, "a"); endswith("a", 2) }'),
    ["rego_type_error", /^startswith: invalid argument/, "p.rego", 2, 12],
    ["rego_type_error", /^endswith: invalid argument/, "p.rego", 2, 32],
  ],
  "parse errors of two files": [
    policy("", {
      files: [
        { path: "a.rego", text: "package a\nx = {" },
        { path: "b.rego", text: "allow := 1" },
      ],
    }),
    ["rego_parse_error", /unexpected eof token/, "a.rego", 2],
    ["rego_parse_error", /unexpected eof token/, "a.rego", 2],
    ["rego_parse_error", /package expected/, "b.rego", 1, 1],
  ],
  "v0 syntax in v1": [
    policy("package p\nallow { input.x == 1 }"),
    ["rego_parse_error", /`if` keyword is required/, "p.rego", 2, 1],
  ],
  "strict: unused import and variable": [
    policy("package p\nimport data.unused\nallow if { x := 1 }", { strict: true }),
    ["rego_compile_error", /import data\.unused unused/, "p.rego", 2, 1],
    ["rego_compile_error", /assigned var x unused/, "p.rego", 3, 12],
  ],
  recursion: [
    policy("package p\nallow if b\nb if allow"),
    ["rego_recursion_error", /data\.p\.allow is recursive/, "p.rego", 2, 1],
    ["rego_recursion_error", /data\.p\.b is recursive/, "p.rego", 3, 1],
  ],
  "entrypoints that nothing answers": [
    policy("package p\nallow := 1", { entrypoints: ["p/allow", "p/nope", "q/r"] }),
    ["entrypoint_undefined", /^entrypoint `p\/nope` does not refer to/],
    ["entrypoint_undefined", /^entrypoint `q\/r` does not refer to/],
  ],
  "entrypoint below a boolean": [
    policy("package p\nallow if input.x", { entrypoints: ["p/allow/x"] }),
    ["rego_type_error", /^entrypoint `p\/allow\/x`: undefined ref: data\.p\.allow\.x/],
  ],
  "empty entrypoint": [policy("package p\nallow := 1", { entrypoints: [""] }), ["entrypoint_invalid", /`` is not of/]],
  "no entrypoint": [
    policy("package p\nallow := 1", { entrypoints: [] }),
    ["request", /^no entrypoint: name at least one/],
  ],
  "no files": [policy("", { files: [] }), ["entrypoint_undefined", /`p\/allow`/]],
  "empty file": [policy(""), ["rego_parse_error", /empty module/, "p.rego"]],
  "one path twice": [
    policy("", { files: ["a", "a"].map((path) => ({ path, text: "package p\nallow := 1" })) }),
    ["request", /two files have this path/, "a"],
  ],
  "a host builtin that OPA does not have": [
    policy("package p\nallow := 1", { builtins: ["sprintf", "made.up"] }),
    ["builtin_unknown", /^builtin `made\.up` is not one/],
  ],
  "print kept for a host without it": [
    policy('package p\nallow if { print("x"); input.x }', { print: true }),
    ["rego_type_error", /undefined function internal\.print/, "p.rego", 2, 12],
  ],
  "input that the schema does not have": [
    policy("package p\nallow if input.nmae == 1", { schemas: { "": schema } }),
    ["rego_type_error", /undefined ref: input\.nmae/, "p.rego", 2, 10],
  ],
  "a schema elsewhere": [
    policy("package p\nallow := 1", { schemas: { "": { $ref: "http://127.0.0.1:1/schema.json" } } }),
    ["rego_type_error", /remote reference loading disabled|unable to compile the schema/],
  ],
  "a schema's name": [
    policy("package p\nallow := 1", { schemas: { "a//b": {} } }),
    ["request", /`a\/\/b` has an empty segment/],
  ],
  "annotations that are not YAML": [
    policy("# METADATA\n# title: [\npackage p\nallow := 1"),
    ["rego_parse_error", /yaml/, "p.rego", 2, 1],
  ],
  "a query that is none": [
    policy("package p\nallow := 1", { query: "data.p = " }),
    ["rego_parse_error", /unexpected eof/],
  ],
  "a lone surrogate and a zero byte": [
    policy("package p\nallow := \ud800\u0000"),
    ["rego_parse_error", /./, "p.rego", 2],
  ],
  "200,000 brackets": [
    policy(`package p\nallow := ${"[".repeat(200_000)}${"]".repeat(200_000)}`),
    ["rego_parse_error", /recursion depth/, "p.rego"],
  ],
};

let results: ReadonlyMap<string, CompileResult>;
before(async () => {
  const requests = new Map<string, CompileRequest>([
    ...Object.entries(refused).map(([name, [request]]) => [name, request] as const),
    ...Object.entries(accepted),
  ]);
  const answers = await compileRegoBatch([...requests.values()]);
  results = new Map([...requests.keys()].map((name, i) => [name, answers[i] as CompileResult]));
});

function compiled(name: keyof typeof accepted): CompiledPolicy {
  const result = results.get(name);
  assert.ok(result?.ok, `${name}: ${JSON.stringify(result)?.slice(0, 400)}`);
  return result.value;
}
const entrypointsOf = (name: keyof typeof accepted) => compiled(name).manifest.wasm.map((row) => row.entrypoint);
const sha256 = (content: Uint8Array | string) => createHash("sha256").update(content).digest("hex");

for (const name of Object.keys(accepted) as (keyof typeof accepted)[]) {
  it(`compiles: ${name}`, () => {
    const { wasm, plan, manifest, binding } = compiled(name);
    assert.deepEqual([...wasm.subarray(0, 4)], [0, 0x61, 0x73, 0x6d]);
    assert.deepEqual(binding, { ...binding, wasm_sha256: sha256(wasm), plan_sha256: sha256(plan) });
    assert.match(binding.compiler, /^opa v1\.22\.2 [0-9a-f]{12}$/);
    const planned = (JSON.parse(plan) as { plans: { plans: { name: string }[] } }).plans.plans.map((one) => one.name);
    assert.deepEqual(planned, name === "query" ? ["eval"] : manifest.wasm.map((row) => row.entrypoint));
    assert.ok(manifest.wasm.every((row) => row.module === "/policy.wasm"));
  });
}

for (const [name, [, ...places]] of Object.entries(refused)) {
  it(`refuses with its place: ${name}`, () => {
    const result = results.get(name);
    assert.ok(result !== undefined && !result.ok);
    assert.equal(result.code, "policy_compile");
    assert.equal(result.detail, result.errors[0]?.message);
    for (const [i, [code, message, file, row, col]] of places.entries()) {
      const error: CompileError | undefined = result.errors[i];
      assert.match(error?.message ?? "", message);
      assert.deepEqual([error?.code, error?.file, error?.row], [code, file, row ?? error?.row]);
      if (col !== undefined) assert.equal(error?.col, col);
    }
    assert.ok(result.errors.length >= places.length);
  });
}

it("the error of a type says what was found and what was wanted", () => {
  const result = results.get("type errors with what was wanted");
  assert.ok(result !== undefined && !result.ok);
  assert.deepEqual(
    result.errors[0]?.details?.map((line) => line.slice(0, 5)),
    ["have:", "want:"],
  );
});

it("the manifest records the Rego version and the roots", () => {
  const { manifest } = compiled("v0");
  assert.deepEqual([manifest.revision, manifest.roots, manifest.rego_version], ["", [""], 0]);
  assert.deepEqual(compiled("package as entrypoint").manifest.roots, ["p"]);
  assert.equal(compiled("echo").manifest.rego_version, 1);
});

it("entrypoints come in the order asked for, once each, then annotated ones, then dependents", () => {
  assert.deepEqual(entrypointsOf("two entrypoints"), ["p/deny", "p/allow"]);
  assert.deepEqual(entrypointsOf("metadata"), ["p/allow", "p"]);
  assert.deepEqual(entrypointsOf("dependents"), ["p/allow", "p/other", "p/third"]);
  assert.deepEqual(entrypointsOf("pruned"), ["p/allow"]);
});

it("annotations come with path and place, and in the manifest with their entrypoint", () => {
  const { annotations, manifest } = compiled("metadata");
  assert.deepEqual(
    annotations.map((one) => [one.annotations["title"], one.path.map((term) => term.value), one.location]),
    [
      ["t", ["data", "p"], { file: "p.rego", row: 4, col: 1 }],
      ["<who>", ["data", "p", "allow"], { file: "p.rego", row: 9, col: 1 }],
    ],
  );
  assert.deepEqual(manifest.wasm[0], {
    entrypoint: "p/allow",
    module: "/policy.wasm",
    annotations: [{ scope: "rule", title: "<who>", custom: { k: [1] } }],
  });
});

it("only what the policy calls and OPA's module lacks is asked of the host", () => {
  const builtins = (name: keyof typeof accepted) =>
    (
      (JSON.parse(compiled(name).plan) as { static: { builtin_funcs?: { name: string }[] } }).static.builtin_funcs ?? []
    ).map((builtin) => builtin.name);
  assert.deepEqual(builtins("host builtin"), ["sprintf"]);
  assert.deepEqual(builtins("print kept"), ["internal.print"]);
  assert.deepEqual(builtins("print erased"), []);
});
