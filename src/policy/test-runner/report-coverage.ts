// Coverage for programs and for people. SPEC: the JSON of `opa test --coverage` (v1/cover), whose empty members are left out.

import { toPlainText } from "../../base/plain-text.ts";
import type { CoveredRange } from "../compiler/index.ts";
import { type CoverageReport, type FileCoverage, toLineSpans } from "./coverage.ts";

/** The document, with its line feed. */
export function toCoverageJson(report: CoverageReport): string {
  const document = {
    files: Object.fromEntries(report.files.map((file) => [file.file, toJsonFile(file)])),
    covered_lines: report.coveredLines,
    not_covered_lines: report.notCoveredLines,
    coverage: report.coverage,
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

/** A line for each file: its percentage, and the lines that no test came to; the whole comes last. */
export function toCoverageText(report: CoverageReport): string {
  const rows = report.files
    .filter(({ coveredLines, notCoveredLines }) => coveredLines + notCoveredLines > 0)
    .map((file) => `${percent(file.coverage)}  ${file.file}${missing(file)}`);
  return ["coverage:", ...rows, `${percent(report.coverage)}  of ${lineCount(report)}`]
    .map((line) => `${toPlainText(line)}\n`)
    .join("");
}

function toJsonFile(file: FileCoverage): Readonly<Record<string, unknown>> {
  const { covered, notCovered, coveredLines, notCoveredLines, coverage } = file;
  return {
    ...(covered.length > 0 && { covered: covered.map(toJsonRange) }),
    ...(notCovered.length > 0 && { not_covered: notCovered.map(toJsonRange) }),
    ...(coveredLines > 0 && { covered_lines: coveredLines }),
    ...(notCoveredLines > 0 && { not_covered_lines: notCoveredLines }),
    ...(coverage > 0 && { coverage }),
  };
}

const toJsonRange = ({ row, col, end_row, end_col }: CoveredRange): Readonly<Record<string, unknown>> => ({
  start: { row, col },
  end: { row: end_row, col: end_col },
});

function missing({ notCovered }: FileCoverage): string {
  const spans = toLineSpans(notCovered);
  if (spans.length === 0) return "";
  const list = spans.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(", ");
  return `: not covered: ${list}`;
}

/** Never says 100 % of what is not whole. */
const percent = (value: number): string => `${(Math.floor(value * 10) / 10).toFixed(1).padStart(6)}%`;

const lineCount = ({ coveredLines, notCoveredLines }: CoverageReport): string => {
  const lines = coveredLines + notCoveredLines;
  return `${lines} ${lines === 1 ? "line" : "lines"}`;
};
