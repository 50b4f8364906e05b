// Keeps the last good text of a source in `svidgate.state_dir`, so that a restart finds it when the source itself is gone, broken or
// silent. Written aside and renamed, readable by the owner alone; a crash leaves the old text or the new one, never half of one.

import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { fail, ok, type Result } from "../../base/result.ts";
import { type ReadFileCode, readBounded } from "./watched-file.ts";

/** A text that outlives the process. */
export interface LastGood {
  readonly path: string;
  /** The text if nobody but its owner and group can have written it; the detail says why not, for people. */
  load(maxBytes: number): Promise<Result<Buffer, ReadFileCode | "exposed">>;
  /** Rejects when it cannot be written; the old text is then still there. One after the other for one path. */
  save(bytes: Uint8Array): Promise<void>;
}

const WRITABLE_BY_ALL = 0o002;
const ASIDE = /^[0-9a-f]{1,16}$/;
/** No write takes this long. */
const LEFTOVER_MS = 600_000;
/** Writes under way, by path: a source that ends and the one that follows it may share a file for a moment. */
const writing = new Map<string, Promise<void>>();

/** The text is the file `<name>.last-good` in the folder, which is made when it is missing. */
export function openLastGood(stateDir: string, name: string): LastGood {
  const path = join(stateDir, `${name}.last-good`);
  return {
    path,
    load: async (maxBytes) => {
      const read = await readBounded(path, maxBytes);
      if (!read.ok) return read;
      const { bytes, mode, uid } = read.value;
      // A group that may write is what Kubernetes makes of a volume with `fsGroup`.
      if ((mode & WRITABLE_BY_ALL) !== 0) return fail("exposed", "everybody may write it");
      return isOwner(uid) ? ok(bytes) : fail("exposed", `it belongs to another user (${uid})`);
    },
    save: (bytes) => {
      const write = (): Promise<void> => writeAside(stateDir, path, bytes);
      const done = (writing.get(path) ?? Promise.resolve()).then(write, write);
      writing.set(path, done);
      const forget = (): void => {
        if (writing.get(path) === done) writing.delete(path);
      };
      done.then(forget, forget);
      return done;
    },
  };
}

/** Root can write everywhere anyhow. */
const isOwner = (uid: number): boolean => uid === 0 || uid === (process.getuid?.() ?? uid);

async function writeAside(stateDir: string, path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  await removeLeftovers(stateDir, path);
  // Not the process's id: in containers that share a folder, each of them is 1.
  const aside = `${path}.${randomBytes(8).toString("hex")}`;
  try {
    const file = await open(aside, "wx", 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
}

/** What crashes left behind; what is younger, another process may be writing. */
async function removeLeftovers(stateDir: string, path: string): Promise<void> {
  const start = `${basename(path)}.`;
  for (const name of await readdir(stateDir)) {
    if (!name.startsWith(start) || !ASIDE.test(name.slice(start.length))) continue;
    const leftover = join(stateDir, name);
    const ageMs = await stat(leftover).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    if (ageMs > LEFTOVER_MS) await rm(leftover, { force: true });
  }
}
