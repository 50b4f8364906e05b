// Finds the folder that holds OPA's sources: one that is named, or that of the Go module in the version of compiler/go.mod.
// Of Go, only its module download is used; nothing of OPA's is built or run.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../src/base/package-root.ts";

/** Where the cases are below OPA's folder. */
export const CASE_FOLDERS = {
  v1: "v1/test/cases/testdata/v1",
  v0: "v1/test/cases/testdata/v0",
  assets: "v1/test/wasm/assets",
} as const;

/** OPA's sources: `named`, or else the module of Go's cache, downloaded when it is not there. Throws Error with what to do. */
export function findOpaSource(named: string | undefined): string {
  const folder = named ?? downloadModule();
  for (const path of [...Object.values(CASE_FOLDERS), "capabilities.json"]) {
    if (!existsSync(join(folder, path)))
      throw new Error(`\`${folder}\` has no \`${path}\`: name a folder with OPA's sources ${opaVersion()}`);
  }
  return folder;
}

/** The names of all builtins of that OPA. */
export function opaBuiltinNames(folder: string): readonly string[] {
  const capabilities = JSON.parse(readFileSync(join(folder, "capabilities.json"), "utf8")) as {
    readonly builtins: readonly { readonly name: string }[];
  };
  return capabilities.builtins.map(({ name }) => name);
}

/** The version that our compiler is made of, such as `v1.22.2`. */
export function opaVersion(): string {
  const goMod = readFileSync(join(packageRoot(), "compiler", "go.mod"), "utf8");
  const [, version] = /github\.com\/open-policy-agent\/opa (v[\d.]+)/.exec(goMod) ?? [];
  if (version === undefined) throw new Error("`compiler/go.mod` names no version of OPA");
  return version;
}

function downloadModule(): string {
  const module = `github.com/open-policy-agent/opa@${opaVersion()}`;
  const otherwise = `or unpack OPA's sources ${opaVersion()} and name their folder (OPA_CASES=FOLDER, or as argument)`;
  const go = spawnSync("go", ["mod", "download", "-json", module], { encoding: "utf8" });
  if (go.error !== undefined) throw new Error(`no \`go\` to fetch OPA's cases with: install Go, ${otherwise}`);
  const { Dir, Error: reason } = parseAnswer(go.stdout);
  if (go.status === 0 && Dir !== undefined) return Dir;
  throw new Error(
    `\`go mod download ${module}\` failed: ${reason ?? go.stderr.trim()}: reach a Go proxy, ${otherwise}`,
  );
}

function parseAnswer(text: string): { readonly Dir?: string; readonly Error?: string } {
  try {
    return JSON.parse(text) as { readonly Dir?: string; readonly Error?: string };
  } catch {
    return {};
  }
}
