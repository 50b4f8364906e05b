// From what was named to a policy in force: read, compile if it is Rego, load into the engine, evaluate once.
// Everything that can be wrong is found here, before the policy decides anything: all problems are returned together.

import type { Clock } from "../base/clock.ts";
import type { ActivePolicy } from "./active-policy.ts";
import { builtinNames, findBuiltin } from "./builtins/index.ts";
import { sha256Hex } from "./bundle.ts";
import { type CompiledPolicy, type CompileError, compileRego, formatCompileErrors } from "./compiler/index.ts";
import { loadPolicy, type PolicyOptions } from "./evaluator.ts";
import { mentionsIdentity, openInputSchema, undefinedFields } from "./identity-fields.ts";
import { PolicyError } from "./policy-error.ts";
import { type PolicySource, readPolicySource } from "./source.ts";
import { toJson } from "./value.ts";

/** What to load and how to run it. */
export interface LoadOptions {
  readonly paths: readonly string[];
  readonly dataFiles: readonly string[];
  /** Used where a bundle's manifest does not say. */
  readonly regoVersion: "v0" | "v1";
  readonly entrypoint: string;
  readonly engine: "native" | "opa-wasm";
  readonly strictBuiltinErrors: boolean;
  readonly maxMemoryBytes: number;
  readonly clock: Clock;
  /** Receives what the policy prints. */
  readonly onPrint?: (text: string) => void;
}

/** A policy ready to decide, or every reason why there is none (compile errors keep their lines and carets). */
export type LoadedPolicy =
  | { readonly ok: true; readonly policy: ActivePolicy; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Loads a policy. */
export async function loadActivePolicy(options: LoadOptions): Promise<LoadedPolicy> {
  const loaded = await loadProgram(options);
  return loaded.ok ? activate(loaded.wasm, loaded.source, options) : loaded;
}

/** The module and what it came from, or every reason why there is none. */
export type LoadedProgram =
  | {
      readonly ok: true;
      readonly wasm: Uint8Array;
      readonly source: PolicySource;
      /** Absent when the policy came compiled. */
      readonly compiled?: CompiledPolicy;
    }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Reads what was named, and compiles it if it is Rego, as every command that decides does. */
export async function loadProgram(options: LoadOptions): Promise<LoadedProgram> {
  if (options.paths.length === 0) {
    return {
      ok: false,
      problems: ["no policy: name one with --policy PATH (a .rego file, a folder, a bundle or a .wasm)"],
    };
  }
  const read = await readPolicySource(options.paths, options.dataFiles);
  if (!read.ok) return read;
  const { source } = read;
  if (source.wasm !== undefined) return { ok: true, wasm: source.wasm, source };
  const compiled = await compileSource(source, {
    entrypoints: [options.entrypoint],
    regoVersion: options.regoVersion,
  });
  if (!compiled.ok) return compiled;
  return { ok: true, wasm: compiled.compiled.wasm, source, compiled: compiled.compiled };
}

/** What `compileSource` compiles for. */
export interface CompileSourceOptions {
  readonly entrypoints: readonly string[];
  readonly regoVersion: "v0" | "v1";
  readonly strict?: boolean;
  /** JSON Schema of the input: what it does not have is then a compile error. */
  readonly inputSchema?: unknown;
  /** JSON Schema of `input.identity` alone: what that does not have is then a compile error; the rest of the input is free. */
  readonly identitySchema?: unknown;
}

/** Compiles the Rego modules of a source against the builtins that svidgate has. */
export async function compileSource(
  source: PolicySource,
  options: CompileSourceOptions,
): Promise<
  | { readonly ok: true; readonly compiled: CompiledPolicy }
  | { readonly ok: false; readonly problems: readonly string[] }
> {
  if (source.modules.length === 0) return { ok: false, problems: ["no .rego file was found in what --policy names"] };
  const compile = (inputSchema: unknown) =>
    compileRego({
      files: source.modules,
      entrypoints: options.entrypoints,
      regoVersion: source.regoVersion ?? options.regoVersion,
      builtins: builtinNames,
      ...(options.strict === true && { strict: true }),
      ...(inputSchema !== undefined && { schemas: { "": inputSchema } }),
    });
  const failed = (errors: readonly CompileError[]) =>
    ({ ok: false, problems: [formatCompileErrors(errors, source.modules)] }) as const;
  if (options.identitySchema === undefined || !mentionsIdentity(source.modules)) {
    const result = await compile(options.inputSchema);
    return result.ok ? { ok: true, compiled: result.value } : failed(result.errors);
  }
  const checked = await compile(openInputSchema(source.modules, options.identitySchema));
  if (checked.ok) return { ok: true, compiled: checked.value };
  // What else a schema finds is no fault of a policy that asked for none, and what is wrong without one is told first.
  const result = await compile(undefined);
  if (!result.ok) return failed(result.errors);
  const wrong = undefinedFields(checked.errors, source.modules);
  return wrong.length > 0 ? failed(wrong) : { ok: true, compiled: result.value };
}

/** How a policy that decides is evaluated, over this data document (JSON text). */
export const toPolicyOptions = (options: LoadOptions, data: string): PolicyOptions => ({
  data,
  clock: options.clock,
  engine: options.engine,
  strictBuiltinErrors: options.strictBuiltinErrors,
  maxMemoryBytes: options.maxMemoryBytes,
  findBuiltin,
  ...(options.onPrint && { onPrint: options.onPrint }),
});

function activate(wasm: Uint8Array, source: PolicySource, options: LoadOptions): LoadedPolicy {
  const data = toJson(source.data);
  const { entrypoint } = options;
  try {
    const policy = loadPolicy(wasm, toPolicyOptions(options, data));
    if (!policy.entrypoints.includes(entrypoint)) {
      const known = policy.entrypoints.join(", ");
      return {
        ok: false,
        problems: [`the policy has no entrypoint \`${entrypoint}\`: name one of ${known} with --entrypoint`],
      };
    }
    const wasmSha256 = sha256Hex(wasm);
    return {
      ok: true,
      policy: {
        revision: source.revision || `sha256:${sha256Hex(wasmSha256 + data).slice(0, 12)}`,
        entrypoint,
        wasmSha256,
        activatedUnixMs: options.clock.unixMs(),
        evaluate: (inputJson, signal) => policy.evaluateOrWait(inputJson, entrypoint, signal),
        close: () => undefined,
      },
      warnings: source.warnings,
    };
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return { ok: false, problems: [`${error.code}: ${error.message}`] };
  }
}
