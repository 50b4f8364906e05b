// `svidgate build`: Rego sources → a bundle that `serve` starts from in milliseconds and that OPA's tools can read.

import { rename, writeFile } from "node:fs/promises";
import { writeBundle } from "../policy/bundle.ts";
import { compileSource } from "../policy/load.ts";
import { toManifestText } from "../policy/manifest.ts";
import { readPolicySource } from "../policy/source.ts";
import { type Command, EXIT, reportProblems } from "./command.ts";
import { readSettings } from "./settings.ts";

/** The command. */
export const build: Command = {
  name: "build",
  summary: "compile Rego policies into a bundle",
  usage: "--policy PATH [--policy PATH …] [--output FILE]",
  examples: [
    "svidgate build --policy policies/ --output bundle.tar.gz",
    "svidgate build --policy policies/ --entrypoint envoy/authz/allow --revision 2026-11-21.1",
    "svidgate build --policy policies/ --check --strict",
  ],
  configFlags: ["policy", "data", "rego-version", "entrypoint"],
  flags: [
    { flag: "output", placeholder: "FILE", doc: "the bundle to write (default bundle.tar.gz)" },
    { flag: "revision", placeholder: "TEXT", doc: "the revision that decisions are recorded under" },
    { flag: "check", doc: "compile only, write nothing" },
    { flag: "strict", doc: "refuse unused imports and variables and deprecated builtins too" },
    { flag: "also", placeholder: "PATH", repeatable: true, doc: "a further entrypoint in the same bundle; repeatable" },
  ],
  maxPositionals: 0,
  async run(args, ports) {
    const resolved = readSettings(args, ports);
    if (!resolved.ok) return reportProblems(ports, resolved.problems);
    const { settings } = resolved;
    if (settings.policyPaths.length === 0)
      return reportProblems(ports, ["nothing to build: name Rego with --policy PATH"]);
    const read = await readPolicySource(settings.policyPaths, settings.dataFiles);
    if (!read.ok) return reportProblems(ports, read.problems);
    if (read.source.wasm !== undefined) {
      return reportProblems(ports, ["the policy is compiled already: give Rego sources to build"]);
    }
    const result = await compileSource(read.source, {
      entrypoints: [settings.entrypoint, ...(args.own.get("also") ?? [])],
      regoVersion: settings.regoVersion,
      strict: args.own.has("strict"),
    });
    if (!result.ok) {
      for (const problem of result.problems) ports.err(`${problem}\n`);
      return EXIT.usage;
    }
    if (args.own.has("check")) {
      ports.out(`${read.source.modules.length} modules compile\n`);
      return EXIT.fine;
    }
    const { compiled } = result;
    const revision = args.own.get("revision")?.[0] ?? read.source.revision;
    const bytes = await writeBundle({
      manifest: toManifestText(compiled, revision),
      data: read.source.data,
      modules: read.source.modules,
      wasm: compiled.wasm,
      plan: compiled.plan,
    });
    const output = args.own.get("output")?.[0] ?? "bundle.tar.gz";
    try {
      // Whoever reads the bundle while it is built sees the old one or the new one, never half of one.
      await writeFile(`${output}.tmp`, bytes);
      await rename(`${output}.tmp`, output);
    } catch (error) {
      return reportProblems(ports, [`${output}: cannot be written: ${(error as Error).message}`]);
    }
    ports.out(
      `${output}: ${bytes.length} bytes, ${compiled.manifest.wasm.map(({ entrypoint }) => entrypoint).join(", ")}\n`,
    );
    return EXIT.fine;
  },
};
