// The load of the benchmarks as a program of its own, for a core of its own: `frame-load.js PORT BODIES --seconds N` prints JSON.
// BODIES holds gRPC messages one after the other, which are sent in turn. Closed loop unless `--rate` is given: each connection has a
// fixed number of checks in flight, and answers of one read batch are followed by as many checks in one write. With `--rate` checks
// are sent when they are due, whether answers come or not. `--pid` names the server, whose CPU time is read around the measured part.

import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Latencies } from "./latencies.ts";
import { LoadConnection } from "./load-connection.ts";
import { cpuMs, rssMib } from "./process-figures.ts";

/** What it prints. */
export interface FrameLoadFigures {
  readonly checks: number;
  readonly checksPerSecond: number;
  readonly allowed: number;
  readonly notAllowed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** CPU of the load itself, microseconds a check: 10⁶ through it is the most that it could send. */
  readonly loadCpuUs: number;
  /** CPU of the process that `--pid` names, microseconds a check. */
  readonly serverCpuUs: number;
  /** The part of one core that it used. */
  readonly serverBusy: number;
  readonly serverRssMib: number;
}

function readBodies(file: string): readonly Buffer[] {
  const bytes = readFileSync(file);
  const bodies: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    bodies.push(bytes.subarray(at, end));
    at = end;
  }
  return bodies;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "3" },
    "warm-up": { type: "string", default: "0" },
    connections: { type: "string", default: "8" },
    streams: { type: "string", default: "32" },
    /** Checks in all, in place of a time; 0 for a time. */
    checks: { type: "string", default: "0" },
    /** Checks a second; 0 for a closed loop. */
    rate: { type: "string", default: "0" },
    pid: { type: "string" },
  },
});
const [port, file] = [Number(positionals[0]), positionals[1] ?? ""];
const bodies = readBodies(file);
const streams = Number(values.streams);
const rate = Number(values.rate);
const most = Number(values.checks) || Number.POSITIVE_INFINITY;
const pid = values.pid === undefined ? process.pid : Number(values.pid);

const latencies = new Latencies();
const counts = { allowed: 0, denied: 0, failed: 0 };
let sent = 0;
let isOver = false;
let allAnswered: () => void = () => undefined;
const answered = new Promise<void>((resolve) => {
  allAnswered = resolve;
});

const connections = Array.from({ length: Number(values.connections) }, () => {
  const connection: LoadConnection = new LoadConnection({
    socket: connect(port, "127.0.0.1"),
    bodies,
    onAnswer: (outcome, waitedMs) => {
      counts[outcome]++;
      latencies.add(waitedMs);
    },
    onBatch: () => fill(connection),
    onEnd: (why) => {
      process.stderr.write(`the server ended a connection: ${why}\n`);
      process.exitCode = 1;
      allAnswered();
    },
  });
  return connection;
});

function fill(connection: LoadConnection): void {
  if (rate === 0 && !isOver)
    sent += connection.send(Math.min(streams - connection.inFlight, most - sent), performance.now());
  if (sent >= most && connections.every(({ inFlight }) => inFlight === 0)) allAnswered();
}

/** Sends what is due every millisecond; what a window does not admit waits and counts from the moment when it was due. */
async function pace(forMs: number): Promise<void> {
  const startMs = performance.now();
  for (let due = 0, next = 0; ; ) {
    const nowMs = performance.now();
    if (nowMs - startMs >= forMs) return;
    const owed = Math.floor(((nowMs - startMs) / 1000) * rate) - due;
    const each = Math.ceil(owed / connections.length);
    for (let left = owed, tries = 0; left > 0 && tries < connections.length; tries++) {
      const took = connections[next++ % connections.length]?.send(Math.min(each, left), nowMs) ?? 0;
      due += took;
      left -= took;
    }
    await delay(1);
  }
}

async function run(forMs: number): Promise<void> {
  if (rate > 0) await pace(forMs);
  else {
    for (const connection of connections) fill(connection);
    await (most === Number.POSITIVE_INFINITY ? delay(forMs) : answered);
  }
}

const warmUpMs = Number(values["warm-up"]) * 1000;
if (warmUpMs > 0) await run(warmUpMs);
latencies.clear();
Object.assign(counts, { allowed: 0, denied: 0, failed: 0 });
const startMs = performance.now();
const ownCpu = process.cpuUsage();
const serverMs = cpuMs(pid);
await run(Number(values.seconds) * 1000);
const seconds = (performance.now() - startMs) / 1000;
const { user, system } = process.cpuUsage(ownCpu);
const usedMs = cpuMs(pid) - serverMs;
isOver = true;
const checks = counts.allowed + counts.denied + counts.failed;
const figures: FrameLoadFigures = {
  checks,
  checksPerSecond: checks / seconds,
  allowed: counts.allowed,
  notAllowed: counts.denied + counts.failed,
  p50Ms: latencies.quantileMs(0.5),
  p99Ms: latencies.quantileMs(0.99),
  maxMs: latencies.maxMs,
  loadCpuUs: (user + system) / checks,
  serverCpuUs: (usedMs * 1000) / checks,
  serverBusy: usedMs / 1000 / seconds,
  serverRssMib: rssMib(pid),
};
process.stdout.write(JSON.stringify(figures));
for (const connection of connections) connection.destroy();
