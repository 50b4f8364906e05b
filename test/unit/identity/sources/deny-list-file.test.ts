import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { systemClock } from "../../../../src/base/clock.ts";
import { systemTimers, type Timers } from "../../../../src/base/timers.ts";
import {
  type DenyListFile,
  type DenyListFileOptions,
  type DenyListPorts,
  startDenyListFile,
} from "../../../../src/identity/sources/deny-list-file.ts";
import { parseSpiffeId } from "../../../../src/identity/spiffe-id.ts";
import { createManualClock } from "../../../support/manual-clock.ts";

let folder: string;
let path: string;
let stateDir: string;
let running: DenyListFile[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "svidgate-deny-list-"));
  path = join(folder, "deny.yaml");
  stateDir = join(folder, "state");
  running = [];
});
afterEach(() => {
  for (const file of running) file.close();
  rmSync(folder, { recursive: true, force: true });
});

const yaml = (...names: readonly string[]): string =>
  `entries:\n${names.map((name) => `  - jti: ${name}\n    reason: leaked\n    expires: never\n`).join("")}`;
const json = (...names: readonly string[]): string =>
  JSON.stringify({ entries: names.map((jti) => ({ jti, reason: "leaked", expires: "never" })) });
const EMPTY = "entries: []\n";

const write = (text: string | Uint8Array): void => writeFileSync(path, text);

function denies(file: DenyListFile, tokenId: string): boolean {
  const id = parseSpiffeId("spiffe://example.org/a");
  assert.ok(id.ok);
  return file.current().find({ spiffeId: id.value, tokenId, issuedUnixMs: 0 }, Date.now()) !== undefined;
}

interface Started {
  readonly file: DenyListFile;
  readonly problems: string[];
  readonly applied: number[];
}

/** No timer runs by itself, and no file counts as fresh: only `reload` reads. */
async function start(options: Partial<DenyListFileOptions> = {}, ports: Partial<DenyListPorts> = {}): Promise<Started> {
  const clock = createManualClock(Date.now() + 3_600_000);
  const problems: string[] = [];
  const applied: number[] = [];
  const file = startDenyListFile(
    { path, ...options },
    {
      clock,
      timers: clock.timers,
      onProblem: (problem) => problems.push(problem),
      onApplied: (seconds) => applied.push(seconds),
      ...ports,
    },
  );
  running.push(file);
  await file.ready;
  return { file, problems, applied };
}

