import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { openLastGood } from "../../../../src/identity/sources/last-good.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "svidgate-last-good-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("openLastGood", () => {
  it("gives back what was saved last, in a folder that it makes, and leaves nothing beside it", async () => {
    const stateDir = join(folder, "deep", "state");
    const kept = openLastGood(stateDir, "deny-list");
    assert.equal(await kept.load(100), undefined);
    await kept.save(Buffer.from("first"));
    await kept.save(Buffer.from("second"));
    assert.equal((await openLastGood(stateDir, "deny-list").load(100))?.toString(), "second");
    assert.equal(await openLastGood(stateDir, "other").load(100), undefined);
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
    assert.equal((await kept.load(5))?.length, 5);
    assert.equal(await kept.load(4), undefined);
    writeFileSync(join(folder, "file"), "");
    await assert.rejects(openLastGood(join(folder, "file", "x"), "deny-list").save(Buffer.from("x")));
  });

  it("writes one after the other, whoever asks", async () => {
    const texts = Array.from({ length: 8 }, (_, at) => String(at).repeat(100_000));
    await Promise.all(texts.map((text) => openLastGood(folder, "deny-list").save(Buffer.from(text))));
    assert.equal((await openLastGood(folder, "deny-list").load(1_000_000))?.toString(), texts.at(-1));
    assert.deepEqual(readdirSync(folder), ["deny-list.last-good"]);
  });

  it("goes on after a write that failed", async () => {
    writeFileSync(join(folder, "file"), "");
    const kept = openLastGood(join(folder, "file"), "deny-list");
    await assert.rejects(kept.save(Buffer.from("x")));
    rmSync(join(folder, "file"));
    await kept.save(Buffer.from("y"));
    assert.equal((await kept.load(1))?.toString(), "y");
  });
});
