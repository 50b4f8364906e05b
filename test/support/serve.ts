// A real `svidgate serve` in a process of its own.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { MAIN, STACK_ENVIRONMENT } from "./stack.ts";

const START_MS = 30_000;

export interface Serving {
  /** `host:port` or `unix:/path`. */
  readonly address: string;
  readonly adminAddress: string;
  /** Standard error so far: the log. */
  log(): string;
  signal(name: NodeJS.Signals): void;
  /** Waits for its end after a signal; gives the exit code. */
  ended(): Promise<number | null>;
  /** SIGKILL, and waits. */
  kill(): Promise<void>;
}

/** Starts it with these flags and waits until it serves. */
export async function startServe(flags: readonly string[]): Promise<Serving> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("SVIDGATE_TEST_"));
  const child = spawn(process.execPath, [MAIN, "serve", ...flags], {
    env: { ...Object.fromEntries(inherited), ...STACK_ENVIRONMENT },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  let log = "";
  const started = await new Promise<Record<string, string> | string>((resolve) => {
    const timer = setTimeout(() => resolve("it does not serve"), START_MS);
    child.stderr.on("data", (chunk: Buffer) => {
      log += chunk.toString("utf8");
      const line = log.split("\n").find((text) => text.includes('"msg":"serving"'));
      if (line === undefined) return;
      clearTimeout(timer);
      resolve(JSON.parse(line) as Record<string, string>);
    });
    child.once("exit", (code) => {
      clearTimeout(timer);
      resolve(`it ended with ${code}`);
    });
  });
  if (typeof started === "string") child.kill("SIGKILL");
  assert.ok(typeof started !== "string", `svidgate serve: ${String(started)}\n${log}`);
  return {
    address: started["address"] ?? "",
    adminAddress: started["admin"] ?? "",
    log: () => log,
    signal: (name) => void child.kill(name),
    ended: () => ended,
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