describe("startDenyListFile", () => {
  it("has the file's list in force when it is ready", async () => {
    write(yaml("a", "b"));
    const { file, problems, applied } = await start();
    assert.ok(denies(file, "a") && denies(file, "b") && !denies(file, "c"));
    const { appliedUnixMs, ...status } = file.status();
    assert.ok(appliedUnixMs !== undefined);
    assert.deepEqual(status, {
      origin: "file",
      entries: 2,
      generation: 1,
      applySeconds: undefined,
      problem: undefined,
      keepProblem: undefined,
    });
    assert.deepEqual([problems, applied], [[], []]);
  });

  it("denies everybody until the first list is read, and when there is none", async () => {
    const { file, problems } = await start();
    assert.ok(denies(file, "anybody"));
    assert.equal(file.status().origin, undefined);
    assert.equal(file.status().generation, 0);
    assert.deepEqual(problems, [
      `svidgate.identity.deny_list: \`${path}\`: is not there: everybody is denied without a list: give one, without entries it is \`entries: []\``,
    ]);
    write(EMPTY);
    const other = startDenyListFile({ path }, { clock: systemClock, timers: systemTimers });
    running.push(other);
    assert.ok(denies(other, "anybody"));
    await other.ready;
    assert.ok(!denies(other, "anybody"));
  });

  it("takes up each new content once, and raises the generation with it", async () => {
    write(yaml("a"));
    const { file, applied } = await start();
    let changes = 0;
    const stop = file.onChange(() => changes++);
    await file.reload();
    utimesSync(path, 1, 1);
    await file.reload();
    assert.equal(file.status().generation, 1);
    write(json("b"));
    await file.reload();
    assert.ok(!denies(file, "a") && denies(file, "b"));
    assert.equal(file.status().generation, 2);
    stop();
    write(EMPTY);
    await file.reload();
    assert.ok(!denies(file, "b"));
    assert.deepEqual([file.status().generation, changes, applied.length], [3, 1, 2]);
  });

  it("tells how long a change took, from the file's time to the list in force", async () => {
    write(yaml("a"));
    const clock = createManualClock(Date.now() + 10_000_000);
    const { file, applied } = await start({}, { clock, timers: clock.timers });
    write(yaml("b"));
    await file.reload();
    const [seconds = 0] = applied;
    assert.ok(seconds > 9_900 && seconds <= 10_001, `${seconds} s`);
    assert.equal(file.status().applySeconds, seconds);
  });

  const broken: readonly (readonly [name: string, spoil: () => void, problem: RegExp])[] = [
    ["a deletion", () => rmSync(path), /: is not there: /],
    ["a truncation", () => write(""), /: 1:1: the file is empty/],
    ["half a list", () => write('{"entries":[{"jti":'), /: 1:20: not JSON/],
    ["a broken entry", () => write("entries:\n  - jti: a\n"), /: 2:5: `reason` is missing: say why; 2:5: `expires`/],
    ["bytes that are no UTF-8", () => write(Buffer.from([0x65, 0xff])), /: its bytes are not UTF-8: /],
    [
      "a folder in its place",
      () => {
        rmSync(path);
        mkdirSync(path);
      },
      /: is no regular file: /,
    ],
    [
      "too large a file",
      () => write(Buffer.alloc(32 * 1024 * 1024 + 1, 32)),
      /: has 33554433 bytes: at most 33554432: /,
    ],
  ];
  for (const [name, spoil, problem] of broken) {
    it(`keeps the last good list over ${name}, says so once, and takes up the next good one`, async () => {
      write(yaml("a"));
      const { file, problems } = await start();
      spoil();
      await file.reload();
      assert.ok(denies(file, "a") && !denies(file, "b"));
      assert.match(file.status().problem ?? "", problem);
      assert.match(file.status().problem ?? "", /the last good list stays in force$/);
      assert.equal(problems.length, 1);
      rmSync(path, { recursive: true, force: true });
      write(yaml("b"));
      await file.reload();
      assert.ok(denies(file, "b") && !denies(file, "a"));
      assert.equal(file.status().problem, undefined);
      assert.equal(problems.length, 1);
    });
  }

  it("has no problem any more when the same content comes back, and no new generation", async () => {
    write(yaml("a"));
    const { file } = await start();
    rmSync(path);
    await file.reload();
    assert.ok(file.status().problem);
    write(yaml("a"));
    await file.reload();
    assert.equal(file.status().problem, undefined);
    assert.equal(file.status().generation, 1);
  });

  it("keeps its list over a restart where the file is gone or broken", async () => {
    write(yaml("a"));
    const first = await start({ stateDir });
    first.file.close();
    for (const spoil of [() => rmSync(path), () => write(""), () => write("entries: [")]) {
      spoil();
      const { file, problems } = await start({ stateDir });
      assert.ok(denies(file, "a") && !denies(file, "b"));
      assert.equal(file.status().origin, "state_dir");
      assert.equal(file.status().generation, 1);
      assert.match(problems.join(), /the last good list stays in force, from svidgate\.state_dir$/);
      file.close();
    }
    write(yaml("b"));
    const last = await start({ stateDir });
    assert.ok(denies(last.file, "b") && !denies(last.file, "a"));
    assert.equal(last.file.status().origin, "file");
  });

  it("comes back from the kept list to the file", async () => {
    write(yaml("a"));
    (await start({ stateDir })).file.close();
    rmSync(path);
    const { file } = await start({ stateDir });
    write(yaml("a"));
    await file.reload();
    assert.equal(file.status().origin, "file");
    assert.equal(file.status().problem, undefined);
    assert.equal(file.status().generation, 1);
    write(yaml("a", "b"));
    await file.reload();
    assert.equal(readFileSync(join(stateDir, "deny-list.last-good"), "utf8"), yaml("a", "b"));
  });

  it("never keeps a broken list, and starts with none when the kept one is broken too", async () => {
    write(yaml("a"));
    const { file } = await start({ stateDir });
    write("entries: [");
    await file.reload();
    assert.equal(readFileSync(join(stateDir, "deny-list.last-good"), "utf8"), yaml("a"));
    file.close();
    writeFileSync(join(stateDir, "deny-list.last-good"), "");
    const other = await start({ stateDir });
    assert.equal(other.file.status().origin, undefined);
    assert.ok(denies(other.file, "anybody"));
  });

  it("starts with none when everybody may write the kept one", async () => {
    write(yaml("a"));
    (await start({ stateDir })).file.close();
    rmSync(path);
    chmodSync(join(stateDir, "deny-list.last-good"), 0o666);
    const { file } = await start({ stateDir });
    assert.equal(file.status().origin, undefined);
    assert.ok(denies(file, "anybody"));
  });

  it("has a list in force that it could not keep, and says so", async () => {
    write(yaml("a"));
    writeFileSync(stateDir, "no folder");
    const { file, problems } = await start({ stateDir });
    assert.ok(denies(file, "a"));
    assert.equal(file.status().problem, undefined);
    assert.match(
      file.status().keepProblem ?? "",
      /^svidgate\.state_dir: the deny list cannot be kept for a restart: E/,
    );
    assert.equal(problems.length, 1);
    rmSync(stateDir);
    write(yaml("b"));
    await file.reload();
    assert.equal(file.status().keepProblem, undefined);
  });

  it("tries again to keep the same list at the next reload", async () => {
    write(yaml("a"));
    writeFileSync(stateDir, "no folder");
    const { file, problems } = await start({ stateDir });
    await file.reload();
    assert.match(file.status().keepProblem ?? "", /cannot be kept for a restart/);
    assert.equal(problems.length, 2, "a reload tells anew");
    rmSync(stateDir);
    await file.reload();
    assert.equal(file.status().keepProblem, undefined);
    assert.equal(file.status().generation, 1);
    assert.equal(readFileSync(join(stateDir, "deny-list.last-good"), "utf8"), yaml("a"));
    rmSync(stateDir, { recursive: true });
    await file.reload();
    assert.ok(!existsSync(stateDir), "what is kept is not written again");
  });

  it("writes nothing and calls nobody once it is closed, whatever was under way", async () => {
    write(yaml("a"));
    const clock = createManualClock(Date.now() + 3_600_000);
    const told: string[] = [];
    const ports = { clock, timers: clock.timers, onProblem: (problem: string) => told.push(problem) };
    const starting = startDenyListFile({ path, stateDir }, ports);
    starting.close();
    await starting.ready;
    assert.ok(!existsSync(stateDir));
    const { file } = await start({ stateDir });
    file.onChange(() => told.push("changed"));
    write(yaml("b"));
    const reloading = file.reload();
    file.close();
    await reloading;
    assert.equal(readFileSync(join(stateDir, "deny-list.last-good"), "utf8"), yaml("a"));
    assert.equal(file.status().generation, 1);
    assert.deepEqual(told, []);
  });

  it("does not keep a list that came into force just before the end", async () => {
    write(yaml("a"));
    const { file } = await start({ stateDir });
    write(yaml("b"));
    file.onChange(() => file.close());
    await file.reload();
    assert.ok(denies(file, "b"));
    assert.equal(readFileSync(join(stateDir, "deny-list.last-good"), "utf8"), yaml("a"));
  });

  const halves: readonly (readonly [name: string, half: string, whole: string])[] = [
    ["nothing yet", "", yaml("a", "b", "c")],
    ["a valid, shorter YAML list", yaml("a"), yaml("a", "b", "c")],
    ["the beginning of a JSON list", json("a", "b", "c").slice(0, 70), json("a", "b", "c")],
  ];
  for (const [name, half, whole] of halves) {
    it(`waits for the rest when a write in place has come to ${name}`, async () => {
      write(yaml("a", "b"));
      // Files of now are fresh for this clock. Whoever waits for the file to settle finds that the writer has gone on.
      const clock = createManualClock(Date.now());
      let goOn = (): void => undefined;
      const timers: Timers = {
        after: (ms, run) => {
          if (ms > 50 || ms === 10) return () => undefined;
          goOn();
          goOn = () => undefined;
          setImmediate(run);
          return () => undefined;
        },
      };
      const { file, problems } = await start({}, { clock, timers });
      const seen: boolean[] = [];
      file.onChange(() => seen.push(denies(file, "b")));
      write(half);
      goOn = () => write(whole);
      await file.reload();
      assert.ok(denies(file, "a") && denies(file, "b") && denies(file, "c"));
      assert.deepEqual(seen, [true]);
      assert.deepEqual(problems, []);
    });
  }
});

