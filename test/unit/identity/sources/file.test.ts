import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { systemClock } from "../../../../src/base/clock.ts";
import type { Timers } from "../../../../src/base/timers.ts";
import { startBundleFile } from "../../../../src/identity/sources/file.ts";
import { readBounded } from "../../../../src/identity/sources/watched-file.ts";
import { createTrustBundles } from "../../../../src/identity/trust-bundles.ts";
import { bundleText, x509Entry } from "../../../support/bundle-documents.ts";
import { createTestAuthority } from "../../../support/ca.ts";
import { createManualClock } from "../../../support/manual-clock.ts";
import { makeFolder } from "../../../support/open-check-server.ts";

const authority = await createTestAuthority();
const NONE = bundleText([]);
const ONE = bundleText([x509Entry(authority.certificatePem)]);
const at = (sequence: number, text = ONE): string => text.replace("{", `{"spiffe_sequence":${sequence},`);

/** As the machine's, but they keep the test's process alive. */
const realTimers: Timers = {
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

/** A source over a real file; `text` undefined: no file at first. Real time moves nothing unless `isReal`. */
async function open(t: TestContext, text: string | undefined, { isReal = false, path = "" } = {}) {
  const file = path === "" ? join(makeFolder(t), "bundle.json") : path;
  if (text !== undefined) writeFileSync(file, text);
  // Later than any file of the tests, so that none counts as being written.
  const manual = createManualClock(Date.now() + 3_600_000);
  const [clock, timers] = isReal ? [systemClock, realTimers] : [manual, manual.timers];
  const told: string[] = [];
  const bundles = createTrustBundles({
    clock,
    trustDomains: new Map([["example.org", { origin: "file", maxStalenessMs: 60_000 }]]),
    onProblem: ({ problem }) => told.push(problem),
  });
  const source = startBundleFile({ trustDomain: "example.org", path: file }, bundles.sink("file"), { clock, timers });
  t.after(() => source.close());
  await source.ready;
  const authorities = (): number | undefined => bundles.find("example.org")?.bundle.x509Authorities.length;
  /** Resolves at the next new content. */
  const changed = (): Promise<void> =>
    new Promise((resolve) => {
      const end = bundles.onChange(() => {
        end();
        resolve();
      });
    });
  return { file, source, bundles, told, authorities, changed, clock: manual };
}

/** Lets reads and looks go on until something is so; fails after ten seconds. */
async function until(isSo: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!isSo()) {
    assert.ok(performance.now() < endMs, "it has not come to be so");
    await new Promise(setImmediate);
  }
}

