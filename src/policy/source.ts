// Reads what `--policy` and `--data` name: Rego files, folders, bundles, a bare policy.wasm; JSON and YAML data.
// A folder is read as `opa build` reads it: every document merges at the path of its folder. Left out are
// `*_test.rego` (unless tests are asked for) and whatever begins with a dot.

import { constants } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Bundle, MAX_BUNDLE_BYTES, type RegoModule, readBundle } from "./bundle.ts";
import { EMPTY_DATA, mergeData, parseDataDocument } from "./data-document.ts";
import type { RegoObject } from "./value.ts";

/** Everything that was named, read and merged; not yet compiled. */
export interface PolicySource {
  readonly modules: readonly RegoModule[];
  readonly data: RegoObject;
  /** A finished module, from a bundle or a bare `policy.wasm`; then `modules` are not compiled. */
  readonly wasm?: Uint8Array;
  readonly plan?: string;
  /** Whether the builtins inside `wasm` are guarded, so that their errors are heard of. */
  readonly guarded: boolean;
  readonly revision: string;
  readonly regoVersion?: "v0" | "v1";
  readonly warnings: readonly string[];
}

/** A source, or every problem that was found, one sentence each. */
export type ReadSource =
  | { readonly ok: true; readonly source: PolicySource }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Deepest folder that is followed; a link to a folder above ends here and not in endless reading. */
const MAX_FOLDER_DEPTH = 64;

/**
 * Reads all paths. Rego sources keep their path as given, so that errors name the file that the author knows.
 * With `tests`, folders are read with their `*_test.rego`.
 */
export async function readPolicySource(
  paths: readonly string[],
  dataFiles: readonly string[],
  options: { readonly tests?: boolean } = {},
): Promise<ReadSource> {
  const reader = new SourceReader(options.tests === true);
  for (const path of paths) await reader.policy(path);
  for (const file of dataFiles) await reader.dataFile(file, []);
  return reader.finish();
}

class SourceReader {
  readonly #withTests: boolean;
  readonly #modules: RegoModule[] = [];
  readonly #wasm: { readonly path: string; readonly bytes: Uint8Array; readonly bundle?: Bundle }[] = [];
  readonly #bundles: Bundle[] = [];
  readonly #problems: string[] = [];
  #data: RegoObject = EMPTY_DATA;

  constructor(withTests: boolean) {
    this.#withTests = withTests;
  }

  async policy(path: string): Promise<void> {
    const kind = await stat(path).catch((error: NodeJS.ErrnoException) => error);
    if (kind instanceof Error) this.#problems.push(`${path}: ${describe(kind)}`);
    else if (kind.isDirectory()) await this.#folder(path, []);
    else if (path.endsWith(".rego")) await this.#module(path);
    else if (path.endsWith(".wasm")) await this.#read(path, (bytes) => void this.#wasm.push({ path, bytes }));
    else if (/\.(tar\.gz|tgz)$/.test(path)) await this.#bundle(path);
    else
      this.#problems.push(`${path}: not a policy: expected a .rego file, a folder, a bundle .tar.gz or a .wasm file`);
  }

