// `svidgate test`: runs the rules named `test_…` in the evaluator that decides in production.

import { setTimeout as delay } from "node:timers/promises";
import { duration } from "../config/field.ts";
import { toTestJson } from "../policy/test-runner/report-json.ts";
import { toJunitXml } from "../policy/test-runner/report-junit.ts";
import { toPrettyLines, toPrettySummary } from "../policy/test-runner/report-pretty.ts";
import { countResults, type TestResult } from "../policy/test-runner/result.ts";
import { runTests, type TestOptions } from "../policy/test-runner/run-tests.ts";
import { takeSnapshot, watchFiles } from "../policy/test-runner/watch.ts";
import type { ParsedArguments } from "./arguments.ts";
import { type CliPorts, type Command, EXIT, reportProblems } from "./command.ts";
import { readSettings } from "./settings.ts";

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
  ],
  configFlags: ["data", "rego-version"],
  flags: [
    { flag: "verbose", short: "v", doc: "show tests that pass, and what they print" },
    { flag: "run", short: "r", placeholder: "REGEX", doc: "only tests whose path (data.p_test.test_x) matches; RE2" },
    { flag: "watch", short: "w", doc: "run again whenever a file changes" },
    { flag: "format", short: "f", placeholder: "FORMAT", doc: "pretty (default), json as OPA writes it, or junit" },
    { flag: "timeout", placeholder: "DURATION", doc: "for each test (default 5s)" },
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
    if (args.positionals.length === 0) problems.push("nothing to test: name the folder of a policy and its tests");
    if (problems.length > 0 || !resolved.ok || !timeout.ok || format === undefined)
      return reportProblems(ports, problems);
    const filter = args.own.get("run")?.[0];
    const options: TestOptions = {
      paths: args.positionals,
      dataFiles: resolved.settings.dataFiles,
      regoVersion: resolved.settings.regoVersion,
      timeoutMs: timeout.value,
      ...(filter !== undefined && { filter }),
    };
    const once = (): Promise<number> => runOnce(options, format, args, ports);
    return args.own.has("watch") ? watch(options, once, ports) : once();
  },
};

async function runOnce(options: TestOptions, format: Format, args: ParsedArguments, ports: CliPorts): Promise<number> {
  const verbose = args.own.has("verbose");
  let anyShown = false;
  const run = await runTests(options, (result) => {
    const lines = format === "pretty" ? toPrettyLines(result, verbose) : "";
    anyShown ||= lines !== "";
    ports.out(lines);
  });
  if (!run.ok) {
    for (const problem of run.problems) ports.err(`${problem}\n`);
    return EXIT.usage;
  }
  const { results } = run;
  ports.out(toReport(results, format, anyShown));
  if (results.length === 0) {
    ports.err("no tests were run\n");
    return args.own.has("fail-on-empty") ? EXIT.no : EXIT.fine;
  }
  const { failed, errors } = countResults(results);
  return failed + errors > 0 || results.some(({ outcome }) => outcome === "fail") ? EXIT.no : EXIT.fine;
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
