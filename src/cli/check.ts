// `svidgate check`: decides one request without a server, and says what would be told to Envoy and why.

import { OUTCOMES } from "../authz/outcome.ts";
import { toCheckReport } from "./check-report.ts";
import { type Command, EXIT, reportProblems } from "./command.ts";
import { decideOnce, REQUEST_FLAGS, readRequest } from "./decide-once.ts";
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
    ...REQUEST_FLAGS,
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
    const decided = await decideOnce(resolved.settings, request.bytes, ports.env);
    if (!decided.ok) return reportProblems(ports, decided.problems);
    ports.out(toCheckReport(decided.record, resolved.settings, format === "json" ? "json" : "text"));
    return OUTCOMES[decided.record.decision.reason].outcome === "allow" ? EXIT.fine : EXIT.no;
  },
};
