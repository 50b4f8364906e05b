// `svidgate test`: runs the rules named `test_…` in the evaluator that decides in production.

import { setTimeout as delay } from "node:timers/promises";
import { duration } from "../config/field.ts";
import type { CoverageReport } from "../policy/test-runner/coverage.ts";
import { toCoverageJson, toCoverageText } from "../policy/test-runner/report-coverage.ts";
import { toTestJson } from "../policy/test-runner/report-json.ts";
import { toJunitXml } from "../policy/test-runner/report-junit.ts";
import { toPrettyLines, toPrettySummary } from "../policy/test-runner/report-pretty.ts";
import { countResults, type TestResult } from "../policy/test-runner/result.ts";
import { runTests, type TestOptions } from "../policy/test-runner/run-tests.ts";
import { takeSnapshot, watchFiles } from "../policy/test-runner/watch.ts";
import { ALLOW_NET_FLAG, readNetworkOptions } from "./allow-net.ts";
import type { ParsedArguments } from "./arguments.ts";
import { type CliPorts, type Command, EXIT, reportProblems } from "./command.ts";
import { readSettings } from "./settings.ts";
import { readStrictErrors, STRICT_ERRORS_FLAGS, strictErrorsLine } from "./strict-errors.ts";

const FORMATS = ["pretty", "json", "junit"] as const;
type Format = (typeof FORMATS)[number];

/** How long files must rest before tests run again, milliseconds. */
const WATCH_INTERVAL_MS = 250;

/** The command. */
export const test: Command = {
  name: "test",
  summary: "run the tests of Rego policies",
  usage: "PATH [PATH …]",
  examples: [
    "svidgate test policies/service-allow-list",
    "svidgate test -v --run 'denied$' policies/service-allow-list",
    "svidgate test --watch policies/service-allow-list",
    "svidgate test --format junit policies/service-allow-list",
    "svidgate test --coverage --threshold 80 policies/service-allow-list",
  ],
  configFlags: ["data", "rego-version"],
  flags: [
    { flag: "verbose", short: "v", doc: "show tests that pass, and what they print" },
    { flag: "run", short: "r", placeholder: "REGEX", doc: "only tests whose path (data.p_test.test_x) matches; RE2" },
    { flag: "watch", short: "w", doc: "run again whenever a file changes" },
    { flag: "format", short: "f", placeholder: "FORMAT", doc: "pretty (default), json as OPA writes it, or junit" },
    { flag: "coverage", short: "c", doc: "tell which lines no test comes to; with --format json, that alone" },
    { flag: "threshold", placeholder: "PERCENT", doc: "exit 1 when fewer lines are covered; implies --coverage" },
    { flag: "timeout", placeholder: "DURATION", doc: "for each test (default 5s)" },
    ALLOW_NET_FLAG,
    ...STRICT_ERRORS_FLAGS,
    { flag: "fail-on-empty", doc: "exit 1 when there is no test to run" },
  ],
  maxPositionals: Number.POSITIVE_INFINITY,
  async run(args, ports) {
    const resolved = readSettings(args, ports);
    const problems = resolved.ok ? [] : [...resolved.problems];
    const formatText = args.own.get("format")?.[0] ?? "pretty";
    const format = FORMATS.find((one) => one === formatText);
    if (format === undefined) problems.push(`--format: \`${formatText}\` is not valid: expected ${FORMATS.join(", ")}`);
    const timeout = duration(1, 3_600_000)(args.own.get("timeout")?.[0] ?? "5s");
    if (!timeout.ok) problems.push(`--timeout: ${timeout.detail}`);
    const threshold = readThreshold(args, problems);
    const network = resolved.ok ? readNetworkOptions(args, ports, resolved.settings, problems) : {};
    const strictBuiltinErrors = !resolved.ok || readStrictErrors(args, resolved.settings, problems);
    if (args.positionals.length === 0) problems.push("nothing to test: name the folder of a policy and its tests");
    if (problems.length > 0 || !resolved.ok || !timeout.ok || format === undefined)
      return reportProblems(ports, problems);
    const filter = args.own.get("run")?.[0];
    const options: TestOptions = {
      paths: args.positionals,
      dataFiles: resolved.settings.dataFiles,
      regoVersion: resolved.settings.regoVersion,
      timeoutMs: timeout.value,
      network,
      strictBuiltinErrors,
      ...(filter !== undefined && { filter }),
      coverage: args.own.has("coverage") || threshold !== undefined,
    };
    if (format === "pretty") ports.err(strictErrorsLine(strictBuiltinErrors));
    const once = (): Promise<number> => runOnce(options, format, threshold, args, ports);
    return args.own.has("watch") ? watch(options, once, ports) : once();
  },
};

