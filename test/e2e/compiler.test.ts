// Our compiler against the OPA CLI of the same version: the same sources must give the same bytes.
// Needs `opa` 1.22.2, named by OPA or found on the PATH; skipped with the reason printed otherwise.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import { packageRoot } from "../../src/base/package-root.ts";
import {
  type CompileRequest,
  type CompileResult,
  compileRegoBatch,
  type SourceFile,
} from "../../src/policy/compiler/index.ts";
import { OPA, whyNoOpa } from "../support/opa-cli.ts";

const inline = (text: string, over: Partial<CompileRequest> = {}): CompileRequest => ({
  files: [{ path: "p.rego", text }],
  entrypoints: ["p/allow"],
  regoVersion: "v1",
  builtins: [],
  ...over,
});

/** Every builtin of a policy in this repository that the module itself does not have. */
const HOST_BUILTINS = [
  "sprintf",
  "time.now_ns",
  "io.jwt.decode",
  "io.jwt.decode_verify",
  "urlquery.decode",
  "net.cidr_contains_matches",
];

const CASES: Readonly<Record<string, CompileRequest>> = {
  smallest: inline("package p\nallow := true"),
  "annotations, dependents, print": inline(
    "# METADATA\n# title: p\npackage p\n\n# METADATA\n# description: a <b> & c\n# entrypoint: true\nallow if {\n\tprint(1)\n\tinput.x\n}\nother if allow\ndeep.a.b if other\n",
    { entrypoints: ["p/other"] },
  ),
  "package entrypoint": inline("package p\nallow if input.x\nf(x) := x + 1\nb contains f(y) if some y in input.z", {
    entrypoints: ["p"],
  }),
  "whole data": inline("package p\nallow if input.x", { entrypoints: ["/"] }),
  "a leading slash": inline("package p\nallow if input.x", { entrypoints: ["/p/allow"] }),
  "every, with, comprehensions, else, default": inline(
    'package p\ndefault allow := false\nallow if {\n\tevery k, v in input.m { startswith(v, k) }\n\tq with input.z as 1 with data.t as {"a": {1}}\n\tcount({x: y | some x, y in data.t}) > 0\n} else := "no" if not input.y\nq if input.z == data.t.a\n',
  ),
  "regex and glob": inline(
    'package p\nallow if { regex.match(`^/a/[0-9]+$`, input.path); glob.match("/a/*", ["/"], input.path) }',
  ),
  v0: inline('package p\nallow { any([input.a]); x := cast_string(input.b); x == "1" }', {
    regoVersion: "v0",
    builtins: ["cast_string"],
  }),
  "several files, out of order": inline("", {
    files: [
      { path: "z/a.rego", text: "package p\nimport data.lib\nallow if lib.f(input.x)" },
      { path: "a/z.rego", text: "package lib\nf(x) if x == data.roles[_]" },
      { path: "b.rego", text: "package p\nallow if input.y" },
    ],
  }),
  "1,000 rules": inline(
    `package p\n${Array.from({ length: 1000 }, (_, i) => `allow if input.path == "/${i}"`).join("\n")}`,
  ),
  "host builtins": inline('package p\nallow if sprintf("%d", [time.now_ns()]) == io.jwt.decode(input.t)[0].kid', {
    builtins: HOST_BUILTINS,
  }),
};

const regoFiles = (folder: string): readonly string[] =>
  readdirSync(join(packageRoot(), folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".rego") && !path.endsWith("_test.rego"))
    .map((path) => `${folder}/${path}`)
    .sort();

/** Policies of this repository: each example with the library beside it, and each policy of the vectors by itself. */
function shipped(): [string, CompileRequest][] {
  const read = (path: string): SourceFile => ({ path, text: readFileSync(join(packageRoot(), path), "utf8") });
  const toCase = (name: string, paths: readonly string[]): [string, CompileRequest] => [
    name,
    inline("", { files: paths.map(read), entrypoints: ["envoy/authz/allow"], builtins: HOST_BUILTINS }),
  ];
  const library = existsSync(join(packageRoot(), "policies/lib")) ? regoFiles("policies/lib") : [];
  const examples = readdirSync(join(packageRoot(), "policies"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== "lib")
    .map(({ name }) => toCase(`policies/${name}`, [...library, ...regoFiles(`policies/${name}`)]));
  return [...examples, ...regoFiles("test/vectors").map((path) => toCase(path, [path]))];
}

describe("the compiler gives what `opa build -t wasm` gives", { skip: whyNoOpa() }, () => {
  const folder = mkdtempSync(join(tmpdir(), "svidgate-opa-"));
  after(() => rmSync(folder, { recursive: true }));
  const cases = [...Object.entries(CASES), ...shipped()];
  let results: readonly CompileResult[];
  before(async () => {
    results = await compileRegoBatch(cases.map(([, request]) => request));
  });

  for (const [i, [name, request]] of cases.entries()) {
    it(name, () => {
      const theirs = opaBuild(join(folder, String(i)), request);
      const ours = results[i];
      assert.ok(ours?.ok, JSON.stringify(ours));
      assert.ok(Buffer.from(ours.value.wasm).equals(theirs.wasm), "the modules differ");
      assert.deepEqual(ours.value.manifest, JSON.parse(theirs.manifest));
    });
  }

  it("errors have OPA's places and words", async () => {
    const text = "package p\nallow if nope(1)\nb if startswith(1, 2)\n";
    const [ours] = await compileRegoBatch([inline(text)]);
    assert.ok(ours !== undefined && !ours.ok);
    const file = join(folder, "errors.rego");
    writeFileSync(file, text);
    const run = spawnSync(OPA, ["check", "--format", "json", file], { encoding: "utf8" });
    const theirs = (
      JSON.parse(run.stderr || run.stdout) as {
        errors: { code: string; message: string; location: { row: number; col: number } }[];
      }
    ).errors;
    assert.deepEqual(
      ours.errors.map(({ code, message, row, col }) => ({ code, message, row, col })),
      theirs.map(({ code, message, location }) => ({ code, message, row: location.row, col: location.col })),
    );
  });
});

/** The module and the manifest of OPA's own bundle. */
function opaBuild(folder: string, request: CompileRequest): { wasm: Buffer; manifest: string } {
  mkdirSync(folder, { recursive: true });
  for (const file of request.files) place(folder, file);
  const flags = [
    ...request.entrypoints.flatMap((path) => ["-e", path]),
    ...(request.regoVersion === "v0" ? ["--v0-compatible"] : []),
  ];
  const paths = request.files.map((file) => file.path);
  execFileSync(OPA, ["build", "-t", "wasm", "-o", "bundle.tar.gz", ...flags, ...paths], { cwd: folder, stdio: "pipe" });
  const entries = tarEntries(gunzipSync(readFileSync(join(folder, "bundle.tar.gz"))));
  const wasm = entries.get("/policy.wasm");
  const manifest = entries.get("/.manifest");
  assert.ok(wasm !== undefined && manifest !== undefined);
  return { wasm, manifest: manifest.toString() };
}

function place(folder: string, file: SourceFile): void {
  mkdirSync(dirname(join(folder, file.path)), { recursive: true });
  writeFileSync(join(folder, file.path), file.text);
}

/** Plain files of a tar with short names, which is what OPA writes. */
function tarEntries(tar: Buffer): Map<string, Buffer> {
  const entries = new Map<string, Buffer>();
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const name = tar.toString("latin1", at, at + 100).replace(/\0.*$/s, "");
    const size = Number.parseInt(tar.toString("latin1", at + 124, at + 136), 8);
    entries.set(name, tar.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return entries;
}
