// `svidgate bench`: how long one policy takes for one input, and where the time goes, in the evaluator that decides in production.

import { readFile } from "node:fs/promises";
import { type Environment, toNetworkOptions } from "../app-network.ts";
import { systemClock } from "../base/clock.ts";
import { duration, integer } from "../config/field.ts";
import type { Settings } from "../config/settings.ts";
import { measurePolicy } from "../policy/bench/measure.ts";
import { toBenchJson, toBenchText } from "../policy/bench/report.ts";
import { parseDataDocument } from "../policy/data-document.ts";
import { toJson } from "../policy/value.ts";
import type { ParsedArguments } from "./arguments.ts";
import { type Command, EXIT, reportProblems } from "./command.ts";
import { decideOnce, REQUEST_FLAGS, readRequest, requestFlagsIn } from "./decide-once.ts";
import { readSettings } from "./settings.ts";
import { readStrictErrors, STRICT_ERRORS_FLAGS } from "./strict-errors.ts";

const FORMATS = ["pretty", "json"] as const;

/** Times of single evaluations are kept, eight bytes each. */
const MAX_COUNT = 10_000_000;
const MAX_DURATION_MS = 600_000;

/** The command. */
export const bench: Command = {
  name: "bench",
  summary: "measure a policy's evaluation, by phase",
  usage: "--policy PATH [--input FILE | REQUEST_FILE | --method … --path … --header … --principal …]",
  examples: [
    "svidgate bench --policy policies/service-allow-list --input input.json",
    "svidgate bench --policy policies/service-allow-list --path /people/1 --principal spiffe://example.org/ns/web/sa/shop",
    "svidgate bench --policy bundle.tar.gz --input input.json --duration 500ms --format json",
    "svidgate bench --policy bundle.tar.gz request.json --count 1000 --fail-above 1000000",
  ],
  configFlags: ["policy", "data", "rego-version", "entrypoint", "workload-api", "trust-domain-bundle", "jwt-audience"],
  flags: [
    { flag: "input", short: "i", placeholder: "FILE", doc: "the input document, JSON or YAML" },
    ...REQUEST_FLAGS,
    ...STRICT_ERRORS_FLAGS,
    { flag: "duration", placeholder: "DURATION", doc: "how long to measure (default 2s)" },
    { flag: "count", placeholder: "N", doc: "how many evaluations to measure, instead of a time" },
    { flag: "format", short: "f", placeholder: "FORMAT", doc: "pretty (default) or json" },
    { flag: "fail-above", placeholder: "MICROSECONDS", doc: "exit 1 when the median is above" },
  ],
  maxPositionals: 1,
  async run(args, ports) {
    const resolved = readSettings(args, ports);
    const problems = resolved.ok ? [] : [...resolved.problems];
    const formatText = args.own.get("format")?.[0] ?? "pretty";
    const format = FORMATS.find((one) => one === formatText);
    if (format === undefined) problems.push(`--format: \`${formatText}\` is not valid: expected ${FORMATS.join(", ")}`);
    const strictBuiltinErrors = !resolved.ok || readStrictErrors(args, resolved.settings, problems);
    const extent = readExtent(args, problems);
    const limitUs = readLimit(args, problems);
    const input = resolved.ok ? await readInput(args, resolved.settings, ports.env) : undefined;
    if (input?.ok === false) problems.push(...input.problems);
    if (problems.length > 0 || !resolved.ok || format === undefined || input?.ok !== true)
      return reportProblems(ports, problems);
    const { settings } = resolved;
    const outcome = await measurePolicy({
      paths: settings.policyPaths,
      dataFiles: settings.dataFiles,
      regoVersion: settings.regoVersion,
      entrypoint: settings.entrypoint,
      engine: settings.engine,
      strictBuiltinErrors,
      budgetSteps: settings.budgetSteps,
      maxMemoryBytes: settings.maxMemoryBytes,
      clock: systemClock,
      network: toNetworkOptions(settings, ports.env),
      input: input.json,
      ...extent,
    });
    if (!outcome.ok) return reportProblems(ports, outcome.problems);
    const { report } = outcome;
    ports.out(format === "json" ? toBenchJson(report) : toBenchText(report));
    if (limitUs === undefined || report.us.p50 <= limitUs) return EXIT.fine;
    ports.err(
      `svidgate: the median of ${report.us.p50.toFixed(2)} µs is above ${limitUs} µs, which --fail-above allows\n`,
    );
    return EXIT.no;
  },
};

interface Extent {
  readonly count: number;
  readonly durationMs: number;
}

function readExtent(args: ParsedArguments, problems: string[]): Extent {
  const [countText] = args.own.get("count") ?? [];
  const [durationText] = args.own.get("duration") ?? [];
  if (countText !== undefined && durationText !== undefined) problems.push("--count: give it or --duration, not both");
  const count = integer(1, MAX_COUNT)(countText ?? String(MAX_COUNT));
  const durationMs = duration(1, MAX_DURATION_MS)(durationText ?? (countText === undefined ? "2s" : "10m"));
  if (!count.ok) problems.push(`--count: ${count.detail}`);
  if (!durationMs.ok) problems.push(`--duration: ${durationMs.detail}`);
  return { count: count.ok ? count.value : 0, durationMs: durationMs.ok ? durationMs.value : 0 };
}

function readLimit(args: ParsedArguments, problems: string[]): number | undefined {
  const [text] = args.own.get("fail-above") ?? [];
  if (text === undefined) return undefined;
  if (/^\d{1,9}(?:\.\d{1,6})?$/.test(text)) return Number(text);
  problems.push(`--fail-above: \`${text}\` is not valid: expected microseconds, such as 50 or 12.5`);
  return undefined;
}

type Input =
  | { readonly ok: true; readonly json: string }
  | { readonly ok: false; readonly problems: readonly string[] };

/** The input document: a file's, or the one that a check of the request evaluates the policy over. */
async function readInput(args: ParsedArguments, settings: Settings, environment: Environment): Promise<Input> {
  const [file] = args.own.get("input") ?? [];
  if (file === undefined) return inputOfRequest(args, settings, environment);
  if (args.positionals.length > 0 || requestFlagsIn(args).length > 0) {
    return { ok: false, problems: ["--input: give the input document or a request, not both"] };
  }
  const content = await readFile(file, "utf8").catch((error: Error) => error);
  if (content instanceof Error) return { ok: false, problems: [`${file}: cannot be read: ${content.message}`] };
  const document = parseDataDocument(file, content);
  return document.ok
    ? { ok: true, json: toJson(document.value) }
    : { ok: false, problems: [document.detail ?? `${file}: ${document.code}`] };
}

async function inputOfRequest(args: ParsedArguments, settings: Settings, environment: Environment): Promise<Input> {
  const request = await readRequest(args);
  if (!request.ok) return request;
  const decided = await decideOnce(settings, request.bytes, environment);
  if (!decided.ok) return decided;
  const { input, decision } = decided.record;
  if (input !== undefined) return { ok: true, json: input };
  return {
    ok: false,
    problems: [`the request does not come to an evaluation: ${decision.reason}: \`svidgate check\` says more`],
  };
}