describe("startBundleFile", () => {
  it("has read the file when it is ready", async (t) => {
    const { authorities, bundles, told } = await open(t, ONE);
    assert.equal(authorities(), 1);
    assert.equal(bundles.find("example.org")?.source, "file");
    assert.deepEqual(told, []);
  });

  it("reads PEM too", async (t) => {
    assert.equal((await open(t, authority.certificatePem)).authorities(), 1);
  });

  const takenUp: readonly (readonly [name: string, change: (file: string) => void])[] = [
    ["written in place", (file) => writeFileSync(file, NONE)],
    [
      "renamed over",
      (file) => {
        writeFileSync(`${file}.new`, NONE);
        renameSync(`${file}.new`, file);
      },
    ],
    [
      "removed and written again",
      (file) => {
        unlinkSync(file);
        writeFileSync(file, NONE);
      },
    ],
  ];
  for (const [name, change] of takenUp) {
    it(`takes up a file that was ${name}, by itself`, async (t) => {
      const { file, authorities, changed } = await open(t, ONE, { isReal: true });
      const change1 = changed();
      change(file);
      await change1;
      assert.equal(authorities(), 0);
    });
  }

  it("takes up a swap of Kubernetes' `..data` link, by itself", async (t) => {
    const folder = makeFolder(t);
    const version = (name: string, text: string): void => {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "bundle.json"), text);
    };
    version("..v1", ONE);
    symlinkSync("..v1", join(folder, "..data"));
    symlinkSync(join("..data", "bundle.json"), join(folder, "bundle.json"));
    const { authorities, changed } = await open(t, undefined, { isReal: true, path: join(folder, "bundle.json") });
    assert.equal(authorities(), 1);
    const change = changed();
    version("..v2", NONE);
    symlinkSync("..v2", join(folder, "..data_tmp"));
    renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
    rmSync(join(folder, "..v1"), { recursive: true });
    await change;
    assert.equal(authorities(), 0);
  });

  it("takes up a file that comes later", async (t) => {
    const { file, authorities, told, changed } = await open(t, undefined, { isReal: true });
    assert.equal(authorities(), undefined);
    assert.match(told.join(), /is not there: there is no bundle yet, so nothing of this trust domain is accepted$/);
    const change = changed();
    writeFileSync(file, ONE);
    await change;
    assert.equal(authorities(), 1);
  });

  const toFolder = (file: string): void => {
    unlinkSync(file);
    mkdirSync(file);
  };
  const broken: readonly (readonly [name: string, breakIt: (file: string) => void, why: RegExp])[] = [
    ["half of it is written", (file) => writeFileSync(file, ONE.slice(0, 100)), /no JSON document that can be taken/],
    ["it is emptied", (file) => writeFileSync(file, ""), /no PEM certificate that may sign/],
    ["it is removed", (file) => unlinkSync(file), /is not there/],
    ["`keys` is missing", (file) => writeFileSync(file, "{}"), /no list `keys`/],
    ["it becomes a folder", toFolder, /is no regular file/],
    ["it is larger than 4 MiB", (file) => writeFileSync(file, " ".repeat(4_194_305)), /4194305 bytes: at most/],
  ];
  for (const [name, breakIt, why] of broken) {
    it(`keeps the last good bundle when ${name}, tells why once, and lets the age grow`, async (t) => {
      const { file, source, bundles, authorities, told, clock } = await open(t, ONE);
      const held = bundles.find("example.org");
      breakIt(file);
      await source.reload();
      assert.equal(told.length, 1);
      const start = `svidgate.identity.trust_domains.example.org.bundle: \`${file}\`: `;
      assert.ok(told[0]?.startsWith(start), told[0]);
      assert.match(told[0] ?? "", why);
      assert.ok(told[0]?.endsWith(": the last good bundle stays in force"), told[0]);
      assert.equal(bundles.find("example.org"), held);
      await source.reload();
      assert.equal(told.length, 1);
      clock.advanceMs(60_001);
      await source.reload();
      assert.equal(bundles.state("example.org", clock.unixMs()), "stale");
      assert.equal(authorities(), 1);
    });
  }

  it("says nothing of a file that was written just now, and tells why when it stays broken", async (t) => {
    const { file, told, clock } = await open(t, ONE);
    writeFileSync(file, NONE.slice(0, 5));
    const writtenUnixMs = clock.unixMs() + 1_000;
    utimesSync(file, writtenUnixMs / 1_000, writtenUnixMs / 1_000);
    clock.advanceMs(1_000);
    // The watcher has looked when it waits for its second look; three reads more, and the source has read too.
    await until(() => (clock.timers.nextMs ?? 0) <= 50);
    for (let read = 0; read < 3; read++) await readBounded(file, 100);
    assert.deepEqual(told, []);
    clock.advanceMs(50);
    await until(() => told.length > 0);
    assert.match(told.join(), /no JSON document/);
  });

  it("takes PEM that was written just now at the second look, as a part of it may be a bundle too", async (t) => {
    const other = await createTestAuthority();
    const { file, authorities, told, clock } = await open(t, authority.certificatePem + other.certificatePem);
    writeFileSync(file, authority.certificatePem);
    const writtenUnixMs = clock.unixMs() + 1_000;
    utimesSync(file, writtenUnixMs / 1_000, writtenUnixMs / 1_000);
    clock.advanceMs(1_000);
    await until(() => (clock.timers.nextMs ?? 0) <= 50);
    for (let read = 0; read < 3; read++) await readBounded(file, 10_000);
    assert.equal(authorities(), 2);
    clock.advanceMs(50);
    await until(() => authorities() === 1);
    assert.deepEqual(told, []);
  });

  it("revokes everything with an empty list of keys", async (t) => {
    const { file, source, authorities, bundles, clock } = await open(t, ONE);
    writeFileSync(file, NONE);
    await source.reload();
    assert.deepEqual([authorities(), bundles.state("example.org", clock.unixMs())], [0, "fresh"]);
  });

  it("confirms a file that stays good, so that it never becomes stale", async (t) => {
    const { bundles, clock, source } = await open(t, ONE);
    for (let minute = 0; minute < 5; minute++) {
      clock.advanceMs(30_000);
      await source.reload();
      assert.equal(bundles.state("example.org", clock.unixMs()), "fresh");
    }
    assert.equal(bundles.generation, 1);
  });

  it("confirms by itself every ten seconds", async (t) => {
    const { bundles, clock } = await open(t, ONE);
    clock.advanceMs(10_000);
    const confirmedUnixMs = clock.unixMs();
    await until(() => bundles.ageSeconds("example.org", confirmedUnixMs) === 0);
    assert.equal(bundles.find("example.org")?.lastSuccessUnixMs, confirmedUnixMs);
  });

  it("does not take an older sequence, nor confirm what is not in force", async (t) => {
    const { file, source, authorities, told, bundles, clock } = await open(t, at(7));
    writeFileSync(file, at(6, NONE));
    await source.reload();
    assert.equal(authorities(), 1);
    assert.match(told.join(), /sequence 6 is older than 7/);
    clock.advanceMs(60_001);
    await source.reload();
    assert.equal(bundles.state("example.org", clock.unixMs()), "stale");
    writeFileSync(file, at(8, NONE));
    await source.reload();
    assert.deepEqual([authorities(), bundles.state("example.org", clock.unixMs())], [0, "fresh"]);
  });

  it("holds old and new authorities while keys are being changed", async (t) => {
    const next = await createTestAuthority();
    const entries = [x509Entry(authority.certificatePem), x509Entry(next.certificatePem)] as const;
    const { file, source, authorities, bundles } = await open(t, ONE);
    writeFileSync(file, bundleText(entries));
    await source.reload();
    assert.equal(authorities(), 2);
    writeFileSync(file, bundleText([entries[1]]));
    await source.reload();
    assert.deepEqual([authorities(), bundles.generation], [1, 3]);
  });

  it("touches the store no more after it is closed", async (t) => {
    const { file, source, authorities, clock } = await open(t, ONE);
    writeFileSync(file, NONE);
    const reload = source.reload();
    source.close();
    await reload;
    await source.reload();
    clock.advanceMs(60_000);
    assert.equal(clock.timers.pending, 0);
    assert.equal(authorities(), 1);
  });
});
