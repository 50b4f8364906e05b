// Test results for programs: the JSON of `opa test --format json`, and in `failed_at` the place that OPA leaves out.

import type { SourcePlace, TestCase, TestResult } from "./result.ts";

/** All results as one JSON document, with its line feed. */
export function toTestJson(results: readonly TestResult[]): string {
  return `${JSON.stringify(results.map(toJsonResult), undefined, 2)}\n`;
}

function toJsonResult(result: TestResult): Readonly<Record<string, unknown>> {
  const { at, outcome, error, output, failedAt, cases } = result;
  return {
    location: place(at),
    package: result.package,
    name: result.name,
    ...(outcome === "fail" && { fail: true }),
    ...(error !== undefined && { error }),
    ...(outcome === "todo" && { skip: true }),
    // SPEC: OPA writes nanoseconds, and output as base64.
    duration: Math.round(result.durationMs * 1e6),
    ...(output.length > 0 && { output: Buffer.from(`${output.join("\n")}\n`).toString("base64") }),
    ...(failedAt !== undefined &&
      outcome !== "pass" && { failed_at: { ...place(failedAt), text: failedAt.line.trim() } }),
    ...(cases.length > 0 && { sub_results: toSubResults(cases) }),
  };
}

function toSubResults(cases: readonly TestCase[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    cases.map(({ name, passed, failedAt, cases: nested }) => [
      name,
      {
        name,
        ...(!passed && { fail: true }),
        ...(failedAt !== undefined && { failed_at: { ...place(failedAt), text: failedAt.line.trim() } }),
        ...(nested.length > 0 && { sub_results: toSubResults(nested) }),
      },
    ]),
  );
}

const place = ({ file, row, col }: SourcePlace): Readonly<Record<string, unknown>> => ({ file, row, col });
