// From what was named to a policy in force: read, compile if it is Rego, load into the engine, evaluate once.
// Everything that can be wrong is found here, before the policy decides anything: all problems are returned together.

import type { Clock } from "../base/clock.ts";
import type { ActivePolicy, StrictErrors } from "./active-policy.ts";
import { BudgetPressure } from "./budget-pressure.ts";
import { builtinNames, findBuiltin, nativeRequest } from "./builtins/index.ts";
import { sha256Hex } from "./bundle.ts";
import { type CompiledPolicy, type CompileError, compileRego, formatCompileErrors } from "./compiler/index.ts";
import { loadPolicy, type PolicyOptions } from "./evaluator.ts";
import { mentionsIdentity, openInputSchema, undefinedFields } from "./identity-fields.ts";
import {
  createNetworkBuiltins,
  NETWORK_BUILTIN_NAMES,
  type NetworkBuiltins,
  type NetworkOptions,
  type NetworkPorts,
  networkHint,
  networkNames,
  withNetworkHints,
} from "./network-builtins.ts";
import { PolicyError } from "./policy-error.ts";
import { PRINT_BUILTIN } from "./print-builtin.ts";
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
  /** Most steps of an evaluation, or `off`. Default 20,000,000. */
  readonly budgetSteps?: number | "off";
  /** Hears of the steps of each evaluation as it ends. */
  readonly onSteps?: (steps: number) => void;
  readonly maxMemoryBytes: number;
  readonly clock: Clock;
  /** What the policy may reach outside; nothing unless set. */
  readonly network?: NetworkOptions;
  /** Where its requests are told of. */
  readonly networkPorts?: NetworkPorts;
  /** As in PolicyOptions. */
  readonly maxWaiting?: number;
  /** Receives what the policy prints. Without it, the compiler erases `print`. */
  readonly onPrint?: (text: string) => void;
  /** Receives the notes of `trace`. */
  readonly onTrace?: (note: string) => void;
}

/** A policy ready to decide, or every reason why there is none (compile errors keep their lines and carets). */
export type LoadedPolicy =
  | { readonly ok: true; readonly policy: ActivePolicy; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Loads a policy. */
export async function loadActivePolicy(options: LoadOptions): Promise<LoadedPolicy> {
  const loaded = await loadProgram(options);
  return loaded.ok ? activate(loaded, options) : loaded;
}

/** The module and what it came from, or every reason why there is none. */
export type LoadedProgram =
  | {
      readonly ok: true;
      readonly wasm: Uint8Array;
      readonly source: PolicySource;
      readonly strictErrors: StrictErrors;
      /** Absent when the policy came compiled. */
      readonly compiled?: CompiledPolicy;
    }
  | { readonly ok: false; readonly problems: readonly string[] };

type Program = Extract<LoadedProgram, { readonly ok: true }>;

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
  const { strictBuiltinErrors } = options;
  const strictErrors = (guarded: boolean): StrictErrors => (strictBuiltinErrors ? (guarded ? "all" : "host") : "off");
  if (source.wasm !== undefined)
    return { ok: true, wasm: source.wasm, source, strictErrors: strictErrors(source.guarded) };
  const compiled = await compileSource(source, {
    entrypoints: [options.entrypoint],
    regoVersion: options.regoVersion,
    natives: strictBuiltinErrors ? "guarded" : "unguarded",
    network: networkNames(options.network),
    print: options.onPrint !== undefined,
  });
  if (!compiled.ok) return compiled;
  return {
    ok: true,
    wasm: compiled.compiled.wasm,
    source,
    strictErrors: strictErrors(true),
    compiled: compiled.compiled,
  };
}

/** What `compileSource` compiles for. */
export interface CompileSourceOptions {
  readonly entrypoints: readonly string[];
  readonly regoVersion: "v0" | "v1";
  readonly strict?: boolean;
  /**
   * What becomes of the builtins inside the module: `guarded`, their errors are heard of, as strict errors need it;
   * `unguarded`; or `plain`, byte for byte what `opa build` writes. All but `plain` replaces those that are wrong by ours.
   */
  readonly natives: "guarded" | "unguarded" | "plain";
  /** Those of the builtins that reach outside which the policy may call. Default: all, since a bundle may be for elsewhere. */
  readonly network?: readonly string[];
  /** Keep calls of `print` instead of erasing them. Default false. */
  readonly print?: boolean;
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
      builtins: [
        ...builtinNames,
        ...(options.network ?? NETWORK_BUILTIN_NAMES),
        ...(options.print === true ? [PRINT_BUILTIN] : []),
      ],
      ...(options.print === true && { print: true }),
      ...(options.natives !== "plain" && nativeRequest(options.natives === "guarded")),
      ...(options.strict === true && { strict: true }),
      ...(inputSchema !== undefined && { schemas: { "": inputSchema } }),
    });
  const failed = (errors: readonly CompileError[]) =>
    ({ ok: false, problems: [formatCompileErrors(withNetworkHints(errors), source.modules)] }) as const;
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
export const toPolicyOptions = (
  options: LoadOptions,
  data: string,
  network: NetworkBuiltins = createNetworkBuiltins(options.network ?? {}, options.networkPorts),
): PolicyOptions => ({
  data,
  clock: options.clock,
  engine: options.engine,
  strictBuiltinErrors: options.strictBuiltinErrors,
  maxMemoryBytes: options.maxMemoryBytes,
  ...(options.budgetSteps !== undefined && { budgetSteps: options.budgetSteps }),
  ...(options.onSteps && { onSteps: options.onSteps }),
  findBuiltin: (name) => network.find(name) ?? findBuiltin(name),
  ...(options.maxWaiting !== undefined && { maxWaiting: options.maxWaiting }),
  ...(options.onPrint && { onPrint: options.onPrint }),
  ...(options.onTrace && { onTrace: options.onTrace }),
});

function activate({ wasm, source, strictErrors }: Program, options: LoadOptions): LoadedPolicy {
  const data = toJson(source.data);
  const { entrypoint } = options;
  try {
    const network = createNetworkBuiltins(options.network ?? {}, { clock: options.clock, ...options.networkPorts });
    const pressure = new BudgetPressure(options.clock);
    const policy = loadPolicy(wasm, { ...toPolicyOptions(options, data, network), pressure });
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
        strictErrors,
        activatedUnixMs: options.clock.unixMs(),
        evaluate: (inputJson, signal) => policy.evaluateOrWait(inputJson, entrypoint, signal),
        close: () => network.close(),
      },
      warnings: source.warnings,
    };
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    const hints =
      error.code === "policy_missing_builtin"
        ? NETWORK_BUILTIN_NAMES.filter((name) => error.message.includes(`\`${name}\``)).map(networkHint)
        : [];
    return { ok: false, problems: [[`${error.code}: ${error.message}`, ...hints].join("; ")] };
  }
}
