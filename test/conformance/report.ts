// Counts a run, and prints it: for people as a table, for programs as JSON.

import { familyOf } from "./families.ts";
import type { Judgement } from "./judge.ts";
import type { TestCase } from "./test-case.ts";

/** One judged case. */
export interface CaseResult {
  readonly testCase: TestCase;
  readonly judgement: Judgement;
}

/** Passed cases, of how many. */
export interface Count {
  readonly passed: number;
  readonly total: number;
}

/** A run in numbers, and each failure with what was wanted and what was got. */
export interface Report {
  readonly all: Count;
  readonly suites: Readonly<Record<string, Count>>;
  readonly families: Readonly<Record<string, Count>>;
  readonly failures: readonly { readonly id: string; readonly why: string }[];
}

/** Counts by suite and family. */
export function toReport(results: readonly CaseResult[]): Report {
  const failures = results.flatMap(({ testCase, judgement }) =>
    judgement.passed ? [] : [{ id: testCase.id, why: judgement.why }],
  );
  return {
    all: count(results),
    suites: countBy(results, ({ suite }) => suite),
    families: countBy(results, ({ folder }) => familyOf(folder)),
    failures: failures.sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
}

/** The table of a report. */
export function formatReport({ all, suites, families }: Report): string {
  const rows = [
    ...Object.entries(families).sort(([a], [b]) => a.localeCompare(b)),
    ...Object.entries(suites).map(([suite, counted]) => [`suite ${suite}`, counted] as const),
    ["all", all] as const,
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows
    .map(([name, { passed, total }]) => {
      const failed = total - passed;
      return `${name.padEnd(width)}  ${String(passed).padStart(4)} passed, ${String(failed).padStart(4)} failed, of ${total}\n`;
    })
    .join("");
}

function countBy(
  results: readonly CaseResult[],
  keyOf: (testCase: TestCase) => string,
): Readonly<Record<string, Count>> {
  const groups = new Map<string, CaseResult[]>();
  for (const result of results) {
    const key = keyOf(result.testCase);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [result]);
    else group.push(result);
  }
  return Object.fromEntries([...groups].map(([key, group]) => [key, count(group)]));
}

const count = (results: readonly CaseResult[]): Count => ({
  passed: results.filter(({ judgement }) => judgement.passed).length,
  total: results.length,
});
