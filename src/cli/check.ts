// `svidgate check`: decides one request without a server, and says what would be told to Envoy and why.

import { readFile } from "node:fs/promises";
import { askLocally, createHandler, loadDecisionParts } from "../app-decide.ts";
import { startIdentity } from "../app-identity.ts";
import type { DecisionRecord } from "../authz/decide.ts";
import { OUTCOMES } from "../authz/outcome.ts";
import { systemClock } from "../base/clock.ts";
import { systemTimers } from "../base/timers.ts";
import { createUuidV7 } from "../base/uuid-v7.ts";
import type { Settings } from "../config/settings.ts";
import { silentLog } from "../telemetry/log.ts";
import type { ParsedArguments } from "./arguments.ts";
import { toCheckReport } from "./check-report.ts";
import { readCheckFile, toCheckRequest } from "./check-request.ts";
import { type Command, EXIT, reportProblems } from "./command.ts";
import { readSettings } from "./settings.ts";

/** The command. */
export const check: Command = {
  name: "check",
  summary: "decide one request and say why",
  usage: "--policy PATH [REQUEST_FILE | --method … --path … --header … --principal …]",
  examples: [
    "svidgate check --policy policies/service-allow-list request.json",
    "svidgate check --policy policies/service-allow-list --method GET --path '/people/1?limit=20' --principal spiffe://example.org/ns/web/sa/shop",
    "svidgate check --policy policies/service-allow-list --method POST --path /orders --header 'content-type: application/json' --body '{\"id\":7}'",
    "svidgate check --policy bundle.tar.gz recorded-check-request.bin --format json",
  ],
  configFlags: [
    "policy",
    "data",
    "rego-version",
    "entrypoint",
    "workload-api",
    "trust-domain-bundle",
    "jwt-audience",
    "on-error",
    "dry-run",
  ],
  flags: [
    { flag: "method", placeholder: "METHOD", doc: "HTTP method (default GET)" },
    { flag: "path", placeholder: "PATH", doc: "request path with its query (default /)" },
    { flag: "host", placeholder: "HOST", doc: "authority of the request" },
    { flag: "header", placeholder: "'NAME: VALUE'", repeatable: true, doc: "a request header; repeatable" },
    { flag: "body", placeholder: "TEXT", doc: "request body" },
    { flag: "principal", placeholder: "ID", doc: "source principal, as Envoy names the caller" },
    { flag: "destination", placeholder: "ID", doc: "destination principal" },
    { flag: "format", placeholder: "text|json", doc: "how the answer is printed (default text)" },
  ],
  maxPositionals: 1,
  async run(args, ports) {
    const resolved = readSettings(args, ports);
    const format = args.own.get("format")?.[0] ?? "text";
    const problems = resolved.ok ? [] : [...resolved.problems];
    if (format !== "text" && format !== "json")
      problems.push(`--format: \`${format}\` is not valid: expected text or json`);
    const request = await readRequest(args);
    if (!request.ok) problems.push(...request.problems);
    if (problems.length > 0 || !resolved.ok || !request.ok) return reportProblems(ports, problems);
    const decided = await decideOnce(resolved.settings, request.bytes);
    if (!decided.ok) return reportProblems(ports, decided.problems);
    ports.out(toCheckReport(decided.record, resolved.settings, format === "json" ? "json" : "text"));
    return OUTCOMES[decided.record.decision.reason].outcome === "allow" ? EXIT.fine : EXIT.no;
  },
};

type Bytes =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly problems: readonly string[] };

async function readRequest(args: ParsedArguments): Promise<Bytes> {
  const described = ["method", "path", "host", "header", "body", "principal", "destination"].filter((flag) =>
    args.own.has(flag),
  );
  const [file] = args.positionals;
  if (file === undefined) return toCheckRequest(args.own);
  if (described.length > 0) {
    return { ok: false, problems: [`--${described[0]}: give either a request file or flags that describe a request`] };
  }
  const bytes = await readFile(file).catch((error: Error) => error);
  if (bytes instanceof Error) return { ok: false, problems: [`${file}: cannot be read: ${bytes.message}`] };
  return readCheckFile(file, bytes);
}

async function decideOnce(
  settings: Settings,
  bytes: Uint8Array,
): Promise<
  { readonly ok: true; readonly record: DecisionRecord } | { readonly ok: false; readonly problems: readonly string[] }
> {
  const clock = systemClock;
  const loaded = await loadDecisionParts(settings, clock);
  if (!loaded.ok) return loaded;
  // The folder that a server keeps its deny list and its bundles in is the server's.
  const ports = { clock, timers: systemTimers, log: silentLog };
  const started = await startIdentity({ ...settings, stateDir: undefined }, ports);
  if (!started.ok) return started;
  let record: DecisionRecord | undefined;
  let fault: unknown;
  const handler = createHandler(loaded.parts, {
    clock,
    resolve: started.identity.resolve,
    newDecisionId: createUuidV7(clock),
    record: (made) => {
      record = made;
    },
    onFault: (error) => {
      fault = error;
    },
  });
  await askLocally(handler, bytes, clock);
  started.identity.close();
  if (fault !== undefined) throw fault;
  if (record === undefined) throw new Error("the check left no record");
  return { ok: true, record };
}
