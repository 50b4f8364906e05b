import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { AuditSinkError, openAuditSink, openFileSink, parseAuditTarget } from "../../../src/audit/sinks.ts";

const folder = mkdtempSync(join(tmpdir(), "svidgate-audit-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const bytes = (text: string): Uint8Array => Buffer.from(text);

describe("an audit target", () => {
  const accepted = [
    ["stdout", { kind: "stdout" }],
    ["none", { kind: "none" }],
    ["file:/var/log/audit.jsonl", { kind: "file", path: "/var/log/audit.jsonl" }],
    ["file:a:b", { kind: "file", path: "a:b" }],
  ] as const;
  for (const [text, value] of accepted)
    it(`accepts: ${text}`, () => assert.deepEqual(parseAuditTarget(text), { ok: true, value }));
  for (const text of ["", "file:", "file", "Stdout", "syslog", "file:a\0b"]) {
    it(`rejects: ${JSON.stringify(text)}`, () => {
      const parsed = parseAuditTarget(text);
      assert.equal(parsed.ok ? undefined : parsed.code, "audit_target");
    });
  }
  it("`none` has no sink", () => assert.equal(openAuditSink({ kind: "none" }), undefined));
});

describe("a file", () => {
  it("is created readable for its group and nobody else, and appended to", async () => {
    const path = join(folder, "new.jsonl");
    const first = openFileSink(path);
    assert.equal(await first.write([bytes("one\n")]), 4);
    await first.close();
    const second = openAuditSink({ kind: "file", path });
    assert.equal(await second?.write([bytes("two\n")]), 4);
    await second?.close();
    assert.equal(readFileSync(path, "utf8"), "one\ntwo\n");
    assert.equal(statSync(path).mode & 0o777 & ~0o640, 0);
  });
  it("is not followed through a symbolic link", () => {
    const target = join(folder, "target");
    const link = join(folder, "link");
    symlinkSync(target, link);
    assert.throws(
      () => openFileSink(link),
      /^AuditSinkError: audit file `.*link` cannot be opened: it is a symbolic link/,
    );
    assert.equal(existsSync(target), false);
  });
  it("must be a file, in a folder that is there", () => {
    assert.throws(() => openFileSink(join(folder, "no", "such")), {
      name: "AuditSinkError",
      message: /ENOENT: check the folder/,
    });
    assert.throws(() => openFileSink("/dev/null"), { name: "AuditSinkError", message: /it is not a regular file$/ });
    mkdirSync(join(folder, "dir"));
    assert.throws(() => openFileSink(join(folder, "dir")), AuditSinkError);
  });
  it("gets a line feed first when a crash left it within a line", async () => {
    const path = join(folder, "torn.jsonl");
    writeFileSync(path, 'one\n{"to');
    const sink = openFileSink(path);
    await sink.write([bytes("two\n")]);
    await sink.write([bytes("three\n")]);
    await sink.close();
    assert.equal(readFileSync(path, "utf8"), 'one\n{"to\ntwo\nthree\n');
  });
  it("that was rotated goes on under its own name after reopening", async () => {
    const path = join(folder, "rotated.jsonl");
    const sink = openFileSink(path);
    await sink.write([bytes("one\n")]);
    renameSync(path, `${path}.1`);
    await sink.write([bytes("two\n")]);
    sink.reopen();
    await sink.write([bytes("three\n")]);
    await sink.close();
    assert.equal(readFileSync(`${path}.1`, "utf8"), "one\ntwo\n");
    assert.equal(readFileSync(path, "utf8"), "three\n");
  });
  it("that cannot be opened anew stays in use", async () => {
    const dir = join(folder, "gone");
    mkdirSync(dir);
    const path = join(dir, "audit.jsonl");
    const sink = openFileSink(path);
    renameSync(dir, `${dir}.1`);
    assert.throws(() => sink.reopen(), AuditSinkError);
    await sink.write([bytes("one\n")]);
    await sink.close();
    assert.equal(readFileSync(join(`${dir}.1`, "audit.jsonl"), "utf8"), "one\n");
  });
  it("that may be written but not read is appended to", async () => {
    const path = join(folder, "blind.jsonl");
    writeFileSync(path, "one\n");
    chmodSync(path, 0o200);
    const sink = openFileSink(path);
    await sink.write([bytes("two\n")]);
    await sink.close();
    chmodSync(path, 0o600);
    assert.equal(readFileSync(path, "utf8"), "one\ntwo\n");
  });
});

interface Ended {
  readonly code: number | null;
  readonly complete: boolean;
  readonly recorded: number;
  readonly written: number;
  readonly sinkErrors: number;
  readonly lost: Readonly<Record<string, number>>;
}
type Child = ChildProcessByStdio<null, Readable | null, Readable>;
const start = (events: number, timeoutMs: number, stdout: "pipe" | number): Child =>
  spawn(
    process.execPath,
    [fileURLToPath(new URL("stdout-child.js", import.meta.url)), String(events), String(timeoutMs)],
    {
      stdio: ["ignore", stdout, "pipe"],
    },
  ) as Child;
const ended = async (child: Child): Promise<Ended> => {
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const [code] = (await once(child, "exit")) as [number | null];
  return { code, ...(JSON.parse(said) as Omit<Ended, "code">) };
};
const seqs = (text: string): readonly unknown[] =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { seq?: number }).seq);
const upTo = (last: number): readonly number[] => Array.from({ length: last }, (_, i) => i + 1);

describe("standard output", () => {
  it("as a pipe carries every event", async () => {
    const child = start(1_000, 20_000, "pipe");
    let text = "";
    child.stdout?.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    const drained = child.stdout === null ? undefined : once(child.stdout, "close");
    const { code, complete, written, recorded } = await ended(child);
    await drained;
    assert.deepEqual(
      { code, complete, written, recorded },
      { code: 0, complete: true, written: 1_000, recorded: 1_000 },
    );
    assert.deepEqual(seqs(text), upTo(1_000));
  });
  it("as a file carries every event", async () => {
    const path = join(folder, "stdout.jsonl");
    const fd = openSync(path, "w");
    const { code, written } = await ended(start(1_000, 20_000, fd));
    closeSync(fd);
    assert.deepEqual({ code, written }, { code: 0, written: 1_000 });
    assert.deepEqual(seqs(readFileSync(path, "utf8")), upTo(1_000));
  });
  it("as a pipe that nobody reads holds neither decisions nor the exit up, in bounded memory, and counts", async () => {
    const { code, complete, recorded, written, lost } = await ended(start(20_000, 50, "pipe"));
    const total = Object.values(lost).reduce((sum, count) => sum + count, written);
    assert.deepEqual(
      { code, complete, recorded, total },
      { code: 0, complete: false, recorded: 20_000, total: 20_000 },
    );
    assert.ok((lost["queue_full"] ?? 0) > 15_000);
    assert.ok((lost["shutdown"] ?? 0) > 0);
  });
  it("as a pipe that was closed does not end the process, and counts", async () => {
    const child = start(100, 300, "pipe");
    child.stdout?.destroy();
    const { code, complete, lost, sinkErrors } = await ended(child);
    assert.deepEqual({ code, complete, shutdown: lost["shutdown"] }, { code: 0, complete: false, shutdown: 100 });
    assert.ok(sinkErrors > 0);
  });
});
