// `svidgate compare`: asks opa-envoy-plugin (or any ext_authz server) and svidgate the same, and prints what differs.

import type { ParsedArguments } from "./arguments.ts";
import { type CliPorts, type Command, EXIT, reportProblems } from "./command.ts";
import type { Asker, OpenedAsker } from "./compare-askers.ts";
import { compareAnswers, type Difference, KINDS, toCompareText } from "./compare-report.ts";
import { type NamedRequest, readRequests } from "./compare-requests.ts";
import { readSettings } from "./settings.ts";

const MAX_FILES = 100_000;
const IN_FLIGHT = 16;
const PROGRESS_MS = 2_000;

/** The command. */
export const compare: Command = {
  name: "compare",
  summary: "ask another ext_authz server and svidgate the same, and show what differs",
  usage: "--against ADDR [--target ADDR | --policy PATH] REQUESTS…",
  examples: [
    "svidgate compare --against 127.0.0.1:9191 --policy policies/service-allow-list request.json recorded.bin",
    "svidgate compare --against unix:/run/opa.sock --target 127.0.0.1:9292 traffic.jsonl --format json",
    "svidgate compare --against 127.0.0.1:9191 -c opa.yaml --policy policies/service-allow-list traffic.jsonl",
  ],
  configFlags: ["policy", "data", "rego-version", "entrypoint", "on-error", "dry-run"],
  flags: [
    {
      flag: "against",
      placeholder: "ADDR",
      doc: "the server to compare with (`there`), host:port or unix:/path, no TLS",
    },
    {
      flag: "target",
      placeholder: "ADDR",
      doc: "a running svidgate to ask (`here`), instead of deciding in this process",
    },
    { flag: "format", placeholder: "text|json", doc: "how differences are printed (default text)" },
  ],
  maxPositionals: MAX_FILES,
  async run(args, ports) {
    const [against] = args.own.get("against") ?? [];
    const format = args.own.get("format")?.[0] ?? "text";
    const problems: string[] = [];
    if (against === undefined || against === "") problems.push("--against: name the server to compare with");
    if (args.positionals.length === 0) problems.push("name the requests: CheckRequest files, or .jsonl files of rows");
    if (format !== "text" && format !== "json")
      problems.push(`--format: \`${format}\` is not valid: expected text or json`);
    const read = await readRequests(args.positionals);
    if (!read.ok && args.positionals.length > 0) problems.push(...read.problems);
    if (against === undefined || !read.ok || problems.length > 0) return reportProblems(ports, problems);

    const here = await openHere(args, ports);
    if (!here.ok) return reportProblems(ports, here.problems);
    const { AskerGone, createServerAsker } = await import("./compare-askers.ts");
    const there = createServerAsker(against);
    try {
      const differences = await compareAll(read.requests, there, here.asker, ports);
      ports.out(
        format === "json"
          ? `${JSON.stringify({ against, requests: read.requests.length, same: read.requests.length - differences.length, differences })}\n`
          : toCompareText(read.requests.length, differences),
      );
      return differences.length > 0 ? EXIT.no : EXIT.fine;
    } catch (error) {
      if (error instanceof AskerGone) return reportProblems(ports, [error.message]);
      throw error;
    } finally {
      there.close();
      here.asker.close();
    }
  },
};

async function openHere(args: ParsedArguments, ports: CliPorts): Promise<OpenedAsker> {
  // PERF: gRPC and the evaluator load only when there is something to ask.
  const { createLocalAsker, createServerAsker } = await import("./compare-askers.ts");
  const [target] = args.own.get("target") ?? [];
  if (target !== undefined && args.config.has("policy")) {
    return { ok: false, problems: ["--target: give either a server to ask or a policy to decide by"] };
  }
  if (target !== undefined) return { ok: true, asker: createServerAsker(target) };
  const resolved = readSettings(args, ports);
  return resolved.ok ? createLocalAsker(resolved.settings) : resolved;
}

/** Asks both sides each request, some at a time; differences by kind, in the order of the requests. */
async function compareAll(
  requests: readonly NamedRequest[],
  there: Asker,
  here: Asker,
  ports: CliPorts,
): Promise<readonly Difference[]> {
  const found = new Map<number, Difference>();
  let next = 0;
  let done = 0;
  let told = Date.now();
  const worker = async (): Promise<void> => {
    for (let index = next++; index < requests.length; index = next++) {
      const { name, bytes } = requests[index] as NamedRequest;
      const [theirs, ours] = await Promise.all([there.ask(bytes), here.ask(bytes)]);
      const difference = compareAnswers(name, theirs, ours);
      if (difference !== undefined) found.set(index, difference);
      done++;
      if (Date.now() - told < PROGRESS_MS) continue;
      told = Date.now();
      ports.err(`svidgate: ${done} of ${requests.length} requests compared, ${found.size} differ\n`);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, requests.length) }, worker));
  } finally {
    next = requests.length;
  }
  const rows = [...found].sort(([a], [b]) => a - b).map(([, difference]) => difference);
  return KINDS.flatMap((kind) => rows.filter((row) => row.kind === kind));
}
