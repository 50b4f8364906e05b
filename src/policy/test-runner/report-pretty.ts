// Test results for people. SPEC: the lines of `opa test --format pretty`, and below each failure the expression that did
// not hold, with its line and a caret.

import { toPlainText } from "../../base/plain-text.ts";
import { countResults, type SourcePlace, type TestCase, type TestResult } from "./result.ts";

const RULE = "-".repeat(80);

/** One test as it is done: nothing for a test that passed, unless `verbose`. Ends with a line feed unless empty. */
export function toPrettyLines(result: TestResult, verbose: boolean): string {
  if (result.outcome === "pass" && !verbose) return "";
  const { at, outcome, error, output } = result;
  const lines = [`${at.file}:${at.row}:`, `${result.package}.${result.name}: ${WORDS[outcome]}${duration(result)}`];
  lines.push(...caseLines(result.cases, verbose, "  "));
  if (error !== undefined) lines.push(`  ${error.code}: ${error.message}`);
  if (result.failedAt !== undefined && outcome !== "pass") lines.push(...excerpt(result.failedAt, "  "));
  if (output.length > 0) lines.push("", ...output.map((line) => `  ${line}`), "");
  return `${lines.map(printable).join("\n")}\n`;
}

/** What stands below all tests. */
export function toPrettySummary(results: readonly TestResult[], anyShown: boolean): string {
  const { passed, failed, errors, todo } = countResults(results);
  const total = passed + failed + errors + todo;
  const counts = [
    ["PASS", passed],
    ["FAIL", failed],
    ["TODO", todo],
    ["ERROR", errors],
  ] as const;
  const lines = counts.filter(([, count]) => count > 0).map(([word, count]) => `${word}: ${count}/${total}`);
  return [...(anyShown ? [RULE] : []), ...lines].map((line) => `${line}\n`).join("");
}

const WORDS: Readonly<Record<TestResult["outcome"], string>> = {
  pass: "PASS",
  fail: "FAIL",
  error: "ERROR",
  todo: "TODO",
};

const duration = ({ outcome, durationMs }: TestResult): string =>
  outcome === "todo" ? "" : ` (${durationMs.toFixed(durationMs < 10 ? 2 : 0)}ms)`;

function* caseLines(cases: readonly TestCase[], verbose: boolean, indent: string): Generator<string> {
  for (const { name, passed, failedAt, cases: nested } of cases) {
    if (passed && !verbose) continue;
    yield `${indent}${name}: ${passed ? "PASS" : "FAIL"}`;
    if (failedAt !== undefined) yield* excerpt(failedAt, `${indent}  `);
    yield* caseLines(nested, verbose, `${indent}  `);
  }
}

function excerpt({ file, row, col, line }: SourcePlace, indent: string): string[] {
  const before = [...line].slice(0, col - 1).join("");
  const gap = " ".repeat(String(row).length);
  return [
    `${indent}${file}:${row}:${col}: did not hold`,
    `${indent}${row} | ${line}`,
    `${indent}${gap} | ${printable(before).replace(/[^\t]/gu, " ")}^`,
  ];
}

/** SECURITY: what a policy under test prints must not steer the terminal of whoever tests it. */
const printable = (text: string): string => toPlainText(text, "\t\n");
