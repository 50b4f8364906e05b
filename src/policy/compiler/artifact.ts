// The shipped WASM artifacts: compiler/rego.wasm.br, go-builtins/builtins.wasm.br, each with its checksums beside it. What
// does not match is never run. Does not compile Rego and keeps nothing in memory.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { packageRoot } from "../../base/package-root.ts";

/** `checksums.json`, as compiler/build.sh and go-builtins/build.sh write it. */
export interface CompilerChecksums {
  readonly go: string;
  readonly opa: string;
  readonly wasm: { readonly bytes: number; readonly sha256: string };
  readonly brotli: { readonly bytes: number; readonly sha256: string };
}

/** An artifact: its file, and what it is to people. */
export interface Artifact {
  readonly file: string;
  readonly what: string;
}

const COMPILER: Artifact = { file: "rego.wasm.br", what: "the compiler" };

/** The folder of the compiler that svidgate ships. */
export function shippedFolder(): string {
  return join(packageRoot(), "compiler");
}

/** The name of the compiler that svidgate ships, for people. Throws when the installation is incomplete. */
export function shippedCompiler(): string {
  return compilerName(loadChecksums(shippedFolder()));
}

/** Reads `checksums.json` of `folder`. Throws when it is missing or not of that shape. */
export function loadChecksums(folder: string): CompilerChecksums {
  const path = join(folder, "checksums.json");
  const checksums = JSON.parse(readFileSync(path, "utf8")) as CompilerChecksums;
  const hashes = [checksums.wasm?.sha256, checksums.brotli?.sha256];
  if (!hashes.every((hash) => /^[0-9a-f]{64}$/.test(hash)) || !Number.isSafeInteger(checksums.wasm.bytes)) {
    throw new Error(`\`${path}\` has no checksums: install svidgate again`);
  }
  return checksums;
}

/** The name that bundles record for the compiler that made them, for example `opa v1.22.2 bfdeec8ddf58`. */
export function compilerName(checksums: CompilerChecksums): string {
  return `opa ${checksums.opa} ${checksums.wasm.sha256.slice(0, 12)}`;
}

/**
 * The unpacked artifact of `folder`, by default the compiler. Throws when the file is missing or is not the one that the checksums name.
 * SECURITY: the packed bytes are compared before they are unpacked, and unpacking stops at the recorded size.
 */
export function loadArtifact(folder: string, { file, what }: Artifact = COMPILER): Uint8Array {
  const checksums = loadChecksums(folder);
  const path = join(folder, file);
  const packed = readFileSync(path);
  const sha256 = createHash("sha256").update(packed).digest("hex");
  if (sha256 !== checksums.brotli.sha256) {
    throw new Error(
      `\`${path}\` is not ${what} that checksums.json names: sha256 ${sha256}, expected ${checksums.brotli.sha256}: install svidgate again`,
    );
  }
  return brotliDecompressSync(packed, { maxOutputLength: checksums.wasm.bytes });
}
