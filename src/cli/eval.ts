// `svidgate eval`: any Rego query, as `opa eval`, in the evaluator that decides in production.

import { readFile } from "node:fs/promises";
import { stdin } from "node:process";
import { text } from "node:stream/consumers";
import { systemClock } from "../base/clock.ts";
import { parseDataDocument } from "../policy/data-document.ts";
import { evaluateQuery } from "../policy/query.ts";
import { QUERY_FORMATS, toQueryReport } from "../policy/query-report.ts";
import { toJson } from "../policy/value.ts";
import { ALLOW_NET_FLAG, readNetworkOptions } from "./allow-net.ts";
import type { ParsedArguments } from "./arguments.ts";
import { type Command, EXIT, reportProblems } from "./command.ts";
import { readSettings } from "./settings.ts";
import { readStrictErrors, STRICT_ERRORS_FLAGS, strictErrorsLine } from "./strict-errors.ts";

/** The command. */
export const evaluate: Command = {
  name: "eval",
  summary: "evaluate a Rego query",
  usage: "[--policy PATH …] [--data PATH …] [--input FILE] QUERY",
  examples: [
    "svidgate eval '1 + 1'",
    "svidgate eval --policy policies/service-allow-list --input input.json data.envoy.authz.allow",
    "svidgate eval --policy policies/service-allow-list --format pretty 'data.services[service][_].callers[_] = caller'",
    "svidgate eval --policy policies/service-allow-list --input input.json --fail 'data.envoy.authz.allow == true'",
  ],
  configFlags: ["policy", "data", "rego-version"],
  flags: [
    { flag: "input", short: "i", placeholder: "FILE", doc: "the input document, JSON or YAML" },
    { flag: "stdin-input", short: "I", doc: "read the input document (JSON) from standard input" },
    { flag: "format", short: "f", placeholder: "FORMAT", doc: `${QUERY_FORMATS.join(", ")} (default json)` },
    { flag: "fail", doc: "exit 1 when the result is undefined" },
    { flag: "fail-defined", doc: "exit 1 when the result is not undefined" },
    ALLOW_NET_FLAG,
    ...STRICT_ERRORS_FLAGS,
  ],
  maxPositionals: 1,
  async run(args, ports) {
    const resolved = readSettings(args, ports);
    const problems = resolved.ok ? [] : [...resolved.problems];
    const formatText = args.own.get("format")?.[0] ?? "json";
    const format = QUERY_FORMATS.find((one) => one === formatText);
    if (format === undefined)
      problems.push(`--format: \`${formatText}\` is not valid: expected ${QUERY_FORMATS.join(", ")}`);
    if (args.own.has("fail") && args.own.has("fail-defined"))
      problems.push("--fail: give it or --fail-defined, not both");
    const [query] = args.positionals;
    if (query === undefined) problems.push("nothing to evaluate: give a query, such as `data.envoy.authz.allow`");
    const network = resolved.ok ? readNetworkOptions(args, ports, resolved.settings, problems) : {};
    const strictBuiltinErrors = !resolved.ok || readStrictErrors(args, resolved.settings, problems);
    const input = await readInput(args);
    if (!input.ok) problems.push(input.problem);
    if (problems.length > 0 || !resolved.ok || !input.ok || format === undefined || query === undefined)
      return reportProblems(ports, problems);
    // `opa eval --data` takes policies too: whatever is no data file is read as a policy.
    const dataFiles = resolved.settings.dataFiles.filter((path) => DATA_FILE.test(path));
    const policies = resolved.settings.dataFiles.filter((path) => !DATA_FILE.test(path));
    const outcome = await evaluateQuery({
      query,
      paths: [...resolved.settings.policyPaths, ...policies],
      dataFiles,
      regoVersion: resolved.settings.regoVersion,
      ...(input.json !== undefined && { input: input.json }),
      strictBuiltinErrors,
      clock: systemClock,
      network,
      onPrint: (line) => ports.err(`${line}\n`),
    });
    if (!outcome.ok) {
      for (const problem of outcome.problems) ports.err(`${problem}\n`);
      return EXIT.usage;
    }
    if (format === "pretty") ports.err(strictErrorsLine(strictBuiltinErrors));
    ports.out(toQueryReport(outcome.results, format));
    const isDefined = outcome.results.length > 0;
    return (args.own.has("fail") && !isDefined) || (args.own.has("fail-defined") && isDefined) ? EXIT.no : EXIT.fine;
  },
};

const DATA_FILE = /\.(?:json|ya?ml)$/;

type Input =
  | { readonly ok: true; readonly json: string | undefined }
  | { readonly ok: false; readonly problem: string };

async function readInput(args: ParsedArguments): Promise<Input> {
  const file = args.own.get("input")?.[0];
  const fromStdin = args.own.has("stdin-input");
  if (file !== undefined && fromStdin) return { ok: false, problem: "--input: give it or --stdin-input, not both" };
  if (file === undefined && !fromStdin) return { ok: true, json: undefined };
  const name = file ?? "standard input";
  const content = await (file === undefined ? text(stdin) : readFile(file, "utf8")).catch((error: Error) => error);
  if (content instanceof Error) return { ok: false, problem: `${name}: cannot be read: ${content.message}` };
  const document = parseDataDocument(name, content);
  return document.ok
    ? { ok: true, json: toJson(document.value) }
    : { ok: false, problem: document.detail ?? `${name}: ${document.code}` };
}
