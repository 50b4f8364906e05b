import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
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

  it("is for the owner alone, and removes what crashes left behind", async () => {
    for (const [name, secondsOld] of [
      ["deny-list.last-good.1", 700],
      ["deny-list.last-good.0123456789abcdef", 700],
      ["deny-list.last-good.fedcba9876543210", 0],
      ["deny-list.last-good.txt", 700],
      ["other.last-good.1", 700],
    ] as const) {
      const at = Date.now() / 1_000 - secondsOld;
      writeFileSync(join(folder, name), "half", { mode: 0o666 });
      utimesSync(join(folder, name), at, at);
    }
    await openLastGood(folder, "deny-list").save(Buffer.from("x"));
    assert.equal(statSync(join(folder, "deny-list.last-good")).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(folder).sort(), [
      "deny-list.last-good",
      "deny-list.last-good.fedcba9876543210",
      "deny-list.last-good.txt",
      "other.last-good.1",
    ]);
  });

  it("leaves nothing beside what it cannot replace", async () => {
    mkdirSync(join(folder, "deny-list.last-good"));
    await assert.rejects(openLastGood(folder, "deny-list").save(Buffer.from("x")));
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
