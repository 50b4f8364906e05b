// Notices that a file has changed, and reads it within a bound: shared by every source that keeps a file in force (trust bundles,
// the deny list, own certificates). Events of the folders make it fast, `stat` decides, and a poll catches what events miss.
// A change is another (device, inode, modification, change time, size) of what the path leads to: writes in place, renames, links
// that are swapped (Kubernetes renames `..data`), deletion and return. It parses nothing and keeps nothing of the content.

import { type BigIntStats, constants, type FSWatcher, statSync, watch } from "node:fs";
import { open, realpath, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { fail, ok, type Result } from "../../base/result.ts";
import type { Timers } from "../../base/timers.ts";

/** What tells two states of a file apart. */
export interface FileFacts {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

/** How a watcher waits and tells the time; `pollMs` is how long a change without an event can stay unseen, 1,000 unless given. */
export interface WatchFilePorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly pollMs?: number;
}

/** A file that is being watched. */
export interface WatchedFile {
  /** Looks now; resolves when the look is over, and `onChange` has been called if there was something. */
  check(): Promise<void>;
  close(): void;
}

const POLL_MS = 1_000;
/** Events come in bursts: one look answers all that come within this time after the first. */
const GATHER_MS = 10;
/**
 * A file that is younger than this may not be whole yet. Kernels stamp files by their tick (1–10 ms), so a second write within one
 * leaves no trace in `stat`: look again after this.
 */
export const SETTLED_MS = 50;
/** A file server's clock may go ahead of ours by this much; a time that is further ahead was set by somebody, and says nothing. */
const MAX_AHEAD_MS = 1_000;

/**
 * Calls `onChange` after each change of the file at `path`, with its facts, or undefined when nothing is there; never at once: what
 * the file is when this is called is the state that changes are measured from. A change that is younger than 50 ms is told
 * twice, the second time 50 ms later, so whoever reads must mind being told of what it has read. Keeps no process alive.
 */
export function watchFile(
  path: string,
  ports: WatchFilePorts,
  onChange: (facts: FileFacts | undefined) => void,
): WatchedFile {
  const folders = new FolderEvents(() => soon(GATHER_MS));
  const timers = ports.timers;
  let known = factsNow(path);
  let cancelSoon: (() => void) | undefined;
  let soonAtMs = Number.POSITIVE_INFINITY;
  let cancelPoll: (() => void) | undefined;
  let looking: Promise<void> | undefined;
  let isClosed = false;
  /** When a change that was fresh is told again, by the monotonic clock. */
  let settledAtMs: number | undefined;

  const soon = (ms: number): void => {
    const atMs = ports.clock.monotonicMs() + ms;
    // What waits for a change to settle must not keep the next change waiting.
    if (isClosed || atMs >= soonAtMs) return;
    cancelSoon?.();
    soonAtMs = atMs;
    cancelSoon = timers.after(ms, () => {
      cancelSoon = undefined;
      soonAtMs = Number.POSITIVE_INFINITY;
      void check();
    });
  };
  const look = async (): Promise<void> => {
    await folders.follow(path);
    const facts = await stat(path, { bigint: true }).then(toFacts, () => undefined);
    if (isClosed) return;
    const isChange = !isSameFile(known, facts);
    known = facts;
    const nowMs = ports.clock.monotonicMs();
    // Looks for other reasons come in between; they are not the second telling.
    const isSettled = settledAtMs !== undefined && nowMs >= settledAtMs;
    if (isChange || isSettled) {
      const leftMs = isChange && facts !== undefined ? settlesInMs(facts, ports.clock) : 0;
      settledAtMs = leftMs > 0 ? nowMs + leftMs : undefined;
    }
    if (settledAtMs !== undefined) soon(settledAtMs - nowMs);
    if (isChange || isSettled) onChange(facts);
  };
  // One look at a time, and never the one under way for an event of now: it may have passed already what the event is about.
  const check = (): Promise<void> => {
    const next = (looking ?? Promise.resolve()).then(() => (isClosed ? undefined : look()));
    looking = next;
    return next;
  };
  const poll = (): void => {
    cancelPoll = timers.after(ports.pollMs ?? POLL_MS, () => {
      poll();
      void check();
    });
  };
  poll();
  void check();
  return {
    check,
    close: () => {
      isClosed = true;
      cancelSoon?.();
      cancelPoll?.();
      folders.close();
    },
  };
}

/** Events of the folder that holds the path, and of the one that holds what it leads to; those of other files are passed over. */
class FolderEvents {
  /** PERF: beside a log file that is written all the time, there would be a look every 10 ms. */
  #names: ReadonlySet<string> = new Set();
  readonly #watchers = new Map<string, { readonly key: string; readonly watcher: FSWatcher }>();
  readonly #onEvent: () => void;
  #isClosed = false;

  constructor(onEvent: () => void) {
    this.#onEvent = onEvent;
  }

  /** Watches the folders as they are now; one that went away or was replaced is watched anew. No event is worth a failure. */
  async follow(path: string): Promise<void> {
    const target = await realpath(path).catch(() => path);
    const wanted = new Set([dirname(path), dirname(target)]);
    // What is swapped in Kubernetes is `..data`; that a folder itself goes, is told with its own name.
    this.#names = new Set([
      basename(path),
      basename(target),
      "..data",
      ...[...wanted].map((folder) => basename(folder)),
    ]);
    for (const [folder, { watcher }] of this.#watchers) {
      if (wanted.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of wanted) await this.#watch(folder);
  }

  async #watch(folder: string): Promise<void> {
    const key = await stat(folder, { bigint: true }).then(
      ({ dev, ino }) => `${dev}:${ino}`,
      () => "",
    );
    const held = this.#watchers.get(folder);
    if (this.#isClosed || held?.key === key) return;
    held?.watcher.close();
    this.#watchers.delete(folder);
    if (key === "") return;
    try {
      const watcher = watch(folder, { persistent: false }, (_, name) => {
        if (name === null || this.#names.has(name)) this.#onEvent();
      });
      this.#watchers.set(folder, { key, watcher });
      // Without watches (a limit of the system, a network mount) the poll is what remains.
      watcher.on("error", () => watcher.close());
    } catch {
      // As above.
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const { watcher } of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }
}

/** Why a file could not be read whole; `changing` asks to try again, as somebody is writing it. */
export type ReadFileCode = "missing" | "not_a_file" | "too_large" | "changing" | "unreadable";

/** A file's bytes, and the state in which they were read. */
export interface ReadFile {
  readonly bytes: Buffer;
  readonly facts: FileFacts;
  /** Permissions and owner, as of `stat`. */
  readonly mode: number;
  readonly uid: number;
}

/** Reads a regular file of at most `maxBytes`, never waiting for a pipe's other end, and never more than the bound into memory. */
export async function readBounded(path: string, maxBytes: number): Promise<Result<ReadFile, ReadFileCode>> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const before = await file.stat({ bigint: true });
      if (!before.isFile()) return fail("not_a_file", "is no regular file");
      if (before.size > BigInt(maxBytes)) return fail("too_large", `has ${before.size} bytes: at most ${maxBytes}`);
      // One byte more than the file has: a file that grows meanwhile is noticed without reading on.
      const buffer = Buffer.allocUnsafe(Number(before.size) + 1);
      let length = 0;
      for (let read = -1; read !== 0 && length < buffer.length; length += read) {
        ({ bytesRead: read } = await file.read(buffer, length, buffer.length - length, length));
      }
      const facts = toFacts(await file.stat({ bigint: true }));
      if (BigInt(length) !== before.size || !isSameFile(toFacts(before), facts)) {
        return fail("changing", "was written while it was read");
      }
      const [mode, uid] = [Number(before.mode), Number(before.uid)];
      return ok({ bytes: buffer.subarray(0, length), facts, mode, uid });
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT" || code === "ENOTDIR"
      ? fail("missing", "is not there")
      : fail("unreadable", `cannot be read: ${code ?? (error as Error).message}`);
  }
}

