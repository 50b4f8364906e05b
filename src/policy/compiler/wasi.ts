// The part of WASI (snapshot preview 1) that Go's programs need: three streams, clocks, randomness, exit. The compiler
// runs on it, and the Go builtins (../go-builtins).
// There are no files, no environment, no arguments and no network: every such call fails with an errno.
// Node's own node:wasi is not used: it is experimental in Node 20 and says that it is no sandbox.
import { randomFillSync } from "node:crypto";
import type { WasmImports, WasmMemory } from "./web-assembly.ts";

/** Where the command's streams lead. `read` fills the view and returns the bytes, 0 at the end. */
export interface WasiStreams {
  read(into: Uint8Array): number;
  /** The bytes are valid during the call only. */
  write(stream: "stdout" | "stderr", bytes: Uint8Array): void;
}

/** Where time comes from, and what a wait is. */
export interface WasiTime {
  /** Nanoseconds since 1970. */
  unixNs(): bigint;
  sleep(milliseconds: number): void;
}

const MACHINE_TIME: WasiTime = {
  unixNs: () => BigInt(Date.now()) * 1_000_000n,
  /** Blocks the thread; the child process has nothing else to do. */
  sleep: (milliseconds) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds),
};

/** Thrown through the command when it calls `proc_exit`. */
export class WasiExit extends Error {
  readonly exitCode: number;
  constructor(exitCode: number) {
    super(`the compiler ended with status ${exitCode}`);
    this.exitCode = exitCode;
  }
}

const SUCCESS = 0;
const EBADF = 8;
const EINVAL = 28;
const ENOSYS = 52;
const CLOCK_REALTIME = 0;
const CLOCK_MONOTONIC = 1;
const FILETYPE_CHARACTER_DEVICE = 2;
const EVENTTYPE_CLOCK = 0;
const SUBSCRIPTION_BYTES = 48;
const EVENT_BYTES = 32;
const SUBSCRIPTION_CLOCK_ABSTIME = 1;
/** One write can name many buffers; more than this in one call is nonsense. */
const MAX_BUFFERS = 1024;
const MAX_RANDOM_BYTES = 65_536;

/** The import module `wasi_snapshot_preview1`. `memory` is asked at each call, because memory moves as it grows. */
export function createWasi(streams: WasiStreams, memory: () => WasmMemory, time: WasiTime = MACHINE_TIME): WasmImports {
  const view = () => new DataView(memory().buffer);
  const bytes = (at: number, length: number) => new Uint8Array(memory().buffer, at >>> 0, length >>> 0);
  /** The buffers that `count` (pointer, length) pairs at `at` describe. */
  const buffers = (at: number, count: number) =>
    Array.from({ length: Math.min(count, MAX_BUFFERS) }, (_, i) => {
      const pair = (at >>> 0) + i * 8;
      return bytes(view().getUint32(pair, true), view().getUint32(pair + 4, true));
    });
  const isStream = (fd: number) => fd >= 0 && fd <= 2;

  /** Writes "none of them": a count and a total size of zero. */
  const none = (countAt: number, sizeAt: number): number => {
    view().setUint32(countAt >>> 0, 0, true);
    view().setUint32(sizeAt >>> 0, 0, true);
    return SUCCESS;
  };
  const nowNs = (clock: number): bigint | undefined => {
    if (clock === CLOCK_REALTIME) return time.unixNs();
    if (clock === CLOCK_MONOTONIC) return process.hrtime.bigint();
    return undefined;
  };

  return {
    args_sizes_get: none,
    environ_sizes_get: none,
    args_get: () => SUCCESS,
    environ_get: () => SUCCESS,
    clock_time_get(clock: number, _precision: bigint, at: number): number {
      const now = nowNs(clock);
      if (now === undefined) return EINVAL;
      view().setBigUint64(at >>> 0, now, true);
      return SUCCESS;
    },
    random_get(at: number, length: number): number {
      for (let done = 0; done < length >>> 0; done += MAX_RANDOM_BYTES) {
        randomFillSync(bytes(at + done, Math.min((length >>> 0) - done, MAX_RANDOM_BYTES)));
      }
      return SUCCESS;
    },
    fd_read(fd: number, buffersAt: number, count: number, readAt: number): number {
      if (fd !== 0) return EBADF;
      const into = buffers(buffersAt, count).find((buffer) => buffer.length > 0);
      view().setUint32(readAt >>> 0, into === undefined ? 0 : streams.read(into), true);
      return SUCCESS;
    },
    fd_write(fd: number, buffersAt: number, count: number, writtenAt: number): number {
      if (fd !== 1 && fd !== 2) return EBADF;
      let written = 0;
      for (const buffer of buffers(buffersAt, count)) {
        streams.write(fd === 1 ? "stdout" : "stderr", buffer);
        written += buffer.length;
      }
      view().setUint32(writtenAt >>> 0, written, true);
      return SUCCESS;
    },
    fd_fdstat_get(fd: number, at: number): number {
      if (!isStream(fd)) return EBADF;
      bytes(at, 24).fill(0);
      view().setUint8(at >>> 0, FILETYPE_CHARACTER_DEVICE);
      return SUCCESS;
    },
    fd_fdstat_set_flags: (fd: number) => (isStream(fd) ? SUCCESS : EBADF),
    fd_close: (fd: number) => (isStream(fd) ? SUCCESS : EBADF),
    /** Go asks for its preopened folders until it hears EBADF: there are none. */
    fd_prestat_get: () => EBADF,
    fd_prestat_dir_name: () => EBADF,
    fd_readdir: () => EBADF,
    fd_filestat_get: () => EBADF,
    path_filestat_get: () => ENOSYS,
    path_readlink: () => ENOSYS,
    path_open: () => ENOSYS,
    sched_yield: () => SUCCESS,
    /** Go's runtime sleeps with this. Only clocks are known; each named one counts as due after the shortest wait. */
    poll_oneoff(subscriptionsAt: number, eventsAt: number, count: number, eventCountAt: number): number {
      if (count < 1 || count > MAX_BUFFERS) return EINVAL;
      const memoryView = view();
      let waitNs: bigint | undefined;
      for (let i = 0; i < count; i++) {
        const from = (subscriptionsAt >>> 0) + i * SUBSCRIPTION_BYTES;
        const to = (eventsAt >>> 0) + i * EVENT_BYTES;
        bytes(to, EVENT_BYTES).fill(0);
        memoryView.setBigUint64(to, memoryView.getBigUint64(from, true), true); // userdata
        const type = memoryView.getUint8(from + 8);
        memoryView.setUint8(to + 10, type);
        if (type !== EVENTTYPE_CLOCK) {
          memoryView.setUint16(to + 8, ENOSYS, true);
          continue;
        }
        const timeout = memoryView.getBigUint64(from + 24, true);
        const absolute = (memoryView.getUint16(from + 40, true) & SUBSCRIPTION_CLOCK_ABSTIME) !== 0;
        const wait = absolute ? timeout - (nowNs(memoryView.getUint32(from + 16, true)) ?? timeout) : timeout;
        if (waitNs === undefined || wait < waitNs) waitNs = wait;
      }
      if (waitNs !== undefined && waitNs > 0n) time.sleep(Number(waitNs) / 1e6);
      memoryView.setUint32(eventCountAt >>> 0, count, true);
      return SUCCESS;
    },
    proc_exit(code: number): never {
      throw new WasiExit(code);
    },
  };
}
