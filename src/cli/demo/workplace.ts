// Where the demo works: a private temporary folder, and everything that has to be undone at its end, in reverse order.
// Whatever way the demo ends, nothing of it stays behind.

import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const SETTLE_MS = 5_000;

/** A folder and a list of things to undo. */
export interface Workplace {
  /** Absolute path, mode 0700. */
  readonly folder: string;
  /** Path of a file in the folder. */
  file(name: string): string;
  /** Registers what undoes the last step; runs at once when the workplace is closed already. */
  onClose(undo: () => Promise<void> | void): void;
  /**
   * Undoes every step, the last one first, waits a little for `work` that was interrupted and may still be writing, and
   * removes the folder; gives what went wrong on the way.
   */
  close(work?: Promise<unknown>): Promise<readonly Error[]>;
}

/** Makes a workplace; `keep` leaves the folder behind at the end. */
export async function createWorkplace(prefix: string, keep: boolean): Promise<Workplace> {
  const folder = await mkdtemp(join(tmpdir(), prefix));
  const undos: (() => Promise<void> | void)[] = [];
  const problems: Error[] = [];
  // SECURITY: a fault that ends the process must not leave private keys behind.
  const onExit = (): void => rmSync(folder, { recursive: true, force: true });
  if (!keep) process.once("exit", onExit);
  let closing: Promise<readonly Error[]> | undefined;
  const attempt = async (undo: () => Promise<void> | void): Promise<void> => {
    try {
      await undo();
    } catch (error) {
      problems.push(error instanceof Error ? error : new Error(String(error)));
    }
  };
  const close = async (work: Promise<unknown>): Promise<readonly Error[]> => {
    for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) await attempt(undo);
    await settled(work);
    if (!keep) await attempt(() => rm(folder, { recursive: true, force: true }));
    process.off("exit", onExit);
    return problems;
  };
  return {
    folder,
    file: (name) => join(folder, name),
    onClose: (undo) => {
      // A step that was under way when the demo was interrupted: its result is undone as soon as it is there.
      if (closing === undefined) undos.push(undo);
      else void attempt(undo);
    },
    close: (work = Promise.resolve()) => {
      closing ??= close(work);
      return closing;
    },
  };
}

/** Waits until `work` has ended, well or not, but not for ever. */
async function settled(work: Promise<unknown>): Promise<void> {
  const waited = new AbortController();
  const timeout = delay(SETTLE_MS, undefined, { signal: waited.signal }).catch(() => undefined);
  await Promise.race([work.catch(() => undefined), timeout]);
  waited.abort();
}
