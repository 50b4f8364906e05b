// The package as strangers get it: packed from this build, installed into an empty folder as production installs do.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { packageRoot } from "../../src/base/package-root.ts";

const run = promisify(execFile);
const BUILT = fileURLToPath(new URL("../../src", import.meta.url));

/** One file of the tarball. */
export interface PackedFile {
  readonly path: string;
  readonly size: number;
  readonly mode: number;
}

/** A tarball and where it was installed. */
export interface InstalledPackage {
  readonly files: readonly PackedFile[];
  readonly tarballBytes: number;
  /** Bytes of all packed files. */
  readonly unpackedBytes: number;
  /** The folder with `node_modules`; nothing else was in it before. */
  readonly folder: string;
  /** `node_modules/svidgate`. */
  readonly root: string;
  close(): Promise<void>;
}

/** Names of what `files` of package.json lists, plus what npm always packs. */
async function packedNames(): Promise<readonly string[]> {
  const manifest = JSON.parse(await readFile(join(packageRoot(), "package.json"), "utf8")) as { files: string[] };
  const listed = manifest.files.filter((name) => !name.startsWith("!") && name !== "dist/src");
  return ["package.json", "README.md", ...listed];
}

/** Packs and installs. Needs npm and its registry (or npm's cache). */
export async function installPackage(): Promise<InstalledPackage> {
  const outer = await mkdtemp(join(tmpdir(), "svidgate-package-"));
  const source = join(outer, "source");
  const folder = join(outer, "stranger");
  await mkdir(folder);
  // The running build takes the place of `dist/`, which may be older, or of another build.
  await cp(BUILT, join(source, "dist", "src"), { recursive: true });
  for (const name of (await packedNames()).filter((entry) => existsSync(join(packageRoot(), entry)))) {
    await mkdir(dirname(join(source, name)), { recursive: true });
    await cp(join(packageRoot(), name), join(source, name), { recursive: true });
  }
  const packed = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", outer], { cwd: source });
  const [tarball] = JSON.parse(packed.stdout) as [
    { filename: string; size: number; unpackedSize: number; files: PackedFile[] },
  ];
  await rm(source, { recursive: true });
  const flags = ["--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
  await run("npm", ["install", ...flags, join(outer, tarball.filename)], { cwd: folder });
  return {
    files: tarball.files,
    tarballBytes: tarball.size,
    unpackedBytes: tarball.unpackedSize,
    folder,
    root: join(folder, "node_modules", "svidgate"),
    close: () => rm(outer, { recursive: true, force: true }),
  };
}
