// Runs something again whenever files change. Looks at times and sizes instead of asking the system for events: that
// works the same for links that are swapped, mounted folders, and editors that write a file anew.

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** How the watcher sees and waits; tests bring their own. */
export interface WatchPorts {
  /** What the files look like: two equal texts mean no change. */
  snapshot(): Promise<string>;
  /** Waits a little; false ends the watch. */
  wait(): Promise<boolean>;
}

/** Calls `run` at once, and after each change when nothing has changed for one wait; ends when `wait` says so. */
export async function watchFiles(ports: WatchPorts, run: () => Promise<void>): Promise<void> {
  for (;;) {
    let seen = await ports.snapshot();
    await run();
    let changed = false;
    for (;;) {
      if (!(await ports.wait())) return;
      const now = await ports.snapshot();
      // A save of many files is many changes: run when they are over.
      if (now === seen && changed) break;
      changed ||= now !== seen;
      seen = now;
    }
  }
}

const MAX_DEPTH = 64;

/** Names, sizes and times of all files below the paths; a path that is not there is a state like any other. */
export async function takeSnapshot(paths: readonly string[]): Promise<string> {
  const lines: string[] = [];
  const visit = async (path: string, depth: number): Promise<void> => {
    const facts = await stat(path).catch(() => undefined);
    if (facts === undefined) lines.push(`${path} is not there`);
    else if (!facts.isDirectory()) lines.push(`${path} ${facts.size} ${facts.mtimeMs} ${facts.ino}`);
    else if (depth < MAX_DEPTH) {
      const names = await readdir(path).catch(() => []);
      for (const name of names.sort()) if (!name.startsWith(".")) await visit(join(path, name), depth + 1);
    }
  };
  for (const path of paths) await visit(path, 0);
  return lines.join("\n");
}
