// `svidgate build`: Rego sources → a bundle that `serve` starts from in milliseconds and that OPA's tools can read; or,
// with `--target rego`, one that stock OPA loads: it refuses bundles that hold a module.

import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { packageRoot } from "../base/package-root.ts";
import { writeBundle } from "../policy/bundle.ts";
import type { CompiledPolicy } from "../policy/compiler/index.ts";
import { type CompileSourceOptions, compileSource } from "../policy/load.ts";
import { toManifestText, toRegoManifestText } from "../policy/manifest.ts";
import { networkBuiltinsIn, networkHint } from "../policy/network-builtins.ts";
import { type PolicySource, readPolicySource } from "../policy/source.ts";
import type { ParsedArguments } from "./arguments.ts";
import { type Command, EXIT, reportProblems } from "./command.ts";
import { readSettings } from "./settings.ts";

/** The command. */
export const build: Command = {
  name: "build",
  summary: "compile Rego policies into a bundle",
  usage: "--policy PATH [--policy PATH …] [--output FILE]",
  examples: [
    "svidgate build --policy policies/service-allow-list --output bundle.tar.gz",
    "svidgate build --policy policies/service-allow-list --entrypoint envoy/authz/allow --revision 2026-11-21.1",
    "svidgate build --policy policies/service-allow-list --check --strict",
    "svidgate build --policy policies/service-allow-list --target rego --output opa-bundle.tar.gz",
  ],
  configFlags: ["policy", "data", "rego-version", "entrypoint"],
  flags: [
    { flag: "output", placeholder: "FILE", doc: "the bundle to write (default bundle.tar.gz)" },
    { flag: "revision", placeholder: "TEXT", doc: "the revision that decisions are recorded under" },
    { flag: "check", doc: "compile only, write nothing" },
    {
      flag: "strict",
      doc: "refuse unused imports and variables, deprecated builtins, and fields that the input does not have",
    },
    {
      flag: "input-schema",
      placeholder: "FILE",
      doc: "JSON Schema of the input, for --strict (default: that of Envoy's requests, docs/input.schema.json)",
    },
    {
      flag: "portable",
      doc: "byte for byte the module of `opa build`, which other hosts of OPA's WASM run too: strict errors of the builtins inside it are then not heard of",
    },
    { flag: "target", placeholder: "TARGET", doc: "wasm (default), or rego: a bundle that stock OPA loads" },
    { flag: "also", placeholder: "PATH", repeatable: true, doc: "a further entrypoint in the same bundle; repeatable" },
  ],
  maxPositionals: 0,
  async run(args, ports) {
    const resolved = readSettings(args, ports);
    if (!resolved.ok) return reportProblems(ports, resolved.problems);
    const { settings } = resolved;
    const target = args.own.get("target")?.[0] ?? "wasm";
    if (target !== "wasm" && target !== "rego")
      return reportProblems(ports, [`--target: \`${target}\` is not valid: expected wasm or rego`]);
    const schema = await readInputSchema(args, settings.inputIdentity);
    if (!schema.ok) return reportProblems(ports, [schema.problem]);
    if (settings.policyPaths.length === 0)
      return reportProblems(ports, ["nothing to build: name Rego with --policy PATH"]);
    const read = await readPolicySource(settings.policyPaths, settings.dataFiles);
    if (!read.ok) return reportProblems(ports, read.problems);
    const natives = args.own.has("portable") || target === "rego" ? "plain" : "guarded";
    if (read.source.wasm !== undefined) {
      if (args.own.has("check")) {
        ports.out(`compiled already; strict builtin errors: ${read.source.guarded ? ALL_ERRORS : HOST_ERRORS}\n`);
        return EXIT.fine;
      }
      return reportProblems(ports, ["the policy is compiled already: give Rego sources to build"]);
    }
    const result = await compileSource(read.source, {
      entrypoints: [settings.entrypoint, ...(args.own.get("also") ?? [])],
      regoVersion: settings.regoVersion,
      strict: args.own.has("strict"),
      natives,
      ...schema.value,
    });
    if (!result.ok) {
      for (const problem of result.problems) ports.err(`${problem}\n`);
      return EXIT.usage;
    }
    for (const name of networkBuiltinsIn(result.compiled.plan))
      ports.err(`svidgate: warning: the policy calls ${name}: where it runs, ${networkHint(name)}\n`);
    if (args.own.has("check")) {
      const count = read.source.modules.length;
      const strictness = args.own.has("portable") ? `; strict builtin errors: ${HOST_ERRORS}` : "";
      ports.out(`${count} ${count === 1 ? "module compiles" : "modules compile"}${strictness}\n`);
      return EXIT.fine;
    }
    const { compiled } = result;
    const revision = args.own.get("revision")?.[0] ?? read.source.revision;
    const regoVersion = read.source.regoVersion ?? settings.regoVersion;
    const bytes = await (target === "rego"
      ? writeRegoBundle(read.source, regoVersion, revision)
      : writeWasmBundle(read.source, compiled, revision, natives === "guarded"));
    const output = args.own.get("output")?.[0] ?? "bundle.tar.gz";
    try {
      // Whoever reads the bundle while it is built sees the old one or the new one, never half of one.
      await writeFile(`${output}.tmp`, bytes);
      await rename(`${output}.tmp`, output);
    } catch (error) {
      return reportProblems(ports, [`${output}: cannot be written: ${(error as Error).message}`]);
    }
    const what =
      target === "rego" ? "sources for OPA" : compiled.manifest.wasm.map(({ entrypoint }) => entrypoint).join(", ");
    ports.out(`${output}: ${bytes.length} bytes, ${what}\n`);
    return EXIT.fine;
  },
};

const ALL_ERRORS = "all of them are heard of";
const HOST_ERRORS = "those of the host alone, not of the builtins inside the module";

const writeWasmBundle = (
  { data, modules }: PolicySource,
  compiled: CompiledPolicy,
  revision: string,
  guarded: boolean,
): Promise<Uint8Array> => {
  const { wasm, plan } = compiled;
  return writeBundle({ manifest: toManifestText(compiled, revision, guarded), data, modules, wasm, plan });
};

const writeRegoBundle = (
  { data, modules }: PolicySource,
  regoVersion: "v0" | "v1",
  revision: string,
): Promise<Uint8Array> => writeBundle({ manifest: toRegoManifestText(regoVersion, revision), data, modules });

type InputSchema =
  | { readonly ok: true; readonly value: Pick<CompileSourceOptions, "inputSchema" | "identitySchema"> }
  | { readonly ok: false; readonly problem: string };

/** The schema of the whole input with `--strict`; without it of `input.identity`, unless the input is to have none. */
async function readInputSchema(args: ParsedArguments, hasIdentity: boolean): Promise<InputSchema> {
  const named = args.own.get("input-schema")?.[0];
  const isStrict = args.own.has("strict");
  if (!isStrict && named !== undefined)
    return { ok: false, problem: "--input-schema: is checked with --strict only: add it" };
  if (!isStrict && !hasIdentity) return { ok: true, value: {} };
  const file = named ?? join(packageRoot(), "docs", "input.schema.json");
  try {
    const inputSchema = JSON.parse(await readFile(file, "utf8"));
    return { ok: true, value: isStrict ? { inputSchema } : { identitySchema: inputSchema.properties.identity } };
  } catch (error) {
    return { ok: false, problem: `${file}: no JSON Schema: ${(error as Error).message}` };
  }
}
