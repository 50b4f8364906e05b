// What `--policy` and `--data` may name by mistake or malice: each is a problem that is told, never a wait, an exception or
// a memory without bound; a module that only looks like OPA's is refused before it decides anything.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { toCheckRequest } from "../../src/cli/check-request.ts";
import { readBundle } from "../../src/policy/bundle.ts";
import { loadPolicy } from "../../src/policy/evaluator.ts";
import { readPolicySource } from "../../src/policy/source.ts";
import { lookalikeModule } from "../support/lookalike-module.ts";

describe("a policy path that is no policy", () => {
  let folder: string;
  const at = (name: string): string => join(folder, name);
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "svidgate-"));
    mkdirSync(at("with-fifo"));
    for (const name of ["pipe.rego", "pipe.tar.gz", "pipe.wasm", "pipe.json", "with-fifo/data.json"]) {
      execFileSync("mkfifo", [at(name)]);
    }
    symlinkSync("/dev/zero", at("zero.rego"));
    mkdirSync(at("folder.json"));
    writeFileSync(at("good.rego"), "package envoy.authz\n");
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const name of ["pipe.rego", "pipe.tar.gz", "pipe.wasm", "with-fifo", "zero.rego"]) {
    it(`is refused at once: ${name}`, async () => {
      const read = await readPolicySource([at(name)], []);
      const path = name === "with-fifo" ? at("with-fifo/data.json") : at(name);
      assert.deepEqual(read, { ok: false, problems: [`${path}: not a regular file`] });
    });
  }
  it("is refused at once as data too", async () => {
    const read = await readPolicySource([at("good.rego")], [at("pipe.json"), at("folder.json")]);
    assert.deepEqual(read, {
      ok: false,
      problems: [`${at("pipe.json")}: not a regular file`, `${at("folder.json")}: is a folder`],
    });
  });

  it("is a problem and no exception when it is a folder that may not be listed", async () => {
    const locked = at("locked");
    mkdirSync(locked);
    chmodSync(locked, 0);
    // The superuser may list anything; for the test it becomes somebody else.
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) {
      chmodSync(folder, 0o755);
      process.seteuid?.(65_534);
    }
    try {
      const read = await readPolicySource([locked], []);
      assert.deepEqual(read, { ok: false, problems: [`${locked}: permission denied`] });
    } finally {
      if (isRoot) process.seteuid?.(0);
      chmodSync(locked, 0o755);
    }
  });
});

describe("an archive that is no bundle", () => {
  /** One tar header (POSIX ustar) and the end of the archive. */
  const archive = (size: string): Uint8Array => {
    const bytes = Buffer.alloc(1536);
    for (const [text, at] of [
      ["/p.rego", 0],
      ["0000644", 100],
      [size, 124],
      ["        0", 148],
      ["ustar", 257],
    ] as const) {
      bytes.write(text, at, "latin1");
    }
    const sum = bytes.reduce((total, byte) => total + byte, 0);
    bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
    return gzipSync(bytes);
  };

  for (const size of ["-0000000001", "-0000001000", "77777777777"]) {
    it(`is refused and not waited for: a file of ${size} bytes`, async () => {
      const read = await readBundle(archive(size));
      assert.ok(!read.ok);
      assert.equal(read.code, "bundle_archive");
    });
  }
});

describe("a module with OPA's names and other types", () => {
  for (const kind of ["wrong_type", "traps"] as const) {
    it(`is refused as policy_abi: ${kind}`, () => {
      assert.throws(() => loadPolicy(lookalikeModule(kind)), { name: "PolicyError", code: "policy_abi" });
    });
  }
});

describe("headers of svidgate check", () => {
  it("are those that were given, whatever their names", () => {
    const made = toCheckRequest(new Map([["header", ["__proto__: a", "constructor: b", "constructor: c"]]]));
    assert.ok(made.ok);
    const text = Buffer.from(made.bytes).toString("latin1");
    assert.ok(text.includes("__proto__\x12\x01a"));
    assert.ok(text.includes("constructor\x12\x03b,c"));
  });
});
