// The soak: a real `svidgate serve` at a part of its measured capacity, every answer checked, policy reloads and audit rotations,
// connections that come and go, hostile peers beside. `npm run soak -- --minutes 60 [--tls] [--listener NAME] [--load 0.8]
// [--max-growth MIB]`; ends with 1 when an ordinary check was harmed, memory grew, or something else that it promises did not hold.
// With two cores the server has one (`--no-pin` to leave that to the kernel), the peers the other.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { packageVersion } from "../../src/base/package-root.ts";
import type { Latencies } from "../latencies.ts";
import { table } from "../measure.ts";
import type { AttackFigures } from "./hostile.ts";
import { OrdinaryPeers } from "./ordinary.ts";
import { SAMPLE_HEAD, type Sample, takeSample, toRow } from "./sample.ts";
import { hostileCounts, judge, printVerdict } from "./verdict.ts";
import { ordinaryChecks, type SoakServer, startSoakServer } from "./world.ts";

const HOSTILE = fileURLToPath(new URL("./hostile.js", import.meta.url));
const SERVER_CORE = 0;
const PEERS_CORE = 1;
const CONNECTIONS = 8;
const IN_FLIGHT = 32;
const TICK_MS = 2;
const CHURN_MS = 1_000;
/** Of the whole soak, before memory is judged; five minutes at most. */
const WARM_UP = 0.3;
const MAX_WARM_UP_MS = 300_000;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    listener: { type: "string", default: "line-rate" },
    tls: { type: "boolean", default: false },
    /** Part of the measured capacity. */
    load: { type: "string", default: "0.8" },
    /** Growth of memory that is still flat, MiB over the measured time, by the line through its samples. */
    "max-growth": { type: "string", default: "16" },
    "reload-seconds": { type: "string", default: "30" },
    "sample-seconds": { type: "string", default: "10" },
    /** Seconds of closed loop that say what the capacity is. */
    "capacity-seconds": { type: "string", default: "10" },
    /** Milliseconds between a hostile connection and the next of its kind. */
    "hostile-pause": { type: "string", default: "1000" },
    "no-pin": { type: "boolean", default: false },
    /** More words for `svidgate serve`, e.g. `--set key=value`. */
    serve: { type: "string", multiple: true, default: [] },
  },
});

const soakMs = Number(values.minutes) * 60_000;

/** Starts the hostile peers; `stop` ends them and gives what came of them. */
function startHostile(server: SoakServer): { stop(): Promise<Record<string, AttackFigures>> } {
  const words = [HOSTILE, String(server.port), values["hostile-pause"]];
  if (server.caFile !== undefined) words.push(server.caFile);
  const child = spawn(process.execPath, words, { stdio: ["pipe", "pipe", "inherit"] });
  let printed = "";
  child.stdout.on("data", (chunk: Buffer) => {
    printed += chunk.toString();
  });
  return {
    stop: async () => {
      child.stdin.end();
      const timer = setTimeout(() => child.kill("SIGKILL"), 30_000);
      await once(child, "close");
      clearTimeout(timer);
      return JSON.parse(printed) as Record<string, AttackFigures>;
    },
  };
}

/** Every `everyMs` on time, skipping what was missed. */
function createBeat(everyMs: number, startMs: number): (nowMs: number) => boolean {
  let nextMs = startMs + everyMs;
  return (nowMs) => {
    if (nowMs < nextMs) return false;
    nextMs += everyMs * Math.max(1, Math.ceil((nowMs - nextMs) / everyMs));
    return true;
  };
}

interface Soaked {
  readonly samples: readonly Sample[];
  readonly latencies: Latencies;
  readonly due: number;
  readonly reloads: number;
}

