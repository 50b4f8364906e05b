// Test results as JUnit XML, which CI systems show: one suite a package, one test case a test or a leaf case of a
// data-driven one. SPEC: there is none; this is the common subset (testsuites, testsuite, testcase, failure, error, skipped).

import { countResults, type SourcePlace, type TestCase, type TestResult } from "./result.ts";

/** All results as one document, with its line feed. */
export function toJunitXml(results: readonly TestResult[]): string {
  const suites = [...groupByPackage(results)].map(([name, members]) =>
    element("testsuite", { name, ...toCounts(members) }, members.flatMap(toTestCases)),
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element("testsuites", toCounts(results), suites)}\n`;
}

function groupByPackage(results: readonly TestResult[]): ReadonlyMap<string, readonly TestResult[]> {
  const packages = new Map<string, TestResult[]>();
  for (const result of results) packages.set(result.package, [...(packages.get(result.package) ?? []), result]);
  return packages;
}

function toCounts(results: readonly TestResult[]): Attributes {
  const { passed, failed, errors, todo } = countResults(results);
  const durationMs = results.reduce((sum, result) => sum + result.durationMs, 0);
  return {
    tests: passed + failed + errors + todo,
    failures: failed,
    errors,
    skipped: todo,
    time: seconds(durationMs),
  };
}

function toTestCases(result: TestResult): string[] {
  const { at, outcome, durationMs, error, failedAt, output } = result;
  const shared = { classname: result.package, file: at.file, line: at.row };
  if (result.cases.length > 0) {
    return [...leaves(result.cases, result.name)].map(([name, one]) =>
      element("testcase", { name, ...shared, time: seconds(0) }, one.passed ? [] : [failure(one.failedAt ?? at)]),
    );
  }
  const inside: string[] = [];
  if (outcome === "fail") inside.push(failure(failedAt ?? at));
  if (error !== undefined) inside.push(element("error", { type: error.code, message: error.message }, []));
  if (outcome === "todo") inside.push(element("skipped", { message: "named todo_test_" }, []));
  if (output.length > 0) inside.push(`<system-out>${escapeXml(output.join("\n"))}</system-out>`);
  return [element("testcase", { name: result.name, ...shared, time: seconds(durationMs) }, inside)];
}

function* leaves(cases: readonly TestCase[], prefix: string): Generator<[name: string, one: TestCase]> {
  for (const one of cases) {
    const name = `${prefix}[${JSON.stringify(one.name)}]`;
    if (one.cases.length === 0) yield [name, one];
    else yield* leaves(one.cases, name);
  }
}

const failure = ({ file, row, col, line }: SourcePlace): string =>
  element("failure", { message: `${file}:${row}:${col}: did not hold: ${line.trim()}` }, []);

type Attributes = Readonly<Record<string, string | number>>;

function element(name: string, attributes: Attributes, children: readonly string[]): string {
  const head = `${name}${Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${escapeXml(String(value))}"`)
    .join("")}`;
  return children.length === 0 ? `<${head}/>` : `<${head}>\n${children.join("\n")}\n</${name}>`;
}

const seconds = (ms: number): string => (ms / 1000).toFixed(6);

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** XML has no place for most control characters, not even escaped; lone surrogates neither. */
const escapeXml = (text: string): string =>
  text
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, "\ufffd")
    .replace(/[&<>"]/g, (character) => ESCAPES[character] ?? character);
