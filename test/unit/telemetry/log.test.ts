import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createLog, LOG_LEVELS, type Log, type LogLevel, silentLog } from "../../../src/telemetry/log.ts";
import { createManualClock, type ManualClock } from "../../support/manual-clock.ts";

interface World {
  readonly log: Log;
  readonly clock: ManualClock;
  readonly lines: string[];
  readonly timers: (() => void)[];
  records(): readonly Readonly<Record<string, unknown>>[];
}
const world = (level: LogLevel = "debug"): World => {
  const lines: string[] = [];
  const timers: (() => void)[] = [];
  const clock = createManualClock();
  const log = createLog({ level, clock, write: (line) => lines.push(line), schedule: (run) => timers.push(run) });
  return { log, clock, lines, timers, records: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
};

describe("a line", () => {
  it("is one JSON object with time, level, message and fields", () => {
    const { log, lines } = world();
    log.info("policy loaded", {
      revision: "r1",
      files: 3,
      strict: true,
      data: null,
      left: undefined,
      paths: ["a", "b"],
      bytes: 12n,
    });
    assert.deepEqual(lines, [
      '{"time":"2026-01-01T00:00:00.000Z","level":"info","msg":"policy loaded","revision":"r1","files":3,"strict":true,"data":null,"paths":["a","b"],"bytes":"12"}\n',
    ]);
  });
  it("holds an error with its code and cause", () => {
    const { log, records } = world();
    log.error("reload failed", {
      error: Object.assign(new Error("no such file", { cause: new Error("disk") }), { code: "ENOENT" }),
    });
    const error = records()[0]?.["error"] as Record<string, string>;
    const { stack = "", ...rest } = error;
    assert.deepEqual(rest, { name: "Error", message: "no such file", code: "ENOENT", cause: "disk" });
    assert.ok(stack.includes("log.test"));
  });
  it("is printable ASCII and one line whatever it is given", () => {
    const hostile = 'x\n{"level":"error"}\u001b[2J\u009b31m\u202egnp.exe\u2066\u2028\u007f\ud800\u200b';
    const { log, lines, records } = world();
    log.warn(hostile, { [hostile]: hostile, list: [hostile], error: new Error(hostile) });
    assert.match(lines.join(""), /^[\x20-\x7e]+\n$/);
    assert.equal(records()[0]?.["msg"], hostile.replace("\ud800", "\ufffd"));
  });
  it("keeps its own names when a field is named like them", () => {
    const { log, records } = world();
    log.info("hello", { msg: "bye", level: "error", time: "never", repeated: 9 });
    assert.deepEqual(Object.values(records()[0] ?? {}), ["2026-01-01T00:00:00.000Z", "info", "hello"]);
  });
  it("is bounded, however long message, values, lists and fields are", () => {
    const { log, lines } = world();
    const long = "\u202e".repeat(100_000);
    const fields = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`f${i}`, long]));
    log.info(long, fields);
    log.info("list", { list: Array.from({ length: 10_000 }, () => long) });
    for (const line of lines) assert.ok(line.length < 80_000, String(line.length));
  });
  it("does not hold tokens and private keys that an error carries along", () => {
    const jwt = `eyJ${"hbGciOiJFUzI1NiJ9"}.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl`;
    const key = `-----BEGIN ${"PRIVATE"} KEY-----\nMC4CAQAw\n-----END ${"PRIVATE"} KEY-----`;
    const { log, lines } = world();
    log.error(`cannot read ${jwt}`, {
      error: new Error(`bad token ${jwt} with ${key}`),
      cut: `${"a".repeat(2_000)} ${jwt}`,
    });
    assert.doesNotMatch(lines.join(""), /eyJ|MC4CAQ|c2lnbmF0dXJl/);
    assert.match(lines.join(""), /bad token \[redacted\] with \[redacted\]/);
  });
  it("is written for any text, number and date", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.double(), fc.double(), (text, number, unixMs) => {
        const lines: string[] = [];
        const log = createLog({
          level: "info",
          write: (line) => lines.push(line),
          clock: { unixMs: () => unixMs, monotonicMs: () => 0 },
        });
        log.info(text, { text, number });
        assert.equal(lines.length, 1);
        assert.equal(typeof JSON.parse(lines[0] ?? ""), "object");
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});

describe("levels", () => {
  for (const [at, level] of LOG_LEVELS.entries()) {
    it(`writes ${level} and above`, () => {
      const { log, records } = world(level);
      for (const each of LOG_LEVELS) log[each]("hello");
      assert.deepEqual(
        records().map((record) => record["level"]),
        LOG_LEVELS.slice(at),
      );
      assert.deepEqual(LOG_LEVELS.filter(log.enabled), LOG_LEVELS.slice(at));
    });
  }
  it("are all silent in the silent log", () => {
    for (const level of LOG_LEVELS) assert.equal(silentLog[level]("hello"), undefined);
    assert.equal(LOG_LEVELS.some(silentLog.enabled), false);
    assert.equal(silentLog.flush(), undefined);
  });
});

describe("repetition", () => {
  it("becomes five lines and a count in a second", () => {
    const { log, clock, records, timers } = world();
    for (let i = 0; i < 1_000; i++) log.warn("request unreadable", { i });
    assert.equal(records().length, 5);
    assert.equal(timers.length, 1);
    clock.advanceMs(1_000);
    timers[0]?.();
    const { i, repeated } = records()[5] ?? {};
    assert.deepEqual({ i, repeated, lines: records().length }, { i: 999, repeated: 994, lines: 6 });
  });
  it("does not hold back other messages", () => {
    const { log, records } = world();
    for (let i = 0; i < 100; i++) log.warn("request unreadable");
    log.error("disk full");
    assert.equal(records().at(-1)?.["msg"], "disk full");
  });
  it("starts anew in the next second, after the count of the last", () => {
    const { log, clock, records } = world();
    for (let i = 0; i < 7; i++) log.warn("request unreadable", { i });
    clock.advanceMs(1_000);
    log.warn("request unreadable", { i: 7 });
    assert.deepEqual(
      records().map(({ i, repeated }) => [i, repeated]),
      [
        [0, undefined],
        [1, undefined],
        [2, undefined],
        [3, undefined],
        [4, undefined],
        [6, 1],
        [7, undefined],
      ],
    );
  });
  it("is written at the end of the process", () => {
    const { log, records } = world();
    for (let i = 0; i < 9; i++) log.warn("request unreadable");
    log.flush();
    log.flush();
    assert.deepEqual(records().at(-1)?.["repeated"], 3);
    assert.equal(records().length, 6);
  });
  it("of ever new messages is bounded as well", () => {
    const { log, records } = world();
    for (let i = 0; i < 100_000; i++) log.warn(`message ${i}`);
    log.flush();
    assert.equal(records().length, 201);
    const { msg, count } = records().at(-1) ?? {};
    assert.deepEqual({ msg, count }, { msg: "further messages were held back", count: 99_800 });
  });
});
