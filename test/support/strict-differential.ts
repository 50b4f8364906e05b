// The same calls of builtins under strict errors, by our compiler and engine and by the OPA CLI: value, undefined or error,
// and the sentence of the error. One process of OPA for all of them: under `--show-builtin-errors` it tells each error with
// its line, and each call has a line of its own.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { builtinNames, findBuiltin, nativeRequest } from "../../src/policy/builtins/index.ts";
import { compileRegoBatch } from "../../src/policy/compiler/index.ts";
import { loadPolicy } from "../../src/policy/evaluator.ts";
import { PolicyError } from "../../src/policy/policy-error.ts";
import { compareValues, parseValue, type RegoObject, toJson, type Value } from "../../src/policy/value.ts";

/** One call: the builtin, and its operands as Rego. */
export interface StrictCall {
  readonly name: string;
  readonly operands: readonly string[];
}

/** What came of a call; `error` is the sentence, the builtin's name before it. */
export interface StrictAnswer {
  readonly value?: Value;
  readonly error?: string;
}

/** A call on which the two disagree. */
export interface StrictDifference {
  readonly call: string;
  readonly ours: string;
  readonly theirs: string;
}

/** The calls of one builtin. */
interface Group {
  readonly name: string;
  readonly calls: readonly StrictCall[];
}

const groupsOf = (calls: readonly StrictCall[]): readonly Group[] =>
  [...new Set(calls.map(({ name }) => name))].map((name) => ({
    name,
    calls: calls.filter((call) => call.name === name),
  }));

/** The operands of a group's calls. A row of any type keeps the compiler from knowing better. */
function writeTable({ calls }: Group, at: number): string {
  const any = calls[0]?.operands.map(() => "input.any").join(", ") ?? "";
  const rows = calls.map(({ operands }) => `[${operands.join(", ")}]`);
  return `table_${at} := [${[...rows, `[${any}]`].join(", ")}]`;
}

const writeCall = ({ name, calls }: Group, at: number, row: string): string =>
  `${name}(${calls[0]?.operands.map((_, index) => `table_${at}[${row}][${index}]`).join(", ") ?? ""})`;

/** What we say of each call: one module, an entrypoint for each builtin. */
export async function answerByUs(calls: readonly StrictCall[]): Promise<readonly StrictAnswer[]> {
  const groups = groupsOf(calls);
  const rules = groups.flatMap((group, at) => [
    writeTable(group, at),
    `out_${at} := ${writeCall(group, at, "input.row")}`,
  ]);
  const [result] = await compileRegoBatch([
    {
      files: [{ path: "p.rego", text: ["package p", ...rules, ""].join("\n") }],
      entrypoints: groups.map((_, at) => `p/out_${at}`),
      regoVersion: "v1",
      builtins: builtinNames,
      ...nativeRequest(true),
    },
  ]);
  if (!result?.ok) throw new Error(JSON.stringify(result?.errors));
  const policy = loadPolicy(result.value.wasm, { findBuiltin, strictBuiltinErrors: true, budgetSteps: 200_000_000 });
  const evaluate = (at: number, row: number): StrictAnswer => {
    try {
      const json = policy.evaluate(JSON.stringify({ row, any: null }), { entrypoint: `p/out_${at}` });
      const value = (parseValue(json) as readonly RegoObject[])[0]?.get("result");
      return value === undefined ? {} : { value };
    } catch (error) {
      if (error instanceof PolicyError && error.code === "policy_builtin_error") return { error: error.message };
      throw new Error(`${groups[at]?.name}(${groups[at]?.calls[row]?.operands.join(", ")})`, { cause: error });
    }
  };
  return calls.map((call) => {
    const at = groups.findIndex(({ name }) => name === call.name);
    return evaluate(at, groups[at]?.calls.indexOf(call) ?? -1);
  });
}

/** What OPA says of each call. */
export function answerByOpa(opa: string, calls: readonly StrictCall[]): readonly StrictAnswer[] {
  const folder = mkdtempSync(join(tmpdir(), "svidgate-strict-"));
  try {
    const groups = groupsOf(calls);
    const rules = groups.flatMap((group, at) =>
      group.calls.map((call, row) => [calls.indexOf(call), writeCall(group, at, `input.rows[${row}]`)] as const),
    );
    const lines = ["package p", ...groups.map(writeTable), ...rules.map(([key, call]) => `out["${key}"] := ${call}`)];
    writeFileSync(join(folder, "p.rego"), `${lines.join("\n")}\n`);
    writeFileSync(join(folder, "input.json"), JSON.stringify({ rows: calls.map((_, row) => row), any: null }));
    const words = ["eval", "--format", "json", "--show-builtin-errors", "--data", join(folder, "p.rego")];
    const run = spawnSync(opa, [...words, "--input", join(folder, "input.json"), "data.p.out"], {
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    if (run.status === null || !run.stdout.includes('"result"'))
      throw new Error((run.stdout + run.stderr).slice(0, 1_000));
    const answer = parseValue(run.stdout) as RegoObject;
    const result = (answer.get("result") as readonly RegoObject[])[0]?.get("expressions") as readonly RegoObject[];
    const values = result[0]?.get("value") as RegoObject;
    const errors = new Map<number, string>();
    for (const error of (answer.get("errors") ?? []) as readonly RegoObject[]) {
      const line = Number(toJson((error.get("location") as RegoObject).get("row") ?? null));
      errors.set(rules[line - groups.length - 2]?.[0] ?? -1, String(error.get("message")));
    }
    return calls.map((_, row) => {
      const value = values.get(String(row));
      const error = errors.get(row);
      return { ...(value !== undefined && { value }), ...(error !== undefined && { error }) };
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Whether both are errors, both undefined, or both this value. */
export function agree(ours: StrictAnswer, theirs: StrictAnswer): boolean {
  if (ours.error !== undefined || theirs.error !== undefined)
    return (ours.error === undefined) === (theirs.error === undefined);
  if (ours.value === undefined || theirs.value === undefined) return ours.value === theirs.value;
  return compareValues(ours.value, theirs.value) === 0;
}

/** An answer for people. */
export const show = ({ value, error }: StrictAnswer): string =>
  error !== undefined ? `error ${error}` : value === undefined ? "undefined" : toJson(value);
