import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { systemClock } from "../../../../src/base/clock.ts";
import { systemTimers, type Timers } from "../../../../src/base/timers.ts";
import {
  type FileFacts,
  isFresh,
  isSameFile,
  readBounded,
  type WatchedFile,
  watchFile,
} from "../../../../src/identity/sources/watched-file.ts";
import { createManualClock } from "../../../support/manual-clock.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "svidgate-watch-"));
  path = join(folder, "list.yaml");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Later than any file of the tests, so that nothing counts as fresh, and with timers that never run by themselves. */
const createStillClock = () => createManualClock(Date.now() + 3_600_000);

interface Watching {
  readonly watched: WatchedFile;
  readonly told: (FileFacts | undefined)[];
  /** What a look tells: how often `onChange` was called. */
  look(): Promise<number>;
}

function startWatching(clock = createStillClock()): Watching {
  const told: (FileFacts | undefined)[] = [];
  const watched = watchFile(path, { clock, timers: clock.timers }, (facts) => told.push(facts));
  return {
    watched,
    told,
    look: async () => {
      const before = told.length;
      await watched.check();
      return told.length - before;
    },
  };
}

const write = (text: string): void => writeFileSync(path, text);
const replace = (text: string): void => {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
};

describe("watchFile", () => {
  const changes: readonly (readonly [name: string, change: () => void])[] = [
    ["a write in place", () => write("longer than before")],
    ["a rename over it", () => replace("first")],
    ["a truncation", () => write("")],
    ["another time alone", () => utimesSync(path, 1, 1)],
    ["a deletion", () => rmSync(path)],
  ];
  for (const [name, change] of changes) {
    it(`tells of ${name}, once, and of nothing else`, async () => {
      write("first");
      const { watched, look } = startWatching();
      assert.equal(await look(), 0);
      change();
      assert.equal(await look(), 1);
      assert.equal(await look(), 0);
      watched.close();
    });
  }

  it("tells of a file that goes and comes back", async () => {
    const { watched, told, look } = startWatching();
    assert.equal(await look(), 0);
    write("now");
    assert.equal(await look(), 1);
    rmSync(path);
    assert.equal(await look(), 1);
    write("now");
    assert.equal(await look(), 1);
    assert.deepEqual(
      told.map((facts) => facts?.size),
      [3n, undefined, 3n],
    );
    watched.close();
  });

  it("tells of a link that is swapped, as Kubernetes swaps `..data`", async () => {
    for (const [name, text] of [
      ["..1", "one"],
      ["..2", "two"],
    ] as const) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "list.yaml"), text);
    }
    symlinkSync("..1", join(folder, "..data"));
    symlinkSync(join("..data", "list.yaml"), path);
    const { watched, look } = startWatching();
    assert.equal(await look(), 0);
    symlinkSync("..2", join(folder, "..data_tmp"));
    renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
    assert.equal(await look(), 1);
    rmSync(join(folder, "..1"), { recursive: true });
    assert.equal(await look(), 0);
    watched.close();
  });

  it("tells a fresh change a second time, since a second write in one tick leaves no trace", async () => {
    write("first");
    const clock = createManualClock(Date.now() - 10_000);
    const { watched, look, told } = startWatching(clock);
    await look();
    write("second");
    assert.equal(await look(), 1);
    clock.advanceMs(50);
    await watched.check();
    assert.equal(told.length, 2);
    clock.advanceMs(50);
    assert.equal(await look(), 0);
    watched.close();
  });

  it("tells it the second time when it has settled, whatever looks come before", async () => {
    write("first");
    const clock = createManualClock(Date.now() - 10_000);
    const { watched, look, told } = startWatching(clock);
    await look();
    write("second");
    assert.equal(await look(), 1);
    clock.advanceMs(20);
    assert.equal(await look(), 0);
    clock.advanceMs(30);
    await watched.check();
    assert.equal(told.length, 2);
    watched.close();
  });

  it("tells it the second time when it is not fresh any more, though the file's clock goes ahead of ours", async () => {
    write("first");
    const clock = createStillClock();
    // File systems keep times as binary fractions: a millisecond more or less.
    for (const aheadMs of [-40, 0, 40, 60, 900, 5_000]) {
      const { watched, told, look } = startWatching(clock);
      assert.equal(await look(), 0);
      const unixMs = clock.unixMs() + aheadMs;
      utimesSync(path, unixMs / 1_000, unixMs / 1_000);
      assert.equal(await look(), 1);
      clock.advanceMs(50 + Math.max(aheadMs < 1_000 ? aheadMs : 0, 0));
      await look();
      assert.equal(told.length, 2, `${aheadMs} ms`);
      const [facts] = told;
      assert.ok(facts !== undefined && !isFresh(facts, clock), `${aheadMs} ms`);
      watched.close();
    }
  });

  it("polls once a second, and stops when it is closed", async () => {
    write("first");
    const clock = createStillClock();
    const { watched, told, look } = startWatching(clock);
    await look();
    clock.advanceMs(999);
    write("second, longer");
    clock.advanceMs(1);
    await watched.check();
    assert.equal(told.length, 1);
    watched.close();
    assert.equal(clock.timers.pending, 0);
    write("third, longer still");
    assert.equal(await look(), 0);
  });

  const places: readonly (readonly [name: string, prepare: () => string])[] = [
    ["in its folder", () => path],
    [
      "in the folder that a link leads to",
      () => {
        mkdirSync(join(folder, "elsewhere"));
        const target = join(folder, "elsewhere", "real.yaml");
        symlinkSync(target, path);
        return target;
      },
    ],
  ];
  for (const [name, prepare] of places) {
    it(`hears by the system's events of a write ${name}, without polling`, { timeout: 20_000 }, async () => {
      const target = prepare();
      writeFileSync(target, "first");
      // The poll's timer never runs: only an event can lead to the look.
      const timers: Timers = {
        after: (ms, run) => (ms >= 1_000 ? () => undefined : systemTimers.after(ms, run)),
      };
      let hear: (facts: FileFacts | undefined) => void = () => undefined;
      const heard = new Promise<FileFacts | undefined>((resolve) => {
        hear = resolve;
      });
      const watched = watchFile(path, { clock: systemClock, timers }, hear);
      await watched.check();
      // Keeps the process up meanwhile: neither watches nor timers of ours do.
      const alive = setInterval(() => undefined, 1_000);
      writeFileSync(target, "second, longer");
      assert.equal((await heard)?.size, 14n);
      clearInterval(alive);
      watched.close();
    });
  }

  it("hears of a change before the one before it has settled", { timeout: 20_000 }, async (t) => {
    write("1");
    // Neither the poll nor the second telling ever comes.
    const timers: Timers = {
      after: (ms, run) => (ms >= 40 ? () => undefined : systemTimers.after(ms, run)),
    };
    let hear: (facts: FileFacts | undefined) => void = () => undefined;
    const heard = (size: bigint): Promise<void> =>
      new Promise((resolve) => {
        hear = (facts) => facts?.size === size && resolve();
      });
    const watched = watchFile(path, { clock: systemClock, timers }, (facts) => hear(facts));
    const alive = setInterval(() => undefined, 1_000);
    t.after(() => {
      clearInterval(alive);
      watched.close();
    });
    await watched.check();
    for (const text of ["22", "333", "4444"]) {
      const told = heard(BigInt(text.length));
      write(text);
      await told;
    }
  });

  it("passes over events of other files in the folder", { timeout: 20_000 }, async () => {
    write("first");
    const clock = createStillClock();
    let looks = 0;
    let hear = (): void => undefined;
    const timers: Timers = {
      after: (ms) => {
        if (ms === 10) {
          looks++;
          hear();
        }
        return () => undefined;
      },
    };
    const watched = watchFile(path, { clock, timers }, () => undefined);
    await watched.check();
    // Whoever began to listen later hears later, or at the same time.
    const alive = setInterval(() => undefined, 1_000);
    await new Promise<void>((resolve) => {
      const listener = watch(folder, (_, name) => {
        if (name !== "busy.log") return;
        listener.close();
        resolve();
      });
      writeFileSync(join(folder, "busy.log"), "x");
    });
    assert.equal(looks, 0);
    await new Promise<void>((resolve) => {
      hear = resolve;
      write("second");
    });
    clearInterval(alive);
    watched.close();
    assert.equal(looks, 1);
  });

  it("follows when its folder is replaced", { timeout: 20_000 }, async () => {
    mkdirSync(join(folder, "inner"));
    path = join(folder, "inner", "list.yaml");
    write("first");
    const { watched, look } = startWatching();
    await look();
    renameSync(join(folder, "inner"), join(folder, "gone"));
    assert.equal(await look(), 1);
    mkdirSync(join(folder, "inner"));
    write("second");
    assert.equal(await look(), 1);
    watched.close();
  });
});

describe("readBounded", () => {
  it("reads a file of exactly the bound, and its facts are those that `watchFile` tells", async () => {
    const { watched, told } = startWatching();
    await watched.check();
    write("12345");
    await watched.check();
    const read = await readBounded(path, 5);
    assert.equal(read.ok && read.value.bytes.toString(), "12345");
    assert.ok(read.ok && isSameFile(read.value.facts, told[0]));
    watched.close();
  });

  it("reads an empty file as no bytes", async () => {
    write("");
    const read = await readBounded(path, 5);
    assert.equal(read.ok && read.value.bytes.length, 0);
  });

  const refusals: readonly (readonly [name: string, make: () => void, code: string])[] = [
    ["one byte beyond the bound", () => write("123456"), "too_large"],
    ["nothing", () => undefined, "missing"],
    ["a folder", () => mkdirSync(path), "not_a_file"],
    ["a pipe that nobody writes", () => execFileSync("mkfifo", [path]), "not_a_file"],
    ["a link to itself", () => symlinkSync(path, path), "unreadable"],
  ];
  for (const [name, make, code] of refusals) {
    it(`says ${code} to ${name}`, async () => {
      make();
      const read = await readBounded(path, 5);
      assert.equal(!read.ok && read.code, code);
    });
  }
});
