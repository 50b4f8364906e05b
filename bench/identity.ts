// What proving who calls costs: `npm run bench:identity -- [--passes N] [--rounds N] [--requests N] [--distinct N] [--only PART]`.
// It prints the tables of README.md; PART is one of decisions, first, memory, lookups, grpc. CPU is the whole process's, all its threads.

import { mkdtempSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { packageVersion } from "../src/base/package-root.ts";
import { benchDecisions } from "./identity-decisions.ts";
import { benchFirstSeen } from "./identity-first.ts";
import { benchGrpc } from "./identity-grpc.ts";
import { benchLookups } from "./identity-lookups.ts";
import { benchMemory } from "./identity-memory.ts";
import { createBenchAuthorities } from "./identity-world.ts";

const { values } = parseArgs({
  options: {
    passes: { type: "string", default: "9" },
    rounds: { type: "string", default: "2" },
    requests: { type: "string", default: "8000" },
    /** More than are remembered, so that the bound shows. */
    distinct: { type: "string", default: "12000" },
    only: { type: "string" },
  },
});
const passes = Number(values.passes);
const folder = mkdtempSync(join(tmpdir(), "svidgate-bench-"));

try {
  const authorities = createBenchAuthorities(folder);
  const parts: Readonly<Record<string, () => Promise<string>>> = {
    // Short passes, many of them: a pass during which nobody else ran is among them.
    decisions: () => benchDecisions(authorities, passes * 5, 400),
    first: () => benchFirstSeen(authorities, passes, 150),
    memory: () => benchMemory(authorities, [10_000, Number(values.distinct)]),
    lookups: () => benchLookups(passes),
    grpc: () => benchGrpc(authorities, folder, Number(values.rounds), Number(values.requests)),
  };
  const load = loadavg()[0]?.toFixed(1);
  process.stdout.write(
    `svidgate ${packageVersion()}, Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? "unknown"}, load ${load} at the start, median (min–max) of ${passes} passes, over gRPC of ${values.rounds} rounds\n`,
  );
  for (const [name, run] of Object.entries(parts)) {
    if (values.only !== undefined && values.only !== name) continue;
    process.stderr.write(`${name} …\n`);
    process.stdout.write(`\n${await run()}`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
