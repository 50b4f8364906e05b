// The servers under load, each a process pinned to one core: svidgate and, beside it, the real opa-envoy-plugin.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { cpuMs, rssMib } from "./process-figures.ts";

/** A server that answers checks. */
export interface BenchServer {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** From the start of the process to the first accepted connection, milliseconds. */
  readonly startMs: number;
  /** Resident memory now, MiB. */
  rssMib(): number;
  /** CPU time so far, milliseconds, to ten of them. */
  cpuMs(): number;
  stop(): Promise<void>;
}

/** What is started. */
export interface BenchCommand {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly port: number;
  readonly core: number;
}

/** Starts a server and waits until its port accepts. Throws with its words when it ends instead. */
export async function startServer({ name, command, args, env, port, core }: BenchCommand): Promise<BenchServer> {
  const started = performance.now();
  // A file and no pipe: while h2load runs nobody would read a pipe, and a server that logs would stand still.
  const words = join(mkdtempSync(join(tmpdir(), "svidgate-bench-")), "stderr");
  const stderr = openSync(words, "w");
  const child = spawn("taskset", ["-c", String(core), command, ...args], {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["ignore", "ignore", stderr],
  });
  closeSync(stderr);
  // `taskset` becomes the program that it starts, so the child's pid is the server's.
  const pid = child.pid ?? 0;
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`${name} ended: ${readFileSync(words, "utf8").slice(-4000)}`);
    await delay(5);
  }
  const startMs = performance.now() - started;
  return {
    name,
    port,
    pid,
    startMs,
    rssMib: () => rssMib(pid),
    cpuMs: () => cpuMs(pid),
    stop: () => stop(child, dirname(words)),
  };
}

const MAIN = fileURLToPath(new URL("../src/main.js", import.meta.url));

/** svidgate as it was built, with a bundle and its audit trail in a file. */
export const svidgate = (
  bundle: string,
  audit: string,
  port: number,
  core: number,
  listener: "line-rate" | "grpc-js" = "line-rate",
): BenchCommand => ({
  name: `svidgate on ${listener}, ${audit === "none" ? "no audit" : "audit to a file"}`,
  command: process.execPath,
  args: [
    MAIN,
    "serve",
    "--policy",
    bundle,
    "--listen",
    `127.0.0.1:${port}`,
    "--admin",
    "off",
    "--audit",
    audit,
    "--listener",
    listener,
    "--set",
    "svidgate.drain.lame_duck=0",
  ],
  port,
  core,
});

/** opa-envoy-plugin with the same policy; its decision log goes to the console (here: discarded) or is off. */
export const opaEnvoyPlugin = (
  binary: string,
  policy: string,
  log: boolean,
  port: number,
  core: number,
): BenchCommand => ({
  name: log ? "opa-envoy-plugin, decision log" : "opa-envoy-plugin, no decision log",
  command: binary,
  args: [
    "run",
    "--server",
    "--addr",
    "127.0.0.1:0",
    "--disable-telemetry",
    "--log-level",
    "error",
    "--set",
    `plugins.envoy_ext_authz_grpc.addr=127.0.0.1:${port}`,
    "--set",
    "plugins.envoy_ext_authz_grpc.path=envoy/authz/allow",
    "--set",
    `decision_logs.console=${log}`,
    policy,
  ],
  env: { GOMAXPROCS: "1" },
  port,
  core,
});

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 5_000);
  if (child.exitCode === null) await once(child, "exit");
  clearTimeout(timer);
  rmSync(folder, { recursive: true });
}
