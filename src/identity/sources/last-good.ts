// Keeps the last good text of a watched file in `svidgate.state_dir`, so that a restart finds it when the file itself is gone or
// broken. Written aside and renamed, readable by the owner alone; a crash leaves the old text or the new one, never half of one.

import { mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { readBounded } from "./watched-file.ts";

/** A text that outlives the process. */
export interface LastGood {
  /** Undefined when none is there or it cannot be read. */
  load(maxBytes: number): Promise<Buffer | undefined>;
  /** Rejects when it cannot be written; the old text is then still there. */
  save(bytes: Uint8Array): Promise<void>;
}

/** The text is the file `<name>.last-good` in the folder, which is made when it is missing. */
export function openLastGood(stateDir: string, name: string): LastGood {
  const path = join(stateDir, `${name}.last-good`);
  return {
    load: async (maxBytes) => {
      const read = await readBounded(path, maxBytes);
      return read.ok ? read.value.bytes : undefined;
    },
    save: async (bytes) => {
      await mkdir(stateDir, { recursive: true, mode: 0o700 });
      const aside = `${path}.${process.pid}`;
      await rm(aside, { force: true });
      const file = await open(aside, "wx", 0o600);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(aside, path);
    },
  };
}
