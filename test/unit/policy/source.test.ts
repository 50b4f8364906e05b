import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, it } from "node:test";
import { writeBundle } from "../../../src/policy/bundle.ts";
import { EMPTY_DATA } from "../../../src/policy/data-document.ts";
import { type ReadSource, readPolicySource } from "../../../src/policy/source.ts";
import { toJson } from "../../../src/policy/value.ts";

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

function folderOf(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = mkdtempSync(join(tmpdir(), "svidgate-source-"));
  folders.push(folder);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

const problemsOf = (read: ReadSource): string => (read.ok ? "" : read.problems.join("\n"));

it("reads a folder as `opa build` does, without tests and dot-files", async () => {
  const folder = folderOf({
    "a.rego": "package a",
    "a_test.rego": "package a_test",
    ".hidden.rego": "package hidden",
    ".git/b.rego": "package b",
    "sub/c.rego": "package c",
    "sub/roles.json": '{"admin":["x"]}',
    "more.yaml": "k: 1\n",
    "README.md": "text",
  });
  const read = await readPolicySource([folder], []);
  assert.ok(read.ok, problemsOf(read));
  assert.deepEqual(
    read.source.modules.map(({ path }) => path),
    [join(folder, "a.rego"), join(folder, "sub/c.rego")],
  );
  assert.equal(toJson(read.source.data), '{"k":1,"sub":{"admin":["x"]}}');
});

it("merges --data files and keeps numbers as written", async () => {
  const folder = folderOf({
    "a.json": '{"n":12345678901234567890,"o":{"x":1.0}}',
    "b.yml": "o:\n  y: 9007199254740993\n",
  });
  const read = await readPolicySource([], [join(folder, "a.json"), join(folder, "b.yml")]);
  assert.ok(read.ok, problemsOf(read));
  assert.equal(toJson(read.source.data), '{"n":12345678901234567890,"o":{"x":1.0,"y":9007199254740993}}');
});

it("names file and key when two documents set one value", async () => {
  const folder = folderOf({ "a.json": '{"o":{"x":1}}', "b.json": '{"o":{"x":2}}' });
  const read = await readPolicySource([], [join(folder, "a.json"), join(folder, "b.json")]);
  assert.equal(problemsOf(read), `${join(folder, "b.json")}: \`o.x\` has a value already: two documents set it`);
});

it("reports every problem at once", async () => {
  const folder = folderOf({ "bad.json": "{", "policy.txt": "" });
  const read = await readPolicySource(
    [join(folder, "missing.rego"), join(folder, "policy.txt")],
    [join(folder, "bad.json"), join(folder, "none.json")],
  );
  assert.ok(!read.ok);
  assert.equal(read.problems.length, 4);
  assert.match(read.problems[0] ?? "", /missing\.rego: no such file or folder/);
  assert.match(read.problems[1] ?? "", /not a policy: expected/);
  assert.match(read.problems[2] ?? "", /bad\.json: not JSON/);
});

it("refuses a compiled policy beside sources, and two compiled policies", async () => {
  const folder = folderOf({ "a.rego": "package a", "p.wasm": "\0asm", "q.wasm": "\0asm" });
  const mixed = await readPolicySource([join(folder, "a.rego"), join(folder, "p.wasm")], []);
  assert.match(problemsOf(mixed), /cannot be combined with Rego sources/);
  const two = await readPolicySource([join(folder, "p.wasm"), join(folder, "q.wasm")], []);
  assert.match(problemsOf(two), /more than one policy\.wasm/);
});

it("takes the module of a bundle and not the sources beside it", async () => {
  const bundle = await writeBundle({
    manifest: '{"revision":"r7"}',
    data: EMPTY_DATA,
    modules: [{ path: "a.rego", text: "package a" }],
    wasm: Buffer.from("\0asm"),
  });
  const folder = folderOf({ "b.tar.gz": bundle });
  const read = await readPolicySource([join(folder, "b.tar.gz")], []);
  assert.ok(read.ok, problemsOf(read));
  assert.deepEqual([read.source.modules.length, read.source.revision, read.source.wasm?.length], [0, "r7", 4]);
});

it("compiles the sources of a bundle without a module", async () => {
  const bundle = await writeBundle({
    manifest: '{"rego_version":0}',
    data: EMPTY_DATA,
    modules: [{ path: "a.rego", text: "package a" }],
  });
  const folder = folderOf({ "b.tar.gz": bundle });
  const read = await readPolicySource([join(folder, "b.tar.gz")], []);
  assert.ok(read.ok, problemsOf(read));
  assert.deepEqual([read.source.modules[0]?.path, read.source.regoVersion], ["a.rego", "v0"]);
});

it("ends where a link leads back to a folder above", async () => {
  const folder = folderOf({ "a.rego": "package a" });
  symlinkSync(folder, join(folder, "again"));
  const read = await readPolicySource([folder], []);
  assert.match(problemsOf(read), /nest deeper|too many|ELOOP/i);
});

it("survives YAML that grows without end", async () => {
  const bomb = [
    "a: &a [x,x,x,x,x,x,x,x,x]",
    ..."bcdefgh".split("").map((key, i) => `${key}: &${key} [${`*${"abcdefgh"[i]},`.repeat(9)}]`),
  ].join("\n");
  const folder = folderOf({ "bomb.yaml": bomb });
  const read = await readPolicySource([], [join(folder, "bomb.yaml")]);
  assert.match(problemsOf(read), /not YAML/);
});
