import assert from "node:assert/strict";
import { it } from "node:test";
import { createWasi, WasiExit } from "../../../../src/policy/compiler/wasi.ts";

type Call = (...parameters: unknown[]) => unknown;

/** The imports over one page of memory; what is written is collected, `stdin` is read once. */
function fixture(stdin = "") {
  const memory = { buffer: new ArrayBuffer(65_536) };
  const written: Record<"stdout" | "stderr", string> = { stdout: "", stderr: "" };
  let rest = Buffer.from(stdin);
  const imports = createWasi(
    {
      read(into) {
        const length = Math.min(into.length, rest.length);
        into.set(rest.subarray(0, length));
        rest = rest.subarray(length);
        return length;
      },
      write(stream, bytes) {
        written[stream] += Buffer.from(bytes).toString();
      },
    },
    () => memory,
  ) as unknown as Readonly<Record<string, Call>>;
  const call = (name: string, ...parameters: unknown[]): unknown => {
    const found = imports[name];
    assert.ok(found, name);
    return found(...parameters);
  };
  const view = new DataView(memory.buffer);
  /** Places (pointer, length) pairs at `at`. */
  const iovec = (at: number, ...pairs: readonly (readonly [number, number])[]) =>
    pairs.forEach(([pointer, length], i) => {
      view.setUint32(at + i * 8, pointer, true);
      view.setUint32(at + i * 8 + 4, length, true);
    });
  return { call, view, written, iovec, bytes: new Uint8Array(memory.buffer) };
}

it("there are no arguments and no environment", () => {
  const { call, view } = fixture();
  for (const name of ["args_sizes_get", "environ_sizes_get"]) {
    view.setUint32(0, 7, true);
    view.setUint32(4, 7, true);
    assert.equal(call(name, 0, 4), 0);
    assert.deepEqual([view.getUint32(0, true), view.getUint32(4, true)], [0, 0]);
  }
});

it("there are no files: every call about one fails", () => {
  const { call } = fixture();
  const calls = ["fd_prestat_get", "fd_prestat_dir_name", "fd_readdir", "fd_filestat_get"];
  for (const name of [...calls, "path_open", "path_filestat_get", "path_readlink"])
    assert.notEqual(call(name, 3, 0, 0), 0, name);
});

it("stdout and stderr take what all buffers hold; other descriptors take nothing", () => {
  const { call, view, written, iovec, bytes } = fixture();
  bytes.set(Buffer.from("hello world"), 100);
  iovec(0, [100, 5], [0, 0], [105, 6]);
  assert.equal(call("fd_write", 1, 0, 3, 64), 0);
  assert.equal(view.getUint32(64, true), 11);
  assert.equal(call("fd_write", 2, 0, 1, 64), 0);
  assert.deepEqual(written, { stdout: "hello world", stderr: "hello" });
  for (const fd of [0, 3, -1]) assert.equal(call("fd_write", fd, 0, 1, 64), 8);
});

it("stdin is read piece by piece and then ends", () => {
  const { call, view, iovec, bytes } = fixture("abc");
  iovec(0, [200, 2]);
  const read = () => {
    assert.equal(call("fd_read", 0, 0, 1, 64), 0);
    return Buffer.from(bytes.subarray(200, 200 + view.getUint32(64, true))).toString();
  };
  assert.deepEqual([read(), read(), read()], ["ab", "c", ""]);
  assert.equal(call("fd_read", 1, 0, 1, 64), 8);
});

it("the clocks are real time and monotonic time in nanoseconds; others are refused", () => {
  const { call, view } = fixture();
  const before = BigInt(Date.now()) * 1_000_000n;
  assert.equal(call("clock_time_get", 0, 0n, 0), 0);
  assert.ok(view.getBigUint64(0, true) >= before);
  call("clock_time_get", 1, 0n, 0);
  const first = view.getBigUint64(0, true);
  call("clock_time_get", 1, 0n, 0);
  assert.ok(view.getBigUint64(0, true) >= first);
  assert.equal(call("clock_time_get", 2, 0n, 0), 28);
});

it("random bytes fill exactly what was asked for", () => {
  const { call, bytes } = fixture();
  assert.equal(call("random_get", 16, 64), 0);
  assert.ok(bytes.subarray(16, 80).some((byte) => byte !== 0));
  assert.ok(bytes.subarray(0, 16).every((byte) => byte === 0) && bytes.subarray(80, 200).every((byte) => byte === 0));
});

it("a wait for the clock ends, and names its event", () => {
  const { call, view } = fixture();
  view.setBigUint64(0, 42n, true); // userdata; the type after it, 0, is a clock
  view.setUint32(16, 1, true);
  view.setBigUint64(24, 1_000n, true); // 1 µs, relative
  assert.equal(call("poll_oneoff", 0, 1_000, 1, 2_000), 0);
  assert.deepEqual(
    [view.getUint32(2_000, true), view.getBigUint64(1_000, true), view.getUint16(1_008, true)],
    [1, 42n, 0],
  );
  assert.equal(call("poll_oneoff", 0, 1_000, 0, 2_000), 28);
});

it("a wait for a descriptor fails at once instead of hanging", () => {
  const { call, view } = fixture();
  view.setUint8(8, 1);
  assert.equal(call("poll_oneoff", 0, 1_000, 1, 2_000), 0);
  assert.equal(view.getUint16(1_008, true), 52);
});

it("the streams are character devices, other descriptors are not there", () => {
  const { call, view } = fixture();
  for (const fd of [0, 1, 2]) {
    assert.equal(call("fd_fdstat_get", fd, 0), 0);
    assert.equal(view.getUint8(0), 2);
    assert.equal(call("fd_fdstat_set_flags", fd, 0), 0);
  }
  assert.equal(call("fd_fdstat_get", 3, 0), 8);
  assert.equal(call("fd_close", 3), 8);
});

it("an exit leaves with its status", () => {
  const { call } = fixture();
  assert.throws(
    () => call("proc_exit", 2),
    (error) => error instanceof WasiExit && error.exitCode === 2,
  );
});
