import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type LastGood, openLastGood } from "../../../../src/identity/sources/last-good.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "svidgate-last-good-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The kept text, or the code that says why there is none. */
async function loaded(kept: LastGood, maxBytes: number): Promise<string> {
  const read = await kept.load(maxBytes);
  return read.ok ? read.value.toString() : read.code;
}

describe("openLastGood", () => {
  it("gives back what was saved last, in a folder that it makes, and leaves nothing beside it", async () => {
    const stateDir = join(folder, "deep", "state");
    const kept = openLastGood(stateDir, "deny-list");
    assert.equal(await loaded(kept, 100), "missing");
    await kept.save(Buffer.from("first"));
    await kept.save(Buffer.from("second"));
    assert.equal(await loaded(openLastGood(stateDir, "deny-list"), 100), "second");
    assert.equal(await loaded(openLastGood(stateDir, "other"), 100), "missing");
    assert.deepEqual(readdirSync(stateDir), ["deny-list.last-good"]);
  });

  it("is for the owner alone, whatever a crash left behind", async () => {
    const aside = join(folder, `deny-list.last-good.${process.pid}`);
    writeFileSync(aside, "half");
    chmodSync(aside, 0o666);
    await openLastGood(folder, "deny-list").save(Buffer.from("x"));
    assert.equal(statSync(join(folder, "deny-list.last-good")).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(folder), ["deny-list.last-good"]);
  });

  it("loads nothing beyond the bound, and rejects what it cannot write", async () => {
    const kept = openLastGood(folder, "deny-list");
    await kept.save(Buffer.from("12345"));
    assert.equal(await loaded(kept, 5), "12345");
    assert.equal(await loaded(kept, 4), "too_large");
    writeFileSync(join(folder, "file"), "");
    await assert.rejects(openLastGood(join(folder, "file", "x"), "deny-list").save(Buffer.from("x")));
  });

  it("loads nothing that everybody may write", async () => {
    const kept = openLastGood(folder, "deny-list");
    await kept.save(Buffer.from("x"));
    chmodSync(kept.path, 0o666);
    assert.equal(await loaded(kept, 100), "exposed");
  });

  it("writes one after the other, whoever asks", async () => {
    const texts = Array.from({ length: 8 }, (_, at) => String(at).repeat(100_000));
    await Promise.all(texts.map((text) => openLastGood(folder, "deny-list").save(Buffer.from(text))));
    assert.equal(await loaded(openLastGood(folder, "deny-list"), 1_000_000), texts.at(-1));
    assert.deepEqual(readdirSync(folder), ["deny-list.last-good"]);
  });

  it("goes on after a write that failed", async () => {
    writeFileSync(join(folder, "file"), "");
    const kept = openLastGood(join(folder, "file"), "deny-list");
    await assert.rejects(kept.save(Buffer.from("x")));
    rmSync(join(folder, "file"));
    await kept.save(Buffer.from("y"));
    assert.equal(await loaded(kept, 1), "y");
  });
});
