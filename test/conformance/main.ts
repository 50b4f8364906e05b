// `npm run conformance`: OPA's own conformance cases, compiled by the embedded compiler and run by one of the engines.
// Ends with 0 when exactly the cases of known-failures.json fail. `--help` prints the flags.

import { existsSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { packageRoot } from "../../src/base/package-root.ts";
import { loadSuite } from "./case-files.ts";
import { compileCases } from "./compile-cases.ts";
import { judge } from "./judge.ts";
import { compareWithKnown, loadKnownFailures } from "./known-failures.ts";
import { findOpaSource, opaBuiltinNames, opaVersion } from "./opa-source.ts";
import { type CaseResult, formatReport, toReport } from "./report.ts";
import { type EngineName, runCase } from "./run-case.ts";
import type { Suite, TestCase } from "./test-case.ts";

const HELP = `npm run conformance -- [flags] [FOLDER]

Runs OPA's conformance cases. FOLDER (or OPA_CASES) has OPA's sources; without it, Go downloads them.

  --filter TEXT   only cases whose id (suite/folder/file: name) contains TEXT
  --engine NAME   native (default) or opa-wasm, whose failures are no errors
  --as-opa-build  modules with the bytes of \`opa build\`, where no builtin of OPA's runtime is replaced; failures are no errors
  --jobs N        compilers side by side; as many as there are cores
  --cache         keep compiled modules in .cache/conformance (used without the flag once the folder is there)
  --json FILE     write counts and failures to FILE
  --failures      print each failure with what was wanted and what was got
`;

/** OPA's cases at the pinned version; another number means that some were not read. */
const EXPECTED: Readonly<Record<Suite, number>> = { v1: 2400, v0: 2027, assets: 369 };

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    filter: { type: "string" },
    engine: { type: "string", default: "native" },
    "as-opa-build": { type: "boolean", default: false },
    jobs: { type: "string", default: String(availableParallelism()) },
    cache: { type: "boolean", default: false },
    json: { type: "string" },
    failures: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

if (flags.help) process.stdout.write(HELP);
else
  await main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 2;
  });

async function main(): Promise<void> {
  const engine = toEngineName(flags.engine);
  const jobs = Number(flags.jobs);
  if (!Number.isInteger(jobs) || jobs < 1) throw new Error(`--jobs: \`${flags.jobs}\` is no number of processes`);
  const source = findOpaSource(positionals[0] ?? process.env["OPA_CASES"]);
  const all = loadCases(source);
  const { filter } = flags;
  const cases = filter === undefined ? all : all.filter(({ id }) => id.includes(filter));
  if (cases.length === 0) throw new Error(`--filter: no case has \`${filter}\` in its id`);

  const results = await run(cases, engine, jobs, opaBuiltinNames(source));
  const report = toReport(results);
  process.stdout.write(`OPA ${opaVersion()}, engine ${engine}, strict mode off\n${formatReport(report)}`);
  if (flags.failures) for (const { id, why } of report.failures) process.stdout.write(`\n${id}\n  ${why}\n`);
  if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify({ engine, ...report }, undefined, 2)}\n`);
  if (engine !== "native" || flags["as-opa-build"]) return;
  const complaints = compareWithKnown(
    results.map(({ testCase, judgement }) => ({ id: testCase.id, passed: judgement.passed })),
    loadKnownFailures(),
    cases.length === all.length,
  );
  for (const complaint of complaints) process.stdout.write(`${complaint}\n`);
  const { passed, total } = report.all;
  process.stdout.write(`conformance: ${passed} of ${total} passed, ${complaints.length} against the list\n`);
  if (complaints.length > 0) process.exitCode = 1;
}

async function run(
  cases: readonly TestCase[],
  engine: EngineName,
  jobs: number,
  builtins: readonly string[],
): Promise<CaseResult[]> {
  const folder = join(packageRoot(), ".cache", "conformance");
  const options = {
    builtins,
    asOpaBuild: flags["as-opa-build"],
    jobs,
    cacheFolder: flags.cache || existsSync(folder) ? folder : undefined,
  };
  const results: CaseResult[] = [];
  let failed = 0;
  await compileCases(cases, options, async (testCase, compiled) => {
    const judgement = judge(testCase, await runCase(testCase, compiled, engine));
    results.push({ testCase, judgement });
    if (!judgement.passed) failed++;
    if (process.stderr.isTTY) process.stderr.write(`\r${results.length} of ${cases.length}, ${failed} failed`);
  });
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  return results;
}

function loadCases(source: string): readonly TestCase[] {
  return (Object.keys(EXPECTED) as Suite[]).flatMap((suite) => {
    const cases = loadSuite(source, suite);
    if (cases.length === EXPECTED[suite]) return cases;
    throw new Error(`${suite}: ${cases.length} cases were read, OPA ${opaVersion()} has ${EXPECTED[suite]}`);
  });
}

function toEngineName(name: string): EngineName {
  if (name === "native" || name === "opa-wasm") return name;
  throw new Error(`--engine: \`${name}\` is neither native nor opa-wasm`);
}