/** Whether somebody may still be writing what `readBounded` has read; the watcher of the file will tell of it once more. */
export const isFresh = (facts: FileFacts, clock: Pick<Clock, "unixMs">): boolean =>
  Math.abs(ageMs(facts, clock)) < SETTLED_MS;

const ageMs = ({ mtimeNs }: FileFacts, clock: Pick<Clock, "unixMs">): number =>
  clock.unixMs() - Number(mtimeNs / 1_000_000n);

/** 0 when there is nothing to wait for. INVARIANT: after this time `isFresh` is false. */
function settlesInMs(facts: FileFacts, clock: Clock): number {
  const age = ageMs(facts, clock);
  if (age >= SETTLED_MS) return 0;
  return SETTLED_MS + (age < 0 && age > -MAX_AHEAD_MS ? -age : 0);
}

/** Whether both are one state of one file; nothing equals nothing. */
export function isSameFile(a: FileFacts | undefined, b: FileFacts | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.dev === b.dev && a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
}

/** The facts of a `stat` with `bigint`. */
export const toFacts = ({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): FileFacts => ({
  dev,
  ino,
  size,
  mtimeNs,
  ctimeNs,
});

/** In one go: between this and the watcher's first event no change can hide. */
function factsNow(path: string): FileFacts | undefined {
  try {
    const facts = statSync(path, { bigint: true, throwIfNoEntry: false });
    return facts === undefined ? undefined : toFacts(facts);
  } catch {
    return undefined;
  }
}
