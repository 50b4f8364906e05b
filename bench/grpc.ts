// Checks per second over gRPC, the real decision: svidgate on both listeners and opa-envoy-plugin in turn, in the same run, one core
// for the server and one for the load. `npm run bench -- [--rounds N] [--seconds N]`; the plugin's binary is named by OPA_ENVOY_PLUGIN.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { packageRoot, packageVersion } from "../src/base/package-root.ts";
import { runCli } from "../src/cli/index.ts";
import { toBenchRequest, toGrpcMessage } from "./check-request.ts";
import type { FrameLoadFigures } from "./frame-load.ts";
import { median, spread, table } from "./measure.ts";
import { runFrameLoad } from "./run-frame-load.ts";
import { type BenchCommand, opaEnvoyPlugin, startServer, svidgate } from "./servers.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "3" },
    /** Directory for CPU profiles of svidgate. */
    profile: { type: "string" },
    /** Part of the names of what is measured. */
    only: { type: "string", default: "" },
  },
});
const SERVER_CORE = 0;
const LOAD_CORE = 1;
const FIRST_PORT = 19_291;
/** A third of what the slowest takes. */
const PACED_RATE = 1_000;

interface Round {
  readonly full: FrameLoadFigures;
  readonly paced: FrameLoadFigures;
  readonly startMs: number;
}

async function measure(command: BenchCommand, bodies: string): Promise<Round> {
  const server = await startServer(command);
  try {
    const load = { port: server.port, bodies, pid: server.pid, core: LOAD_CORE };
    const full = runFrameLoad({ ...load, warmUp: 2, seconds: Number(values.seconds) });
    const paced = runFrameLoad({ ...load, warmUp: 0.5, seconds: Number(values.seconds), rate: PACED_RATE });
    const failed = full.notAllowed + paced.notAllowed;
    if (failed > 0) throw new Error(`${command.name}: ${failed} checks were not allowed`);
    return { full, paced, startMs: server.startMs };
  } finally {
    await server.stop();
  }
}

/** The same with a profile of its CPU. */
const profiled = (command: BenchCommand): BenchCommand =>
  values.profile === undefined || command.command !== process.execPath
    ? command
    : { ...command, args: ["--cpu-prof", "--cpu-prof-dir", values.profile, ...command.args] };

async function commandsOf(folder: string): Promise<readonly BenchCommand[]> {
  const policy = join(packageRoot(), "bench", "rbac.rego");
  const bundle = join(folder, "bundle.tar.gz");
  const quiet = {
    env: {},
    out: () => undefined,
    err: (text: string) => void process.stderr.write(text),
    onSignal: () => undefined,
  };
  if ((await runCli(["build", "--policy", policy, "--output", bundle], quiet)) !== 0) throw new Error("no bundle");
  const audit = `file:${join(folder, "audit.jsonl")}`;
  const plugin = process.env["OPA_ENVOY_PLUGIN"];
  if (plugin === undefined) process.stdout.write("OPA_ENVOY_PLUGIN is not set: svidgate alone, without its peer\n");
  const ours = (["line-rate", "grpc-js"] as const).flatMap((listener, index) =>
    [audit, "none"].map((sink, more) => svidgate(bundle, sink, FIRST_PORT + 2 * index + more, SERVER_CORE, listener)),
  );
  const peers = [true, false].flatMap((log, index) =>
    plugin === undefined ? [] : [opaEnvoyPlugin(plugin, policy, log, FIRST_PORT + 4 + index, SERVER_CORE)],
  );
  return [...ours, ...peers].filter(({ name }) => name.includes(values.only)).map(profiled);
}

async function main(folder: string): Promise<void> {
  const body = join(folder, "check-request.bin");
  const message = toGrpcMessage(toBenchRequest());
  writeFileSync(body, message);
  const commands = await commandsOf(folder);
  const results = new Map<string, Round[]>(commands.map(({ name }) => [name, []]));
  for (let round = 1; round <= Number(values.rounds); round++) {
    for (const command of commands) {
      const figures = await measure(command, body);
      results.get(command.name)?.push(figures);
      process.stderr.write(
        `round ${round}/${values.rounds}: ${command.name}: ${Math.round(figures.full.checksPerSecond)}/s\n`,
      );
    }
  }
  process.stdout.write(
    `svidgate ${packageVersion()}, Node ${process.versions.node}, ${cpus()[0]?.model ?? "unknown"}, ${message.length} bytes a check; waiting times at ${PACED_RATE} checks/s\n\n`,
  );
  const rows = [...results].map(([name, rounds]) => {
    const of = (digits: number, pick: (round: Round) => number): string => spread(rounds.map(pick), digits);
    return [
      name,
      of(0, ({ full }) => full.checksPerSecond),
      of(1, ({ full }) => full.serverCpuUs),
      of(2, ({ paced }) => paced.p50Ms),
      of(2, ({ paced }) => paced.p99Ms),
      median(rounds.map(({ startMs }) => startMs)).toFixed(0),
      of(0, ({ full }) => full.serverRssMib),
    ];
  });
  const head = [
    "server, one core",
    "checks/s",
    "CPU of a check, µs",
    "p50 ms",
    "p99 ms",
    "start ms",
    "RSS MiB after load",
  ];
  process.stdout.write(table(head, rows));
}

const folder = mkdtempSync(join(tmpdir(), "svidgate-bench-"));
try {
  await main(folder);
} finally {
  rmSync(folder, { recursive: true });
}
