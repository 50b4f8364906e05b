// OPA bundles in memory: `.manifest`, data documents, Rego sources, `policy.wasm`, and our `/plan.json`.
// SPEC: https://www.openpolicyagent.org/docs/management-bundles. Names in OPA's archives begin with `/`.
// Signatures and delta bundles are not read here: a bundle that has them is refused rather than half believed.

import { createHash } from "node:crypto";
import { fail, ok, type Result } from "../base/result.ts";
import { type ArchiveFile, readTarGzip, writeTarGzip } from "../base/tar.ts";
import { EMPTY_DATA, mergeData, parseDataDocument } from "./data-document.ts";
import { type Manifest, parseManifest } from "./manifest.ts";
import { type RegoObject, toJson } from "./value.ts";

/** Largest unpacked bundle, bytes. */
export const MAX_BUNDLE_BYTES = 512 * 1024 ** 2;

/** A Rego source and the name it has in errors. */
export interface RegoModule {
  readonly path: string;
  readonly text: string;
}

/** What a bundle holds. */
export interface Bundle {
  readonly manifest: Manifest;
  readonly data: RegoObject;
  readonly modules: readonly RegoModule[];
  readonly wasm?: Uint8Array;
  /** OPA's plan, only when the manifest binds it to this very `wasm`. */
  readonly plan?: string;
  /** Whether the manifest says of this very `wasm` that its native builtins are guarded. */
  readonly guarded: boolean;
  /** Sentences for the log, such as a plan that was ignored. */
  readonly warnings: readonly string[];
}

/** Why a bundle was refused. */
export type BundleCode = "bundle_archive" | "bundle_name" | "bundle_manifest" | "bundle_data" | "bundle_unsupported";

/** SHA-256 in hex. */
export const sha256Hex = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");

/** Reads a `.tar.gz` that `svidgate build` or `opa build` wrote. */
export async function readBundle(archive: Uint8Array): Promise<Result<Bundle, BundleCode>> {
  const read = await readTarGzip(archive, MAX_BUNDLE_BYTES);
  if (!read.ok) return fail("bundle_archive", read.detail);
  const files = new Map<string, Uint8Array>();
  for (const { name, bytes } of read.value) {
    const path = name.replace(/^(\.?\/)+/, "");
    // SECURITY: of two files with one name, readers may differ on which one counts.
    if (path.split("/").includes("..") || files.has(path)) {
      return fail("bundle_name", `\`${name}\`: a name with \`..\` or a second file of that name`);
    }
    files.set(path, bytes);
  }
  return toBundle(files);
}

function toBundle(files: ReadonlyMap<string, Uint8Array>): Result<Bundle, BundleCode> {
  for (const unsupported of [".signatures.json", "patch.json"]) {
    if (files.has(unsupported)) return fail("bundle_unsupported", `\`${unsupported}\` is not supported yet`);
  }
  const manifestText = files.get(".manifest");
  const manifest = parseManifest(manifestText === undefined ? "{}" : Buffer.from(manifestText).toString("utf8"));
  if (!manifest.ok) return fail("bundle_manifest", manifest.detail);
  let data = EMPTY_DATA;
  const modules: RegoModule[] = [];
  for (const [path, bytes] of files) {
    const text = (): string => Buffer.from(bytes).toString("utf8");
    const folder = path.split("/").slice(0, -1);
    const file = path.slice(path.lastIndexOf("/") + 1);
    if (file.endsWith(".rego")) modules.push({ path, text: text() });
    if (!["data.json", "data.yaml", "data.yml"].includes(file)) continue;
    const document = parseDataDocument(path, text());
    if (!document.ok) return fail("bundle_data", document.detail);
    const merged = mergeData(data, folder, document.value, path);
    if (!merged.ok) return fail("bundle_data", merged.detail);
    data = merged.value;
  }
  const wasm = files.get("policy.wasm");
  const plan = boundPlan(manifest.value, wasm, files.get("plan.json"));
  return ok({
    manifest: manifest.value,
    data,
    modules,
    ...(wasm && { wasm }),
    ...(plan.text !== undefined && { plan: plan.text }),
    guarded: manifest.value.guarded && wasm !== undefined && manifest.value.binding?.wasm_sha256 === sha256Hex(wasm),
    warnings: plan.warning === undefined ? [] : [plan.warning],
  });
}

/** INVARIANT: a plan is believed only when the manifest holds the hashes of it and of the WASM beside it. */
function boundPlan(
  manifest: Manifest,
  wasm: Uint8Array | undefined,
  plan: Uint8Array | undefined,
): { readonly text?: string; readonly warning?: string } {
  if (wasm === undefined || plan === undefined) return {};
  const binding = manifest.binding;
  if (binding === undefined) return { warning: "plan.json is ignored: the manifest does not bind it to policy.wasm" };
  if (binding.wasm_sha256 !== sha256Hex(wasm) || binding.plan_sha256 !== sha256Hex(plan)) {
    return { warning: "plan.json is ignored: the hashes in the manifest are of other files" };
  }
  return { text: Buffer.from(plan).toString("utf8") };
}

/** What `svidgate build` puts into a bundle. */
export interface BundleContents {
  /** The manifest's JSON text. */
  readonly manifest: string;
  readonly data: RegoObject;
  readonly modules: readonly RegoModule[];
  readonly wasm?: Uint8Array;
  readonly plan?: string;
}

/** Writes a bundle; the same contents give the same bytes. */
export function writeBundle(contents: BundleContents): Promise<Uint8Array> {
  const file = (name: string, bytes: Uint8Array | string): ArchiveFile => ({
    name: `/${name}`,
    bytes: typeof bytes === "string" ? Buffer.from(bytes) : bytes,
  });
  return writeTarGzip([
    file("data.json", toJson(contents.data)),
    ...contents.modules.map(({ path, text }) => file(path.replace(/^(\.{0,2}\/)+/, ""), text)),
    ...(contents.wasm === undefined ? [] : [file("policy.wasm", contents.wasm)]),
    ...(contents.plan === undefined ? [] : [file("plan.json", contents.plan)]),
    file(".manifest", contents.manifest),
  ]);
}
