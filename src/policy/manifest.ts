// The `.manifest` of a bundle: what we read of it, and what we write. SPEC: OPA's bundle format, `.manifest` file.

import { fail, ok, type Result } from "../base/result.ts";
import type { CompiledPolicy, PlanBinding } from "./compiler/index.ts";

/** What we read of a manifest. */
export interface Manifest {
  /** Empty when the manifest names none. */
  readonly revision: string;
  readonly regoVersion?: "v0" | "v1";
  /** Entrypoints that `policy.wasm` answers. */
  readonly entrypoints: readonly string[];
  /** Hashes that tie `plan.json` to the `policy.wasm` of the same compiler run; `metadata.svidgate`. */
  readonly binding?: PlanBinding;
  /** Whether the module of `binding` has guards behind its native builtins; `metadata.svidgate.strict_builtin_errors`. */
  readonly guarded: boolean;
}

/** Reads a manifest; unknown keys are OPA's business and left alone. */
export function parseManifest(text: string): Result<Manifest, "manifest_syntax"> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    return fail("manifest_syntax", `.manifest: not JSON: ${(error as Error).message}`);
  }
  if (!isRecord(document)) return fail("manifest_syntax", ".manifest: must be an object");
  const { revision = "", rego_version: version, wasm = [], metadata } = document;
  if (typeof revision !== "string") return fail("manifest_syntax", ".manifest: `revision` must be a string");
  if (version !== undefined && version !== 0 && version !== 1) {
    return fail("manifest_syntax", ".manifest: `rego_version` must be 0 or 1");
  }
  if (!Array.isArray(wasm)) return fail("manifest_syntax", ".manifest: `wasm` must be a list");
  const entrypoints: string[] = [];
  for (const row of wasm as readonly unknown[]) {
    if (!isRecord(row) || typeof row["entrypoint"] !== "string") {
      return fail("manifest_syntax", ".manifest: each row of `wasm` needs an `entrypoint`");
    }
    // SPEC: all entrypoints of a bundle share one module; another one would be policy that nobody evaluates.
    if (String(row["module"]).replace(/^\/+/, "") !== "policy.wasm") {
      return fail("manifest_syntax", `.manifest: module \`${String(row["module"])}\` is not /policy.wasm`);
    }
    entrypoints.push(row["entrypoint"]);
  }
  const binding = isRecord(metadata) && isRecord(metadata["svidgate"]) ? metadata["svidgate"] : undefined;
  return ok({
    revision,
    entrypoints,
    ...(version !== undefined && { regoVersion: version === 0 ? "v0" : "v1" }),
    ...(isBinding(binding) && { binding }),
    guarded: binding?.["strict_builtin_errors"] === true,
  });
}

/** The manifest's text for a compiled policy, with the binding of its plan, and whether its native builtins are guarded. */
export function toManifestText(compiled: CompiledPolicy, revision: string, guarded: boolean): string {
  const { binding, manifest } = compiled;
  const svidgate = { ...binding, strict_builtin_errors: guarded };
  return `${JSON.stringify({ ...manifest, revision, metadata: { svidgate } }, null, 2)}\n`;
}

/** The manifest's text for a bundle without a module: what stock OPA loads. */
export function toRegoManifestText(regoVersion: "v0" | "v1", revision: string): string {
  return `${JSON.stringify({ revision, roots: [""], rego_version: regoVersion === "v0" ? 0 : 1 }, null, 2)}\n`;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isBinding = (value: Record<string, unknown> | undefined): value is Record<string, unknown> & PlanBinding =>
  value !== undefined && ["wasm_sha256", "plan_sha256", "compiler"].every((key) => typeof value[key] === "string");
