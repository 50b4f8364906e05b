// One Envoy process: started with a configuration, waited for, asked for its counters, and stopped.

import { type ChildProcess, spawn } from "node:child_process";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { EnvoyConfig } from "./envoy-config.ts";

const START_MS = 20_000;
const STOP_MS = 5_000;
const POLL_MS = 10;

/** What to start. */
export interface EnvoyOptions {
  readonly binary: string;
  readonly config: EnvoyConfig;
  /** Where configuration and log go; one Envoy a folder. */
  readonly folder: string;
  /** Worker threads. */
  readonly concurrency?: number;
}

/** A running Envoy. */
export interface Envoy {
  /** Port of the listener with this name. */
  port(listener: string): number;
  /** Value of one counter or gauge; 0 when Envoy has never touched it. */
  stat(name: string): Promise<number>;
  /** Standard output and error so far: access log and Envoy's own log. */
  output(): Promise<string>;
  stop(): Promise<void>;
}

/** Envoy did not come up; the message holds the end of its log. */
export class EnvoyStartError extends Error {
  override readonly name = "EnvoyStartError";
}

/** Starts Envoy and waits until its listeners take connections. `onStarted` gets the way to stop it even before that. */
export async function startEnvoy(
  options: EnvoyOptions,
  onStarted: (stop: () => Promise<void>) => void,
): Promise<Envoy> {
  const file = (name: string): string => join(options.folder, name);
  await writeFile(file("envoy.json"), JSON.stringify(options.config, undefined, 2), { mode: 0o600 });
  const log = await open(file("envoy.log"), "w", 0o600);
  const child = spawn(
    options.binary,
    [
      ["-c", file("envoy.json")],
      ["--admin-address-path", file("envoy-admin")],
      ["--concurrency", String(options.concurrency ?? 1)],
      // Hot restart takes a shared memory id per machine, which two Envoys would quarrel about.
      ["--disable-hot-restart", "--log-level", "warning"],
      // The access log is read while Envoy runs; by default it comes every 10 s.
      ["--file-flush-interval-msec", "50"],
    ].flat(),
    { stdio: ["ignore", log.fd, log.fd] },
  );
  const gone = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(`it ended with ${signal ?? `exit code ${code}`}`));
  });
  // A fault that ends this process must not leave Envoy running.
  const onExit = (): void => void child.kill("SIGKILL");
  process.once("exit", onExit);
  const stop = async (): Promise<void> => {
    await stopProcess(child, gone);
    process.off("exit", onExit);
  };
  onStarted(stop);
  await log.close();
  const output = (): Promise<string> => readFile(file("envoy.log"), "utf8");
  let isGone = false;
  const ended = gone.then((reason) => {
    isGone = true;
    return { reason };
  });
  const started = await Promise.race([ended, waitForListeners(file("envoy-admin"), () => isGone)]);
  if ("reason" in started) {
    await stop();
    throw new EnvoyStartError(`Envoy did not start: ${started.reason}\n${(await output()).slice(-2000)}`);
  }
  const { admin, ports } = started;
  return {
    port: (listener) => {
      const port = ports.get(listener);
      if (port === undefined) throw new Error(`Envoy has no listener \`${listener}\``);
      return port;
    },
    stat: async (name) => {
      const text = await (await fetch(`http://${admin}/stats?filter=${encodeURIComponent(`^${name}$`)}`)).text();
      return Number(/: (\d+)$/m.exec(text)?.[1] ?? 0);
    },
    output,
    stop,
  };
}

interface Listening {
  readonly admin: string;
  readonly ports: ReadonlyMap<string, number>;
}

/** Ends as soon as there is nobody to wait for: a poll that went on would keep the process alive. */
async function waitForListeners(
  addressFile: string,
  isGone: () => boolean,
): Promise<Listening | { readonly reason: string }> {
  const deadlineMs = performance.now() + START_MS;
  while (performance.now() < deadlineMs && !isGone()) {
    const admin = await readFile(addressFile, "utf8").catch(() => "");
    const ports = admin === "" ? undefined : await readListeners(admin);
    if (ports !== undefined) return { admin, ports };
    await delay(POLL_MS);
  }
  return { reason: `it has no listener after ${START_MS / 1000} s` };
}

async function readListeners(admin: string): Promise<ReadonlyMap<string, number> | undefined> {
  try {
    // `/ready` is not LIVE while clusters and listeners are being prepared.
    if (!(await fetch(`http://${admin}/ready`)).ok) return undefined;
    const answer = (await (await fetch(`http://${admin}/listeners?format=json`)).json()) as {
      listener_statuses?: { name: string; local_address: { socket_address: { port_value: number } } }[];
    };
    const entries = (answer.listener_statuses ?? []).map(
      ({ name, local_address }) => [name, local_address.socket_address.port_value] as const,
    );
    return entries.length === 0 ? undefined : new Map(entries);
  } catch {
    return undefined;
  }
}

async function stopProcess(child: ChildProcess, gone: Promise<unknown>): Promise<void> {
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await gone;
  clearTimeout(timer);
}
