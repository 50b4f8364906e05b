import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openKeptBundle } from "../../../../src/identity/sources/kept-bundle.ts";
import { makeFolder } from "../../../support/open-check-server.ts";

const NOW = Date.UTC(2026, 0, 1);
const ENDPOINT = ["https://bundles.test/b?token=secret", "https_web"];
const DOCUMENT = Buffer.from('{"keys":[]}\n');
const KEPT = { document: DOCUMENT, lastSuccessUnixMs: NOW, bootstrapSha256: "aa" };

describe("openKeptBundle", () => {
  it("gives back the document, its time and its first bundle, from a file of the owner's alone that tells no URL", async (t) => {
    const folder = join(makeFolder(t), "deep", "state");
    assert.equal(await openKeptBundle(folder, "example.org", ENDPOINT).save(KEPT), undefined);
    const loaded = await openKeptBundle(folder, "example.org", ENDPOINT).load(NOW, "aa");
    assert.ok(loaded.ok);
    assert.deepEqual(loaded.value, KEPT);
    assert.deepEqual(readdirSync(folder), ["bundle-example.org.last-good"]);
    const path = join(folder, "bundle-example.org.last-good");
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.ok(!readFileSync(path, "utf8").includes("secret"));
  });

  it("keeps the newest of many, one after the other", async (t) => {
    const folder = makeFolder(t);
    const file = openKeptBundle(folder, "example.org", ENDPOINT);
    const again = openKeptBundle(folder, "example.org", ENDPOINT);
    const saves = [1, 2, 3, 4].flatMap((ms) => {
      const kept = { ...KEPT, lastSuccessUnixMs: NOW - 1_000 + ms };
      return [file.save(kept), again.save(kept)];
    });
    assert.deepEqual(new Set(await Promise.all(saves)), new Set([undefined]));
    const loaded = await file.load(NOW, "aa");
    assert.equal(loaded.ok && loaded.value.lastSuccessUnixMs, NOW - 996);
    assert.deepEqual(readdirSync(folder), ["bundle-example.org.last-good"]);
  });

  it("keeps nothing for other words of the configuration", async (t) => {
    const folder = makeFolder(t);
    const file = openKeptBundle(folder, "example.org", ENDPOINT);
    await file.save(KEPT);
    const others = [
      ["https://bundles.test/c", "https_web"],
      ["https://bundles.test/b?token=secret"],
      [],
      ENDPOINT.toReversed(),
    ];
    for (const endpoint of others) {
      const loaded = await openKeptBundle(folder, "example.org", endpoint).load(NOW, "aa");
      assert.equal(!loaded.ok && loaded.code, "none", endpoint.join());
    }
    const loaded = await file.load(NOW, "bb");
    assert.equal(!loaded.ok && loaded.code, "none", "another first bundle");
    assert.ok((await file.load(NOW, undefined)).ok, "a first bundle that is gone decides nothing");
    await file.save({ ...KEPT, bootstrapSha256: undefined });
    const first = await file.load(NOW, "aa");
    assert.equal(!first.ok && first.code, "none", "a first bundle where there was none");
  });

  it("has a file for every name that a trust domain can have", async (t) => {
    const folder = makeFolder(t);
    const long = "a".repeat(254);
    const names = [
      ".",
      "..",
      "...",
      "-",
      "_",
      "a",
      "a.last-good",
      "a".repeat(128),
      `${long}b`,
      `${long}c`,
      "a".repeat(129),
    ];
    for (const name of names) {
      const problem = await openKeptBundle(folder, name, ENDPOINT).save({ ...KEPT, document: Buffer.from(name) });
      assert.equal(problem, undefined, name);
    }
    for (const name of names) {
      const loaded = await openKeptBundle(folder, name, ENDPOINT).load(NOW, "aa");
      assert.equal(loaded.ok && loaded.value.document.toString(), name);
    }
    assert.equal(readdirSync(folder).length, names.length);
  });

  const header = (changes: object): string => {
    const folder: Record<string, unknown> = { format: "svidgate trust bundle 1", trust_domain: "example.org" };
    return JSON.stringify({ ...folder, ...changes });
  };
  const damaged: readonly (readonly [name: string, change: (text: string) => string | Buffer, why: RegExp])[] = [
    ["an empty file", () => "", /no kept trust bundle/],
    ["a document alone", () => DOCUMENT, /no kept trust bundle/],
    ["JSON of another kind", () => "[]\n", /no kept trust bundle/],
    ["a header alone", (text) => text.slice(0, text.indexOf("\n")), /no kept trust bundle/],
    ["a header of another version", (text) => text.replace("bundle 1", "bundle 2"), /no kept trust bundle/],
    ["a member twice", (text) => text.replace("{", '{"format":"svidgate trust bundle 1",'), /no kept trust bundle/],
    ["a header without end", () => `{"format":"${"x".repeat(5_000)}\n`, /no kept trust bundle/],
    ["bytes that are no text", () => Buffer.alloc(100, 0xff), /no kept trust bundle/],
    ["a header that says nothing", () => `${header({})}\n${DOCUMENT}`, /damaged or not of example\.org/],
    [
      "another trust domain's bundle",
      (text) => text.replace("example.org", "other.test"),
      /damaged or not of example\.org/,
    ],
    ["a document with a byte more", (text) => `${text} `, /damaged/],
    ["a document with a byte less", (text) => text.slice(0, -1), /damaged/],
    ["another document", (text) => text.replace('"keys":[]', '"keys":[{}]'), /damaged/],
    ["a time that is none", (text) => text.replace("2026-01", "2026-99"), /damaged/],
    ["a time that is no text", (text) => text.replace(/"2026[^"]*"/, "0"), /damaged/],
    ["a time to come", (text) => text.replace("T00:00", "T00:06"), /of a later time than now/],
    ["more than a bundle can have", () => Buffer.alloc(4 * 1024 * 1024 + 4_096), /has \d+ bytes: at most/],
  ];
  for (const [name, change, why] of damaged) {
    it(`does not use ${name}, and says so`, async (t) => {
      const folder = makeFolder(t);
      const file = openKeptBundle(folder, "example.org", ENDPOINT);
      await file.save(KEPT);
      const path = join(folder, "bundle-example.org.last-good");
      writeFileSync(path, change(readFileSync(path, "latin1")));
      const loaded = await file.load(NOW, "aa");
      assert.ok(!loaded.ok && loaded.code === "unusable");
      assert.match(loaded.detail ?? "", why);
      assert.match(loaded.detail ?? "", /^`.*bundle-example\.org\.last-good` is not used, since .*: remove it$/);
      assert.equal(await file.save(KEPT), undefined);
      assert.ok((await file.load(NOW, "aa")).ok);
    });
  }

  it("uses no file that everybody may write, and one that a group may", async (t) => {
    const folder = makeFolder(t);
    const file = openKeptBundle(folder, "example.org", ENDPOINT);
    await file.save(KEPT);
    const path = join(folder, "bundle-example.org.last-good");
    for (const [mode, isUsed] of [
      [0o666, false],
      [0o602, false],
      [0o660, true],
      [0o644, true],
      [0o400, true],
    ] as const) {
      chmodSync(path, mode);
      const loaded = await file.load(NOW, "aa");
      assert.equal(loaded.ok, isUsed, mode.toString(8));
      if (!loaded.ok) assert.match(loaded.detail ?? "", /everybody may write it/);
    }
  });

  it("uses no file of another user", {
    skip: process.getuid?.() === 0 ? false : "only root gives files away",
  }, async (t) => {
    const folder = makeFolder(t);
    const file = openKeptBundle(folder, "example.org", ENDPOINT);
    await file.save(KEPT);
    chownSync(join(folder, "bundle-example.org.last-good"), 12_345, 12_345);
    const loaded = await file.load(NOW, "aa");
    assert.match((!loaded.ok && loaded.detail) || "", /belongs to another user \(12345\)/);
  });

  it("uses nothing that is no file, and waits for none", async (t) => {
    const folder = makeFolder(t);
    mkdirSync(join(folder, "bundle-example.org.last-good"));
    const loaded = await openKeptBundle(folder, "example.org", ENDPOINT).load(NOW, "aa");
    assert.match((!loaded.ok && loaded.detail) || "", /is no regular file/);
  });

  it("says what keeps it from keeping", async (t) => {
    const folder = join(makeFolder(t), "file");
    writeFileSync(folder, "");
    const problem = await openKeptBundle(folder, "example.org", ENDPOINT).save(KEPT);
    assert.match(
      problem ?? "",
      /^svidgate\.state_dir: the trust bundle of example\.org cannot be kept for a restart: E[A-Z]+$/,
    );
  });
});