async function soak(server: SoakServer, peers: OrdinaryPeers, rate: number): Promise<Soaked> {
  const samples: Sample[] = [];
  const startMs = performance.now();
  const isReload = createBeat(Number(values["reload-seconds"]) * 1000, startMs);
  const isChurn = createBeat(CHURN_MS, startMs);
  const isSample = createBeat(Number(values["sample-seconds"]) * 1000, startMs);
  let reloads = 0;
  let due = 0;
  let sampling: Promise<void> | undefined;
  const sample = async (): Promise<void> => {
    const metrics = await server.metrics();
    const atMs = performance.now() - startMs;
    const taken = takeSample(atMs, samples.at(-1)?.atMs ?? 0, metrics, peers.takeInterval(), peers.figures.harmed);
    samples.push(taken);
    process.stdout.write(`| ${toRow(taken).join(" | ")} |\n`);
    sampling = undefined;
  };
  process.stdout.write(table(SAMPLE_HEAD, []));
  for (let asked = 0, nowMs = startMs; nowMs - startMs < soakMs; nowMs = performance.now()) {
    due = Math.floor(((nowMs - startMs) / 1000) * rate);
    // What could not be sent when it was due has waited since then.
    const dueMs = startMs + (asked / rate) * 1000 + TICK_MS;
    if (due > asked) asked += peers.ask(due - asked, Math.min(nowMs, dueMs));
    if (isChurn(nowMs)) peers.replaceOne();
    if (isReload(nowMs)) {
      server.reload();
      reloads++;
    }
    if (isSample(nowMs)) sampling ??= sample();
    await delay(TICK_MS);
  }
  await peers.settled();
  await sampling;
  return { samples, due, reloads, latencies: peers.figures.latencies };
}

async function main(folder: string): Promise<boolean> {
  const pinned = !values["no-pin"];
  if (pinned) spawnSync("taskset", ["-pc", String(PEERS_CORE), String(process.pid)]);
  const server = await startSoakServer(folder, {
    listener: values.listener,
    tls: values.tls,
    flags: values.serve,
    core: pinned ? SERVER_CORE : undefined,
  });
  const caPem = server.caFile === undefined ? undefined : readFileSync(server.caFile, "utf8");
  const target = { port: server.port, caPem };
  const warmUp = new OrdinaryPeers(target, ordinaryChecks(), CONNECTIONS);
  const capacityMs = Number(values["capacity-seconds"]) * 1000;
  await warmUp.measureCapacity(IN_FLIGHT, capacityMs / 2);
  const capacity = await warmUp.measureCapacity(IN_FLIGHT, capacityMs);
  warmUp.close();
  const rate = Math.floor(capacity * Number(values.load));
  process.stdout.write(
    `svidgate ${packageVersion()}, Node ${process.versions.node}, listener ${values.listener}, ${values.tls ? "TLS" : "plaintext"}: ${capacity.toFixed(0)} checks/s at most, ${rate} asked a second, for ${values.minutes} minutes\n\n`,
  );
  const before = await server.metrics();
  const hostile = startHostile(server);
  const peers = new OrdinaryPeers(target, ordinaryChecks(), CONNECTIONS);
  const soaked = await soak(server, peers, rate);
  const attacks = await hostile.stop();
  const metrics = await server.metrics();
  peers.close();
  const exitCode = await server.stop();
  process.stdout.write(
    `\n${table(
      ["hostile peers", "connections", "ended by svidgate", "GOAWAY codes"],
      Object.entries(attacks).map(([name, { connections, ended, goaways }]) => [
        name,
        String(connections),
        String(ended),
        Object.entries(goaways)
          .map(([code, count]) => `${code}: ${count}`)
          .join(", "),
      ]),
    )}\n${table(
      ["/metrics", "count"],
      hostileCounts(metrics).map(([series, count]) => [`\`${series}\``, String(count)]),
    )}\n`,
  );
  const warmUpMs = Math.min(MAX_WARM_UP_MS, WARM_UP * soakMs);
  const verdicts = judge({
    ...soaked,
    warmUpMs,
    maxGrowthMib: Number(values["max-growth"]),
    ordinary: peers.figures,
    attacks,
    before,
    metrics,
    exitCode,
  });
  const harmed = [...warmUp.complaints, ...peers.complaints];
  for (const complaint of harmed) process.stdout.write(`${complaint}\n`);
  for (const verdict of verdicts) process.stdout.write(printVerdict(verdict));
  const holds = verdicts.every((verdict) => verdict.holds) && harmed.length === 0;
  // What it says of hostile connections is in the metrics.
  const lines = server
    .log()
    .split("\n")
    .filter((line) => !line.includes('"msg":"connection '));
  if (!holds) process.stdout.write(`its log ends with:\n${lines.slice(-30).join("\n")}\n`);
  return holds;
}

const folder = mkdtempSync(join(tmpdir(), "svidgate-soak-"));
try {
  if (!(await main(folder))) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}
