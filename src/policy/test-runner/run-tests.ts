// Runs the tests of Rego sources in the evaluator that decides in production, not in OPA's interpreter: sources and tests
// are compiled to one module in which every test is an entrypoint.

import { builtinNames, nativeRequest } from "../builtins/index.ts";
import {
  type CompiledPolicy,
  compileRego,
  formatCompileErrors,
  TEST_BUILTINS,
  type TestRule,
} from "../compiler/index.ts";
import { type NetworkOptions, networkNames, withNetworkHints } from "../network-builtins.ts";
import { PRINT_BUILTIN } from "../print-builtin.ts";
import { type PolicySource, readPolicySource } from "../source.ts";
import { toJson } from "../value.ts";
import { type Step, toCases } from "./cases.ts";
import { type CoverageReport, type Covered, toCoverage } from "./coverage.ts";
import { parseFilter } from "./filter.ts";
import type { SourcePlace, TestResult } from "./result.ts";
import { runEntrypoints } from "./run-entrypoints.ts";
import type { Evaluation } from "./worker-messages.ts";

/** What to test and how. */
export interface TestOptions {
  readonly paths: readonly string[];
  readonly dataFiles: readonly string[];
  /** Used where a bundle's manifest does not say. */
  readonly regoVersion: "v0" | "v1";
  /** What tests may reach outside; nothing unless set. */
  readonly network?: NetworkOptions;
  /** Whether an error of a builtin is an error of the test, as the policy that decides has it. Default true. */
  readonly strictBuiltinErrors?: boolean;
  /** For one test. */
  readonly timeoutMs: number;
  /** RE2 expression that a test's path must match. */
  readonly filter?: string;
  /** Whether to find out what the tests come to; it slows them down. */
  readonly coverage?: boolean;
}

/** The results in the order of files and rows, or every reason why nothing ran. */
export type TestRun =
  | {
      readonly ok: true;
      readonly results: readonly TestResult[];
      /** When it was asked for. */
      readonly coverage?: CoverageReport;
    }
  | { readonly ok: false; readonly problems: readonly string[] };

/** As `svidgate serve` has it unless told otherwise. */
const MEMORY_BYTES = 256 * 1024 * 1024;
/** Each report of an expression leaves its operands' texts in memory until the evaluation ends. */
const COVERAGE_MEMORY_BYTES = 2048 * 1024 * 1024;

/** Reads, compiles and runs; `onResult` hears of each test as it is done. */
export async function runTests(
  options: TestOptions,
  onResult: (result: TestResult) => void = () => undefined,
): Promise<TestRun> {
  const filter = parseFilter(options.filter ?? "");
  if (!filter.ok)
    return { ok: false, problems: [`--run: \`${options.filter}\` is no RE2 expression: ${filter.detail}`] };
  const read = await readPolicySource(options.paths, options.dataFiles, { tests: true });
  if (!read.ok) return read;
  const { source } = read;
  if (source.wasm !== undefined) {
    return { ok: false, problems: ["the policy is compiled already: name Rego sources and their tests"] };
  }
  if (source.modules.length === 0) return { ok: false, problems: ["no .rego file was found in what was named"] };
  const compiled = await compileRego({
    files: source.modules,
    entrypoints: [],
    regoVersion: source.regoVersion ?? options.regoVersion,
    builtins: [...builtinNames, ...networkNames(options.network), PRINT_BUILTIN, TEST_BUILTINS.case],
    ...(options.coverage === true && { coverage: true }),
    print: true,
    tests: true,
    ...nativeRequest(options.strictBuiltinErrors ?? true),
  });
  if (!compiled.ok)
    return { ok: false, problems: [formatCompileErrors(withNetworkHints(compiled.errors), source.modules)] };
  const tests = compiled.value.tests.filter(({ path }) => filter.value(path));
  return evaluateAll(compiled.value, source, tests, options, onResult);
}

async function evaluateAll(
  { wasm, coverage }: CompiledPolicy,
  source: PolicySource,
  tests: readonly TestRule[],
  options: TestOptions,
  onResult: (result: TestResult) => void,
): Promise<TestRun> {
  const lines = new SourceLines(source);
  const running = tests.filter(({ entrypoint }) => entrypoint !== undefined);
  const done = new Map<TestRule, TestResult>();
  const covered: Covered[] = [];
  const task = {
    wasm,
    data: toJson(source.data),
    maxMemoryBytes: options.coverage === true ? COVERAGE_MEMORY_BYTES : MEMORY_BYTES,
    entrypoints: running.map(({ entrypoint = "" }) => entrypoint),
    network: options.network ?? {},
    strictBuiltinErrors: options.strictBuiltinErrors ?? true,
  };
  const run = await runEntrypoints(task, options.timeoutMs, (index, evaluation) => {
    for (const place of evaluation.covered) covered.push(place);
    const test = running[index];
    if (test === undefined) return;
    const result = toResult(test, evaluation, lines);
    done.set(test, result);
    onResult(result);
  });
  if (!run.ok) return { ok: false, problems: [run.problem] };
  for (const test of tests) {
    if (done.has(test)) continue;
    const result = notRun(test, lines);
    done.set(test, result);
    onResult(result);
  }
  const results = tests.flatMap((test) => done.get(test) ?? []);
  return { ok: true, results, ...(options.coverage === true && { coverage: toCoverage(coverage, covered) }) };
}

/** The result of a test that has no entrypoint: it is put off, or a function, which OPA reports as an error too. */
function notRun(test: TestRule, lines: SourceLines): TestResult {
  const shared = { ...factsOf(test, lines), durationMs: 0, output: [], cases: [] };
  if (test.function !== true || test.todo === true) return { ...shared, outcome: "todo" };
  const message = `\`${test.path}\` is a function and not a rule: call it from a test, under another name`;
  return { ...shared, outcome: "error", error: { code: "rego_type_error", message } };
}

function toResult(test: TestRule, evaluation: Evaluation, lines: SourceLines): TestResult {
  const { value, error, step, durationMs, output } = evaluation;
  const toPlace = (at: Step): SourcePlace => lines.place(test.file, at.row, at.col);
  const shared = { ...factsOf(test, lines), durationMs, output };
  const failedAt = step === undefined ? {} : { failedAt: toPlace(step) };
  if (error !== undefined) return { ...shared, outcome: "error", error, ...failedAt, cases: [] };
  if (test.cases === true && value !== undefined) {
    const cases = toCases(JSON.parse(value), evaluation.begun, toPlace);
    return { ...shared, outcome: cases.every(({ passed }) => passed) ? "pass" : "fail", cases };
  }
  if (value === "true") return { ...shared, outcome: "pass", cases: [] };
  // A body that held gave another value than true: the head says it, no expression of the body does.
  return { ...shared, outcome: "fail", ...(value === undefined && failedAt), cases: [] };
}

const factsOf = (test: TestRule, lines: SourceLines): Pick<TestResult, "package" | "name" | "at"> => ({
  package: test.package,
  name: test.name,
  at: lines.place(test.file, test.row, test.col),
});

/** Lines of sources by file and row. */
class SourceLines {
  readonly #lines: ReadonlyMap<string, readonly string[]>;

  constructor(source: PolicySource) {
    this.#lines = new Map(source.modules.map(({ path, text }) => [path, text.split(/\r?\n/)]));
  }

  place(file: string, row: number, col: number): SourcePlace {
    return { file, row, col, line: this.#lines.get(file)?.[row - 1] ?? "" };
  }
}
