// What a listener costs: a Check that does nothing, side by side in one run on the line-rate listener, on grpc-js, on node:http2, and
// under a roof, frames walked through and nothing obeyed. Server on one core, load on the other. `npm run bench:listener --
// [--rounds N] [--seconds N] [--only NAME,NAME]`.
// Checks a second are what the two cores gave; "per core" is 10⁶ through the server's CPU time a check, which needs no load that
// keeps the server busy.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { packageVersion } from "../src/base/package-root.ts";
import { toBenchRequest, toGrpcMessage } from "./check-request.ts";
import type { FrameLoadFigures } from "./frame-load.ts";
import { runLoad } from "./load.ts";
import { median, spread, table } from "./measure.ts";
import { runFrameLoad } from "./run-frame-load.ts";
import { startServer } from "./servers.ts";

const PROGRAM = fileURLToPath(new URL("./listener-server.js", import.meta.url));
const SERVER_CORE = 0;
const LOAD_CORE = 1;
const FIRST_PORT = 19_331;
/** Far below what any of them takes, so that waiting times are the listener's and not the queue's. */
const PACED_RATE = 5_000;
const KINDS = ["line-rate", "grpc-js", "node-http2", "bare-frames"];

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    only: { type: "string", default: KINDS.join(",") },
    connections: { type: "string", default: "8" },
    streams: { type: "string", default: "64" },
    /** Directory for CPU profiles of the servers. */
    profile: { type: "string" },
    /** h2load beside our own load. */
    h2load: { type: "boolean", default: false },
  },
});

interface Round {
  readonly full: FrameLoadFigures;
  /** One check in flight on each connection: nothing shares a read or a write. */
  readonly single: FrameLoadFigures;
  readonly paced: FrameLoadFigures;
  readonly h2load: number;
}

async function measure(kind: string, port: number, body: string): Promise<Round> {
  const profile = values.profile === undefined ? [] : ["--cpu-prof", "--cpu-prof-dir", values.profile];
  const args = [...profile, PROGRAM, kind, String(port)];
  const server = await startServer({ name: kind, command: process.execPath, args, port, core: SERVER_CORE });
  try {
    const connections = Number(values.connections);
    const streams = Number(values.streams);
    const load = { port, bodies: body, core: LOAD_CORE, pid: server.pid, connections, streams };
    const full = runFrameLoad({ ...load, warmUp: 1.5, seconds: Number(values.seconds) });
    const single = runFrameLoad({ ...load, streams: 1, warmUp: 0.5, seconds: Number(values.seconds) });
    const paced = runFrameLoad({ ...load, warmUp: 0.5, seconds: Number(values.seconds), rate: PACED_RATE });
    for (const { notAllowed } of [full, single, paced])
      if (notAllowed > 0) throw new Error(`${kind}: ${notAllowed} checks were not allowed`);
    const requests = Math.ceil(full.checksPerSecond * Number(values.seconds));
    const h2load = values.h2load
      ? runLoad({ port, body, requests, connections, streams, core: LOAD_CORE }).checksPerSecond
      : Number.NaN;
    return { full, single, paced, h2load };
  } finally {
    await server.stop();
  }
}

async function main(folder: string): Promise<void> {
  const body = join(folder, "check-request.bin");
  const message = toGrpcMessage(toBenchRequest());
  writeFileSync(body, message);
  const kinds = values.only.split(",");
  const results = new Map<string, Round[]>(kinds.map((kind) => [kind, []]));
  for (let round = 1; round <= Number(values.rounds); round++) {
    for (const [index, kind] of kinds.entries()) {
      const figures = await measure(kind, FIRST_PORT + index, body);
      results.get(kind)?.push(figures);
      process.stderr.write(`round ${round}/${values.rounds}: ${kind}: ${Math.round(figures.full.checksPerSecond)}/s\n`);
    }
  }
  process.stdout.write(
    `svidgate ${packageVersion()}, Node ${process.versions.node}, ${cpus()[0]?.model ?? "unknown"}; ${message.length} bytes a check, ${values.connections} connections with ${values.streams} in flight each; waiting times at ${PACED_RATE} checks/s\n\n`,
  );
  const rows = [...results].map(([kind, rounds]) => {
    const of = (digits: number, pick: (round: Round) => number): string => spread(rounds.map(pick), digits);
    const middle = (pick: (round: Round) => number): number => median(rounds.map(pick));
    return [
      kind,
      of(0, ({ full }) => full.checksPerSecond),
      of(2, ({ full }) => full.serverCpuUs),
      Math.round(1e6 / middle(({ full }) => full.serverCpuUs)).toString(),
      `${Math.round(100 * middle(({ full }) => full.serverBusy))} %`,
      middle(({ full }) => full.loadCpuUs).toFixed(2),
      of(1, ({ single }) => single.serverCpuUs),
      of(2, ({ paced }) => paced.p50Ms),
      of(2, ({ paced }) => paced.p99Ms),
      of(0, ({ full }) => full.serverRssMib),
      ...(values.h2load ? [of(0, ({ h2load }) => h2load)] : []),
    ];
  });
  const head = [
    ...["a check that does nothing on", "checks/s", "CPU of a check, µs", "checks/s per core", "server busy"],
    ...["CPU of the load, µs", "CPU of a check, one in flight, µs", "p50 ms", "p99 ms", "RSS MiB"],
    ...(values.h2load ? ["h2load: checks/s"] : []),
  ];
  process.stdout.write(table(head, rows));
}

const folder = mkdtempSync(join(tmpdir(), "svidgate-bench-"));
try {
  await main(folder);
} finally {
  rmSync(folder, { recursive: true });
}
