// What is said of a test after it ran. SPEC: the words of `opa test`: a test passes when its rule is true; false, any
// other value and undefined fail; an evaluation that ends with an error is an error.

/** A place in a source, and the text of its line. */
export interface SourcePlace {
  readonly file: string;
  readonly row: number;
  readonly col: number;
  readonly line: string;
}

/** One case of a data-driven test; cases nest as the rule's reference does (`test_x[group][name]`). */
export interface TestCase {
  readonly name: string;
  readonly passed: boolean;
  /** The expression that the case stopped at, when it is known. */
  readonly failedAt?: SourcePlace;
  readonly cases: readonly TestCase[];
}

/** One test. */
export interface TestResult {
  /** Such as `data.p_test`. */
  readonly package: string;
  /** Such as `test_x`, or `test_x#01` for the second test of that name. */
  readonly name: string;
  /** The head of the rule. */
  readonly at: SourcePlace;
  /** `todo`: named `todo_test_…`, so it was not run. */
  readonly outcome: "pass" | "fail" | "error" | "todo";
  readonly durationMs: number;
  /** What it printed, a line each. */
  readonly output: readonly string[];
  /** Why there is an error. */
  readonly error?: { readonly code: string; readonly message: string };
  /** The expression of the test's body that did not hold, when it is known. */
  readonly failedAt?: SourcePlace;
  /** Empty unless the test is data-driven. */
  readonly cases: readonly TestCase[];
}

/** How many of each; the cases of a data-driven test count one by one, as in OPA. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly errors: number;
  readonly todo: number;
}

/** Counts results. */
export function countResults(results: readonly TestResult[]): TestCounts {
  let passed = 0;
  let failed = 0;
  let errors = 0;
  let todo = 0;
  for (const { outcome, cases } of results) {
    if (outcome === "todo") todo++;
    else if (outcome === "error") errors++;
    else if (cases.length > 0) {
      for (const leaf of leaves(cases)) leaf.passed ? passed++ : failed++;
    } else outcome === "pass" ? passed++ : failed++;
  }
  return { passed, failed, errors, todo };
}

function* leaves(cases: readonly TestCase[]): Generator<TestCase> {
  for (const one of cases) {
    if (one.cases.length === 0) yield one;
    else yield* leaves(one.cases);
  }
}
