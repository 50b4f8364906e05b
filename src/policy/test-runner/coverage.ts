// Which expressions and rules the tests came to. SPEC: v1/cover of OPA 1.22: what ran is covered; what is in the sources and in no
// covered range is not; lines are counted once on each side, so that a line which ran in part counts on both.
// Difference: OPA's interpreter passes over rules that its index excludes, and stops early; the module evaluates them, so
// they are covered here.

import type { CoveredFile, CoveredRange } from "../compiler/index.ts";

/** A range that a test came to: indices as the compiler gave them out. */
export type Covered = readonly [file: number, range: number];

/** The ranges of one source, in the order of the text. */
export interface FileCoverage {
  readonly file: string;
  /** Whether it has tests of its own. */
  readonly tests: boolean;
  readonly covered: readonly CoveredRange[];
  readonly notCovered: readonly CoveredRange[];
  readonly coveredLines: number;
  readonly notCoveredLines: number;
  /** Percent of the lines, 0 when there is none. */
  readonly coverage: number;
}

/** All sources, by name. */
export interface CoverageReport {
  readonly files: readonly FileCoverage[];
  readonly coveredLines: number;
  readonly notCoveredLines: number;
  readonly coverage: number;
}

/** Puts together what all tests came to. */
export function toCoverage(files: readonly CoveredFile[], covered: Iterable<Covered>): CoverageReport {
  const reached = files.map(() => new Set<number>());
  for (const [file, range] of covered) reached[file]?.add(range);
  const reports = files
    .map((file, index) => toFileCoverage(file, reached[index] ?? new Set()))
    .sort((a, b) => (a.file < b.file ? -1 : 1));
  const coveredLines = reports.reduce((sum, report) => sum + report.coveredLines, 0);
  const notCoveredLines = reports.reduce((sum, report) => sum + report.notCoveredLines, 0);
  return { files: reports, coveredLines, notCoveredLines, coverage: percentOf(coveredLines, notCoveredLines) };
}

/** The lines that the ranges touch, neighbours as one pair: first and last line. */
export function toLineSpans(ranges: readonly CoveredRange[]): readonly (readonly [first: number, last: number])[] {
  const spans: [number, number][] = [];
  for (const line of [...linesOf(ranges)].sort((a, b) => a - b)) {
    const span = spans.at(-1);
    if (span !== undefined && span[1] === line - 1) span[1] = line;
    else spans.push([line, line]);
  }
  return spans;
}

function toFileCoverage({ file, tests, ranges }: CoveredFile, reached: ReadonlySet<number>): FileCoverage {
  const covered = ranges.filter((_, index) => reached.has(index)).sort(inOrder);
  const notCovered = ranges
    .filter(
      (range, index) =>
        range.coverable === true && !reached.has(index) && !covered.some((outer) => contains(outer, range)),
    )
    .sort(inOrder);
  const coveredLines = linesOf(covered).size;
  const notCoveredLines = linesOf(notCovered).size;
  const coverage = percentOf(coveredLines, notCoveredLines);
  return { file, tests: tests === true, covered, notCovered, coveredLines, notCoveredLines, coverage };
}

function linesOf(ranges: readonly CoveredRange[]): ReadonlySet<number> {
  const lines = new Set<number>();
  for (const { row, end_row } of ranges) for (let line = row; line <= end_row; line++) lines.add(line);
  return lines;
}

const percentOf = (covered: number, notCovered: number): number =>
  covered + notCovered === 0 ? 0 : (100 * covered) / (covered + notCovered);

const inOrder = (a: CoveredRange, b: CoveredRange): number =>
  a.row - b.row || a.col - b.col || a.end_row - b.end_row || a.end_col - b.end_col;

const contains = (outer: CoveredRange, inner: CoveredRange): boolean =>
  (outer.row < inner.row || (outer.row === inner.row && outer.col <= inner.col)) &&
  (outer.end_row > inner.end_row || (outer.end_row === inner.end_row && outer.end_col >= inner.end_col));
