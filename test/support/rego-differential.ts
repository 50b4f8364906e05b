// The same policies over the same inputs, by our compiler and engine and by the OPA CLI: one process of OPA for many evaluations.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { builtinNames, nativeRequest } from "../../src/policy/builtins/index.ts";
import { type CompileRequest, compileRegoBatch } from "../../src/policy/compiler/index.ts";
import { loadPolicy } from "../../src/policy/evaluator.ts";
import { PolicyError } from "../../src/policy/policy-error.ts";
import { compareValues, parseValue, RegoObject, toJson, type Value } from "../../src/policy/value.ts";
import { Random } from "./random.ts";
import { comparableBuiltins, type Operands, randomOperands, recordedCalls } from "./random-calls.ts";
import { RANDOM_DATA, randomInput, randomRules } from "./random-rego.ts";

/** A policy with its inputs. */
interface Case {
  readonly name: string;
  readonly rego: string;
  readonly inputs: readonly string[];
}

/** Something that the two say otherwise. */
export interface Difference {
  /** The rule, or the builtin with its number. */
  readonly key: string;
  readonly ours: string;
  readonly theirs: string;
  readonly input: string;
  readonly rego: string;
}

/** What a run found. */
export interface DifferentialRun {
  readonly evaluations: number;
  /** Answers that were compared: an evaluation gives one for each rule that is defined on either side. */
  readonly answers: number;
  /** Evaluations that used up a budget five times the default one; they are not compared. */
  readonly overBudget: number;
  /** Policies that our compiler refused, of those that were written. */
  readonly refused: number;
  readonly policies: number;
  readonly differences: readonly Difference[];
}

/** How much to run. */
export interface DifferentialOptions {
  readonly opa: string;
  readonly seed: number;
  readonly policies: number;
  readonly inputsPerPolicy: number;
}

const CALLS_PER_POLICY = 8;
const RULES_PER_POLICY = 6;
const ROWS_PER_CALL = 10;
/** Evaluations of one OPA process; their answers are held in memory. */
const EVALUATIONS_PER_RUN = 5_000;

/** About 50 ms of work; what takes longer is counted and not compared. */
const BUDGET_STEPS = 100_000_000;
/** Longest run of OPA; one that is slower counts as failed. */
const OPA_TIMEOUT_MS = 60_000;

/** Runs random policies on both sides. */
export async function runDifferential(options: DifferentialOptions): Promise<DifferentialRun> {
  const random = new Random(options.seed);
  const calls = recordedCalls();
  const names = comparableBuiltins(calls).filter((name) => isOurs(name) || !calls.has(name));
  const cases = Array.from({ length: options.policies }, (_, at): Case => writeCase(random, at, names, calls, options));
  const results = await compileRegoBatch(cases.map(({ rego }, at) => toRequest(`g${at}`, rego)));
  const compiled = cases.flatMap((one, at) => {
    const result = results[at];
    return result?.ok ? [{ one, wasm: result.value.wasm }] : [];
  });
  const run = { evaluations: 0, answers: 0, overBudget: 0, differences: [] as Difference[] };
  const perRun = Math.max(1, Math.floor(EVALUATIONS_PER_RUN / options.inputsPerPolicy));
  for (let at = 0; at < compiled.length; at += perRun) {
    const part = compiled.slice(at, at + perRun);
    const theirs = evaluateByOpa(
      options.opa,
      part.map(({ one }) => one),
    );
    for (const { one, wasm } of part) compareCase(one, evaluateByUs(one, wasm), theirs.get(one.name) ?? [], run);
  }
  return { ...run, policies: cases.length, refused: cases.length - compiled.length };
}

const isOurs = (name: string): boolean => builtinNames.includes(name);

const toRequest = (name: string, rego: string): CompileRequest => ({
  files: [{ path: `${name}.rego`, text: rego }],
  entrypoints: [`${name}/out`],
  regoVersion: "v1",
  builtins: builtinNames,
  ...nativeRequest(false),
});

function writeCase(
  random: Random,
  at: number,
  names: readonly string[],
  calls: ReadonlyMap<string, readonly Operands[]>,
  { inputsPerPolicy }: DifferentialOptions,
): Case {
  const tables = Array.from({ length: CALLS_PER_POLICY }, (_, call) => {
    // Every builtin has its turn.
    const name = names[(at * CALLS_PER_POLICY + call) % names.length] as string;
    const rows = Array.from({ length: ROWS_PER_CALL }, () => randomOperands(random, name, calls));
    const arity = rows[0]?.length ?? 0;
    // A row of any type keeps the compiler from knowing better.
    const any = new Array(arity).fill("input.any").join(", ");
    const table = `table${call} := [${[...rows.map((row) => row.join(", ")), any].map((row) => `[${row}]`).join(",\n\t")}]`;
    const row = `table${call}[input.i % ${ROWS_PER_CALL}]`;
    const operands = Array.from({ length: arity }, (_, index) => `${row}[${index}]`).join(", ");
    return `${table}\nout["${name} ${call}"] := ${name}(${operands})`;
  });
  const rego = [`package g${at}`, ...tables, randomRules(random, RULES_PER_POLICY)].join("\n\n");
  const inputs = Array.from({ length: inputsPerPolicy }, (_, index) => JSON.stringify(randomInput(random, index)));
  return { name: `g${at}`, rego: `${rego}\n`, inputs };
}

