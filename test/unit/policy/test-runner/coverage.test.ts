import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CoveredFile, CoveredRange } from "../../../../src/policy/compiler/index.ts";
import { type Covered, toCoverage, toLineSpans } from "../../../../src/policy/test-runner/coverage.ts";
import { toCoverageJson, toCoverageText } from "../../../../src/policy/test-runner/report-coverage.ts";

const range = (row: number, col: number, end_row: number, end_col: number, coverable = true): CoveredRange => ({
  row,
  col,
  end_row,
  end_col,
  ...(coverable && { coverable }),
});

const FILE: CoveredFile = {
  file: "p.rego",
  ranges: [
    range(3, 1, 3, 6),
    range(3, 10, 3, 20),
    range(5, 1, 9, 8),
    range(6, 2, 6, 9),
    range(8, 2, 8, 9),
    range(12, 1, 12, 4),
    range(8, 5, 8, 7, false),
    range(12, 7, 12, 9, false),
  ],
};

const covering = (...indices: readonly number[]) =>
  toCoverage(
    [FILE],
    indices.map((index): Covered => [0, index]),
  );

describe("coverage", () => {
  const cases: readonly (readonly [string, readonly number[], string, string, number, number])[] = [
    ["nothing", [], "", "3:1 3:10 5:1 6:2 8:2 12:1", 0, 7],
    ["a range of one line", [1], "3:10", "3:1 5:1 6:2 8:2 12:1", 1, 7],
    ["a range with others inside: they are covered too", [2], "5:1", "3:1 3:10 12:1", 5, 2],
    ["one inside, which leaves the outer one", [3], "6:2", "3:1 3:10 5:1 8:2 12:1", 1, 7],
    ["what the compiler made counts where it ran", [0, 6], "3:1 8:5", "3:10 5:1 6:2 8:2 12:1", 2, 7],
    ["everything", [0, 1, 2, 3, 4, 5, 7], "3:1 3:10 5:1 6:2 8:2 12:1 12:7", "", 7, 0],
  ];
  for (const [name, reached, covered, notCovered, coveredLines, notCoveredLines] of cases) {
    it(`of ${name}`, () => {
      const places = (ranges: readonly CoveredRange[]): string =>
        ranges.map(({ row, col }) => `${row}:${col}`).join(" ");
      const [report] = covering(...reached).files;
      assert.ok(report);
      assert.equal(places(report.covered), covered);
      assert.equal(places(report.notCovered), notCovered);
      assert.equal(report.coveredLines, coveredLines);
      assert.equal(report.notCoveredLines, notCoveredLines);
      assert.equal(report.coverage, (100 * coveredLines) / (coveredLines + notCoveredLines));
    });
  }

  it("is in the order of the text, whatever came first", () => {
    assert.deepEqual(
      covering(5, 0, 4).files[0]?.covered.map(({ row }) => row),
      [3, 8, 12],
    );
  });

  it("of a file counts nothing twice, and of all files adds their lines up", () => {
    const empty: CoveredFile = { file: "empty.rego", ranges: [] };
    const tests: CoveredFile = { file: "a_test.rego", tests: true, ranges: [range(1, 1, 2, 5)] };
    const report = toCoverage(
      [FILE, empty, tests],
      [
        [0, 1],
        [0, 1],
        [2, 0],
      ],
    );
    assert.deepEqual(
      report.files.map(({ file, tests: has, coverage }) => [file, has, coverage]),
      [
        ["a_test.rego", true, 100],
        ["empty.rego", false, 0],
        ["p.rego", false, 12.5],
      ],
    );
    assert.equal(report.coveredLines, 3);
    assert.equal(report.notCoveredLines, 7);
    assert.equal(report.coverage, 30);
  });

  it("of indices that nobody gave out counts nothing", () => {
    const report = toCoverage(
      [FILE],
      [
        [1, 0],
        [0, 99],
        [-1, 0],
      ],
    );
    assert.equal(report.coveredLines, 0);
  });

  it("of no sources is 0, not NaN", () => {
    assert.deepEqual(toCoverage([], []), { files: [], coveredLines: 0, notCoveredLines: 0, coverage: 0 });
  });
});

describe("line spans", () => {
  it("join neighbours and keep gaps", () => {
    const spans = toLineSpans([range(7, 1, 7, 9), range(2, 1, 4, 2), range(3, 1, 5, 2), range(9, 1, 9, 2)]);
    assert.deepEqual(spans, [
      [2, 5],
      [7, 7],
      [9, 9],
    ]);
    assert.deepEqual(toLineSpans([]), []);
  });
});

describe("reports of coverage", () => {
  it("in JSON leave out what is empty, as OPA does", () => {
    const empty: CoveredFile = { file: "empty.rego", ranges: [] };
    const text = toCoverageJson(toCoverage([{ file: "p.rego", ranges: FILE.ranges.slice(0, 2) }, empty], [[0, 0]]));
    assert.ok(text.endsWith("}\n"));
    assert.deepEqual(JSON.parse(text), {
      files: {
        "empty.rego": {},
        "p.rego": {
          covered: [{ start: { row: 3, col: 1 }, end: { row: 3, col: 6 } }],
          not_covered: [{ start: { row: 3, col: 10 }, end: { row: 3, col: 20 } }],
          covered_lines: 1,
          not_covered_lines: 1,
          coverage: 50,
        },
      },
      covered_lines: 1,
      not_covered_lines: 1,
      coverage: 50,
    });
  });

  it("in text name the lines that are missing, and files that have any", () => {
    const empty: CoveredFile = { file: "empty.rego", ranges: [] };
    const report = toCoverage(
      [FILE, empty, { file: "t.rego", ranges: [range(1, 1, 1, 2)] }],
      [
        [0, 0],
        [2, 0],
      ],
    );
    assert.equal(
      toCoverageText(report),
      "coverage:\n  12.5%  p.rego: not covered: 3, 5-9, 12\n 100.0%  t.rego\n  22.2%  of 9 lines\n",
    );
  });

  it("in text never say 100 % of what is not whole, and steer no terminal", () => {
    const lines = Array.from({ length: 3000 }, (_, index) => range(index + 1, 1, index + 1, 2));
    const report = toCoverage(
      [{ file: "p\u001b[31m.rego", ranges: lines }],
      lines.slice(1).map((_, index): Covered => [0, index]),
    );
    assert.match(toCoverageText(report), /^ {2}99\.9% {2}p\\u001b\[31m\.rego: not covered: 3000$/m);
  });
});