function readThreshold(args: ParsedArguments, problems: string[]): number | undefined {
  const [text] = args.own.get("threshold") ?? [];
  if (text === undefined) return undefined;
  if (/^\d{1,3}(?:\.\d{1,6})?$/.test(text) && Number(text) <= 100) return Number(text);
  problems.push(`--threshold: \`${text}\` is not valid: expected a percentage from 0 to 100`);
  return undefined;
}

async function runOnce(
  options: TestOptions,
  format: Format,
  threshold: number | undefined,
  args: ParsedArguments,
  ports: CliPorts,
): Promise<number> {
  const verbose = args.own.has("verbose");
  // SPEC: with coverage, OPA's JSON is the coverage; what failed is for people then.
  const onlyCoverage = options.coverage === true && format === "json";
  let anyShown = false;
  const run = await runTests(options, (result) => {
    const lines = format === "pretty" || onlyCoverage ? toPrettyLines(result, verbose) : "";
    anyShown ||= lines !== "";
    (onlyCoverage ? ports.err : ports.out)(lines);
  });
  if (!run.ok) {
    for (const problem of run.problems) ports.err(`${problem}\n`);
    return EXIT.usage;
  }
  const { results, coverage } = run;
  if (!onlyCoverage) ports.out(toReport(results, format, anyShown));
  const isCovered = coverage === undefined || reportCoverage(coverage, format, threshold, ports);
  if (results.length === 0) {
    ports.err("no tests were run\n");
    return args.own.has("fail-on-empty") || !isCovered ? EXIT.no : EXIT.fine;
  }
  const { failed, errors } = countResults(results);
  const hasFailed = failed + errors > 0 || results.some(({ outcome }) => outcome === "fail");
  return hasFailed || !isCovered ? EXIT.no : EXIT.fine;
}

/** Whether the coverage is what it should be. JUnit has no place for it, so that it goes to standard error there. */
function reportCoverage(
  report: CoverageReport,
  format: Format,
  threshold: number | undefined,
  ports: CliPorts,
): boolean {
  const text = format === "json" ? toCoverageJson(report) : toCoverageText(report);
  (format === "junit" ? ports.err : ports.out)(text);
  if (threshold === undefined || report.coverage >= threshold) return true;
  ports.err(
    `svidgate: the tests cover ${report.coverage.toFixed(2)}% of the lines, and --threshold asks for ${threshold}%\n`,
  );
  return false;
}

function toReport(results: readonly TestResult[], format: Format, anyShown: boolean): string {
  switch (format) {
    case "pretty":
      return toPrettySummary(results, anyShown);
    case "json":
      return toTestJson(results);
    case "junit":
      return toJunitXml(results);
  }
}

/** Runs until the process is told to end; gives the exit code of the last run. */
async function watch(options: TestOptions, once: () => Promise<number>, ports: CliPorts): Promise<number> {
  const paths = [...options.paths, ...options.dataFiles];
  const stop = new AbortController();
  ports.onSignal("SIGINT", () => stop.abort());
  ports.onSignal("SIGTERM", () => stop.abort());
  let code: number = EXIT.fine;
  await watchFiles(
    {
      snapshot: () => takeSnapshot(paths),
      wait: () => delay(WATCH_INTERVAL_MS, true, { signal: stop.signal }).catch(() => false),
    },
    async () => {
      code = await once();
      ports.err("watching for changes; end with Ctrl-C\n");
    },
  );
  return code;
}
