import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { brotliCompressSync } from "node:zlib";
import { packageRoot } from "../../../../src/base/package-root.ts";
import {
  compilerName,
  loadArtifact,
  loadChecksums,
  shippedCompiler,
} from "../../../../src/policy/compiler/artifact.ts";
import { compileRego } from "../../../../src/policy/compiler/index.ts";

const folder = mkdtempSync(join(tmpdir(), "svidgate-artifact-"));
after(() => rmSync(folder, { recursive: true }));
const sumOf = (bytes: Uint8Array) => ({
  bytes: bytes.length,
  sha256: createHash("sha256").update(bytes).digest("hex"),
});
const raw = Buffer.from("not a module, but checked as one");
const packed = brotliCompressSync(raw);
const good = { go: "go1.0", opa: "v1.0.0", wasm: sumOf(raw), brotli: sumOf(packed) };

function place(bytes: Uint8Array, checksums: unknown): void {
  writeFileSync(join(folder, "rego.wasm.br"), bytes);
  writeFileSync(join(folder, "checksums.json"), JSON.stringify(checksums));
}

it("unpacks what the checksums name", () => {
  place(packed, good);
  assert.deepEqual(Buffer.from(loadArtifact(folder)), raw);
  assert.equal(compilerName(loadChecksums(folder)), `opa v1.0.0 ${good.wasm.sha256.slice(0, 12)}`);
});

it("refuses the file with any one byte changed, and cut off anywhere", () => {
  for (let at = 0; at < packed.length; at++) {
    const changed = Buffer.from(packed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    place(changed, good);
    assert.throws(() => loadArtifact(folder), /is not the compiler that checksums\.json names/);
    place(packed.subarray(0, at), good);
    assert.throws(() => loadArtifact(folder), /is not the compiler/);
  }
});

it("stops unpacking at the recorded size", () => {
  place(packed, { ...good, wasm: { ...good.wasm, bytes: raw.length - 1 } });
  assert.throws(() => loadArtifact(folder), RangeError);
});

for (const [name, checksums] of [
  ["no checksums", {}],
  ["a hash that is none", { ...good, brotli: { bytes: 1, sha256: "x" } }],
  ["no size", { ...good, wasm: { sha256: good.wasm.sha256 } }],
] as const) {
  it(`refuses: ${name}`, () => {
    place(packed, checksums);
    assert.throws(() => loadArtifact(folder), /has no checksums: install svidgate again/);
  });
}

it("compileRego says that the compiler is damaged, and does not run it", async () => {
  const shipped = join(packageRoot(), "compiler");
  const bytes = readFileSync(join(shipped, "rego.wasm.br"));
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  place(bytes, JSON.parse(readFileSync(join(shipped, "checksums.json"), "utf8")));
  const request = { files: [], entrypoints: ["a/b"], regoVersion: "v1", builtins: [] } as const;
  const result = await compileRego(request, { folder });
  assert.ok(!result.ok);
  assert.equal(result.code, "compiler_unavailable");
  assert.match(result.detail, /is not the compiler that checksums\.json names: sha256 [0-9a-f]{64}, expected/);
});

it("compileRego says that there is no compiler", async () => {
  const request = { files: [], entrypoints: ["a/b"], regoVersion: "v1", builtins: [] } as const;
  const result = await compileRego(request, { folder: join(folder, "missing") });
  assert.ok(!result.ok);
  assert.equal(result.code, "compiler_unavailable");
  assert.match(result.detail, /checksums\.json/);
});

it("the shipped compiler has a name and the size that is recorded", () => {
  assert.match(shippedCompiler(), /^opa v1\.22\.2 [0-9a-f]{12}$/);
  const shipped = join(packageRoot(), "compiler");
  assert.equal(loadArtifact(shipped).length, loadChecksums(shipped).wasm.bytes);
});