describe("startDenyListFile, by the system's events", () => {
  /** Resolves when the change has led to a list that is in force. */
  async function takeUp(
    change: () => void,
  ): Promise<{ readonly file: DenyListFile; readonly problems: readonly string[] }> {
    const started = await start({}, { clock: systemClock, timers: systemTimers });
    // Neither watches nor timers of ours keep the process up.
    const alive = setInterval(() => undefined, 1_000);
    await new Promise<void>((resolve) => {
      started.file.onChange(resolve);
      change();
    });
    clearInterval(alive);
    return started;
  }

  const changes: readonly (readonly [name: string, prepare: () => void, change: () => void])[] = [
    ["a write in place", () => write(yaml("a")), () => write(yaml("b"))],
    ["JSON written in place", () => write(json("a")), () => write(json("b"))],
    [
      "a rename over it",
      () => write(yaml("a")),
      () => {
        writeFileSync(`${path}.new`, yaml("b"));
        renameSync(`${path}.new`, path);
      },
    ],
    [
      "a swap of `..data`, as Kubernetes does it",
      () => {
        for (const [name, text] of [
          ["..1", yaml("a")],
          ["..2", yaml("b")],
        ] as const) {
          mkdirSync(join(folder, name));
          writeFileSync(join(folder, name, "deny.yaml"), text);
        }
        symlinkSync("..1", join(folder, "..data"));
        symlinkSync(join("..data", "deny.yaml"), path);
      },
      () => {
        symlinkSync("..2", join(folder, "..data_tmp"));
        renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
        rmSync(join(folder, "..1"), { recursive: true });
      },
    ],
    [
      "a deletion and another file",
      () => write(yaml("a")),
      () => {
        rmSync(path);
        write(yaml("b"));
      },
    ],
  ];
  for (const [name, prepare, change] of changes) {
    it(`takes up ${name}`, { timeout: 20_000 }, async () => {
      prepare();
      const { file } = await takeUp(change);
      assert.ok(denies(file, "b") && !denies(file, "a"));
      assert.equal(file.status().generation, 2);
    });
  }

  it("tells of a deletion, and keeps the list", { timeout: 20_000 }, async () => {
    write(yaml("a"));
    const alive = setInterval(() => undefined, 1_000);
    let hear: (problem: string) => void = () => undefined;
    const heard = new Promise<string>((resolve) => {
      hear = resolve;
    });
    const { file } = await start(
      {},
      { clock: systemClock, timers: systemTimers, onProblem: (problem) => hear(problem) },
    );
    rmSync(path);
    assert.match(await heard, /is not there: the last good list stays in force$/);
    assert.ok(denies(file, "a"));
    clearInterval(alive);
  });
});