  async dataFile(file: string, at: readonly string[]): Promise<void> {
    await this.#read(file, (bytes) => {
      const document = parseDataDocument(file, Buffer.from(bytes).toString("utf8"));
      const merged = document.ok ? mergeData(this.#data, at, document.value, file) : document;
      if (merged.ok) this.#data = merged.value;
      else this.#problems.push(merged.detail ?? `${file}: ${merged.code}`);
    });
  }

  finish(): ReadSource {
    if (this.#wasm.length > 1) {
      this.#problems.push(`${this.#wasm.map(({ path }) => path).join(", ")}: more than one policy.wasm: give one`);
    }
    const [first] = this.#wasm;
    if (first !== undefined && this.#modules.length > 0) {
      this.#problems.push(
        `${first.path}: a compiled policy cannot be combined with Rego sources: give one or the other`,
      );
    }
    if (this.#problems.length > 0) return { ok: false, problems: this.#problems };
    const bundle = this.#bundles[0];
    return {
      ok: true,
      source: {
        modules: this.#modules,
        data: this.#data,
        revision: this.#bundles
          .map(({ manifest }) => manifest.revision)
          .filter(Boolean)
          .join("+"),
        warnings: this.#bundles.flatMap(({ warnings }) => warnings),
        ...(first && { wasm: first.bytes }),
        guarded: first?.bundle?.guarded === true,
        ...(first?.bundle?.plan !== undefined && { plan: first.bundle.plan }),
        ...(bundle?.manifest.regoVersion !== undefined && { regoVersion: bundle.manifest.regoVersion }),
      },
    };
  }

  async #folder(folder: string, at: readonly string[]): Promise<void> {
    if (at.length > MAX_FOLDER_DEPTH) {
      this.#problems.push(
        `${folder}: folders nest deeper than ${MAX_FOLDER_DEPTH}: is there a link to a folder above?`,
      );
      return;
    }
    const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => error);
    if (names instanceof Error) return void this.#problems.push(`${folder}: ${describe(names)}`);
    for (const name of names.sort()) {
      const path = join(folder, name);
      if (name.startsWith(".")) continue;
      const kind = await stat(path).catch((error: NodeJS.ErrnoException) => error);
      if (kind instanceof Error) this.#problems.push(`${path}: ${describe(kind)}`);
      else if (kind.isDirectory()) await this.#folder(path, [...at, name]);
      else if (name.endsWith(".rego") && (this.#withTests || !name.endsWith("_test.rego"))) await this.#module(path);
      else if (/\.(json|ya?ml)$/.test(name)) await this.dataFile(path, at);
    }
  }

  async #module(path: string): Promise<void> {
    await this.#read(path, (bytes) => void this.#modules.push({ path, text: Buffer.from(bytes).toString("utf8") }));
  }

  async #bundle(path: string): Promise<void> {
    const read = await readRegularFile(path).catch((error: NodeJS.ErrnoException) => error);
    if (read instanceof Error) return void this.#problems.push(`${path}: ${describe(read)}`);
    const bundle = await readBundle(read);
    if (!bundle.ok) return void this.#problems.push(`${path}: ${bundle.detail ?? bundle.code}`);
    this.#bundles.push(bundle.value);
    const merged = mergeData(this.#data, [], bundle.value.data, path);
    if (merged.ok) this.#data = merged.value;
    else this.#problems.push(merged.detail ?? `${path}: ${merged.code}`);
    // SPEC: `opa build -t wasm` takes the entrypoint's rules out of the sources beside the WASM: they are not the policy.
    if (bundle.value.wasm !== undefined) this.#wasm.push({ path, bytes: bundle.value.wasm, bundle: bundle.value });
    else this.#modules.push(...bundle.value.modules);
  }

  async #read(path: string, use: (bytes: Uint8Array) => void): Promise<void> {
    const read = await readRegularFile(path).catch((error: NodeJS.ErrnoException) => error);
    if (read instanceof Error) this.#problems.push(`${path}: ${describe(read)}`);
    else use(read);
  }
}

/** Largest file that is read, bytes; an unpacked bundle may not be larger either. */
const MAX_FILE_BYTES = MAX_BUNDLE_BYTES;

/**
 * SECURITY: a FIFO blocks whoever opens it and a device has no end: either would stop every later reload. O_NONBLOCK lets
 * the open return; what was opened is then looked at, so that nobody can swap it in between.
 */
async function readRegularFile(path: string): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    if (found.isDirectory()) throw Object.assign(new Error("is a folder"), { code: "EISDIR" });
    if (!found.isFile()) throw new Error("not a regular file");
    if (found.size > MAX_FILE_BYTES) throw new Error(`larger than ${MAX_FILE_BYTES} bytes`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EACCES: "permission denied",
  EISDIR: "is a folder",
};

const describe = (error: NodeJS.ErrnoException): string => REASONS[error.code ?? ""] ?? error.message;