/** The object of each input, or the code of what went wrong. */
function evaluateByUs(one: Case, wasm: Uint8Array): readonly (Value | string)[] {
  const policy = loadPolicy(wasm, { data: JSON.stringify(RANDOM_DATA), budgetSteps: BUDGET_STEPS });
  return one.inputs.map((input) => {
    try {
      return resultOf(parseValue(policy.evaluate(input)));
    } catch (error) {
      if (error instanceof PolicyError) return `${error.code}: ${error.message}`;
      throw error;
    }
  });
}

const resultOf = (set: Value): Value => {
  const [first] = set as readonly RegoObject[];
  return first?.get("result") ?? null;
};

/** By policy the objects of its inputs. An error of one policy ends OPA's whole run, so then each half runs by itself. */
function evaluateByOpa(opa: string, cases: readonly Case[]): ReadonlyMap<string, readonly (Value | string)[]> {
  const run = runOpa(opa, cases);
  if (typeof run !== "string") return run;
  if (cases.length === 1) {
    const [one] = cases as [Case];
    return new Map([[one.name, one.inputs.map(() => run)]]);
  }
  const middle = cases.length >> 1;
  return new Map([...evaluateByOpa(opa, cases.slice(0, middle)), ...evaluateByOpa(opa, cases.slice(middle))]);
}

function runOpa(opa: string, cases: readonly Case[]): ReadonlyMap<string, readonly Value[]> | string {
  const folder = mkdtempSync(join(tmpdir(), "svidgate-differential-"));
  try {
    const inputs = cases.map(({ name, inputs: texts }) => `${JSON.stringify(name)}: [${texts.join(",")}]`).join(",");
    const data = `${JSON.stringify(RANDOM_DATA).slice(0, -1)}, "inputs": {${inputs}}}`;
    writeFileSync(join(folder, "data.json"), data);
    for (const { name, rego } of cases) writeFileSync(join(folder, `${name}.rego`), rego);
    const rules = cases.map(
      ({ name }) =>
        `results["${name}"] := [o | some inp in data.inputs["${name}"]; o := data.${name}.out with input as inp]`,
    );
    writeFileSync(join(folder, "run.rego"), `package run\n\n${rules.join("\n")}\n`);
    const words = ["eval", "--format", "json", "--data", folder, "data.run.results"];
    const { stdout, stderr, status } = spawnSync(opa, words, {
      encoding: "utf8",
      maxBuffer: 1 << 30,
      timeout: OPA_TIMEOUT_MS,
    });
    if (status !== 0) return `opa: ${(stdout + stderr).slice(0, 500)}`;
    const results = resultsOf(stdout);
    return new Map(results.entries.map(([name, objects]) => [name as string, objects as readonly Value[]]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What `opa eval --format json` says of a query of one expression. */
function resultsOf(json: string): RegoObject {
  const first = (parseValue(json) as RegoObject).get("result") as readonly RegoObject[];
  const expressions = first[0]?.get("expressions") as readonly RegoObject[] | undefined;
  const value = expressions?.[0]?.get("value");
  if (value instanceof RegoObject) return value;
  throw new Error(`no result of OPA: ${json.slice(0, 500)}`);
}

function compareCase(
  one: Case,
  ours: readonly (Value | string)[],
  theirs: readonly (Value | string)[],
  run: { evaluations: number; answers: number; overBudget: number; differences: Difference[] },
): void {
  for (const [at, input] of one.inputs.entries()) {
    run.evaluations++;
    const [mine, other] = [ours[at], theirs[at]];
    if (typeof mine === "string" && mine.startsWith("policy_budget")) {
      run.overBudget++;
      continue;
    }
    const tell = (key: string, a: string, b: string): void => {
      run.differences.push({ key, ours: a, theirs: b, input, rego: one.rego });
    };
    if (!(mine instanceof RegoObject) || !(other instanceof RegoObject)) {
      tell("evaluation", show(mine), show(other));
      continue;
    }
    for (const key of new Set([...mine.entries, ...other.entries].map(([name]) => name as string))) {
      run.answers++;
      const [a, b] = [mine.get(key), other.get(key)];
      if (a === undefined || b === undefined || compareValues(a, b) !== 0) tell(key, show(a), show(b));
    }
  }
}

const show = (value: Value | string | undefined): string =>
  value === undefined ? "undefined" : typeof value === "string" ? value : toJson(value);
