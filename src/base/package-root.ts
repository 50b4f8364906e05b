// Finds svidgate's own folder, so that shipped files (protos, compiler, policies) are found from a checkout,
// from `dist/` and from an installed package alike.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

let root: string | undefined;

/** Absolute path of the folder that holds svidgate's `package.json`. Throws when the installation is incomplete. */
export function packageRoot(): string {
  if (root !== undefined) return root;
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest) && (JSON.parse(readFileSync(manifest, "utf8")) as { name?: string }).name === "svidgate") {
      root = folder;
      return folder;
    }
    if (dirname(folder) === folder)
      throw new Error("svidgate's package.json was not found: the installation is incomplete");
  }
}

/** The version in `package.json`. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as { version: string }).version;
}
