// Checks per second over gRPC: svidgate and opa-envoy-plugin in turn, in the same run, one core for the server and one for
// the load. `npm run bench -- [--rounds N] [--requests N]`; the plugin's binary is named by OPA_ENVOY_PLUGIN.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { packageRoot, packageVersion } from "../src/base/package-root.ts";
import { runCli } from "../src/cli/index.ts";
import { toBenchRequest, toGrpcMessage } from "./check-request.ts";
import { type LoadFigures, runLoad } from "./load.ts";
import { type BenchCommand, opaEnvoyPlugin, startServer, svidgate } from "./servers.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "3" }, requests: { type: "string", default: "60000" } },
});
const rounds = Number(values.rounds);
const requests = Number(values.requests);
const SERVER_CORE = 0;
const LOAD_CORE = 1;

const folder = mkdtempSync(join(tmpdir(), "svidgate-bench-"));
const policy = join(packageRoot(), "bench", "rbac.rego");
const bundle = join(folder, "bundle.tar.gz");
const body = join(folder, "check-request.bin");

interface Measured {
  readonly figures: readonly LoadFigures[];
  readonly startMs: readonly number[];
  readonly rssMib: readonly number[];
}

async function measure(command: BenchCommand): Promise<{ figures: LoadFigures; startMs: number; rssMib: number }> {
  const server = await startServer(command);
  try {
    const load = { port: server.port, body, connections: 8, streams: 32, core: LOAD_CORE };
    runLoad({ ...load, requests: Math.ceil(requests / 3) });
    const figures = runLoad({ ...load, requests });
    if (figures.failed > 0) throw new Error(`${command.name}: ${figures.failed} checks failed`);
    return { figures, startMs: server.startMs, rssMib: server.rssMib() };
  } finally {
    await server.stop();
  }
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;

async function main(): Promise<void> {
  writeFileSync(body, toGrpcMessage(toBenchRequest()));
  const quiet = {
    env: {},
    out: () => undefined,
    err: (text: string) => void process.stderr.write(text),
    onSignal: () => undefined,
  };
  if ((await runCli(["build", "--policy", policy, "--output", bundle], quiet)) !== 0) throw new Error("no bundle");
  const audit = `file:${join(folder, "audit.jsonl")}`;
  const plugin = process.env["OPA_ENVOY_PLUGIN"];
  const commands = [
    svidgate(bundle, audit, 19_291, SERVER_CORE),
    svidgate(bundle, "none", 19_292, SERVER_CORE),
    ...(plugin === undefined
      ? []
      : [
          opaEnvoyPlugin(plugin, policy, true, 19_293, SERVER_CORE),
          opaEnvoyPlugin(plugin, policy, false, 19_294, SERVER_CORE),
        ]),
  ];
  if (plugin === undefined) process.stdout.write("OPA_ENVOY_PLUGIN is not set: svidgate alone, without its peer\n");
  const results = new Map<string, Measured>();
  for (let round = 1; round <= rounds; round++) {
    for (const command of commands) {
      process.stderr.write(`round ${round}/${rounds}: ${command.name}\n`);
      const { figures, startMs, rssMib } = await measure(command);
      const before = results.get(command.name) ?? { figures: [], startMs: [], rssMib: [] };
      results.set(command.name, {
        figures: [...before.figures, figures],
        startMs: [...before.startMs, startMs],
        rssMib: [...before.rssMib, rssMib],
      });
    }
  }
  const model = cpus()[0]?.model ?? "unknown";
  process.stdout.write(
    `svidgate ${packageVersion()}, Node ${process.versions.node}, ${model}, ${requests} checks a run, ${readFileSync(body).length} bytes each\n\n`,
  );
  process.stdout.write(
    "| server, one core | checks/s: median (min–max) | mean ms | start ms | RSS MiB after load |\n| --- | --- | --- | --- | --- |\n",
  );
  for (const [name, { figures, startMs, rssMib }] of results) {
    const rates = figures.map(({ checksPerSecond }) => checksPerSecond);
    const range = `${Math.round(median(rates))} (${Math.round(Math.min(...rates))}–${Math.round(Math.max(...rates))})`;
    const mean = median(figures.map(({ meanMs }) => meanMs)).toFixed(1);
    process.stdout.write(
      `| ${name} | ${range} | ${mean} | ${Math.round(median(startMs))} | ${Math.round(median(rssMib))} |\n`,
    );
  }
}

try {
  await main();
  process.stderr.write("what identity costs: npm run bench:identity\n");
} finally {
  rmSync(folder, { recursive: true });
}
