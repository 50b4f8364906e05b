// `svidgate` as a process of its own: started, read, signalled, ended.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { after } from "node:test";
import { MAIN, STACK_ENVIRONMENT } from "./stack.ts";

/** A test that fails leaves its process behind, and that would keep the file's own process alive for ever. */
const children = new Set<ChildProcess>();
after(() => {
  for (const child of children) child.kill("SIGKILL");
});

/** What a finished command left. */
export interface Finished {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a command to its end. */
export async function runSvidgate(args: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...STACK_ENVIRONMENT, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = collect(child);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...output };
}

/** A running `svidgate serve`. */
export interface Serving {
  /** `host:port` or `unix:/path`. */
  readonly address: string;
  /** `http://host:port`. */
  readonly admin: string;
  signal(name: NodeJS.Signals): void;
  /** Resolves when a log line with this message appears (from now on or before). */
  logged(message: string, times?: number): Promise<void>;
  /** Ends it and gives what it left. */
  stop(signal?: NodeJS.Signals): Promise<Finished>;
}

/** Starts `serve` on free ports and waits until it serves. Throws with its output when it ends instead. */
export async function startServing(args: readonly string[]): Promise<Serving> {
  const words = [MAIN, "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
  const defaults = args.includes("--listen") ? [MAIN, "serve", "--admin", "127.0.0.1:0"] : words;
  const quick = ["--set", "svidgate.drain.lame_duck=50ms", "--set", "svidgate.drain.grace=2s"];
  const child = spawn(process.execPath, [...defaults, ...quick, ...args], {
    env: STACK_ENVIRONMENT,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = collect(child);
  const ended = once(child, "close");
  let wake = (): void => undefined;
  child.stderr?.on("data", () => wake());
  const logged = async (message: string, times = 1): Promise<void> => {
    while (countOf(output.err, `"msg":"${message}"`) < times) {
      const next = new Promise<"more">((resolve) => {
        wake = () => resolve("more");
      });
      if ((await Promise.race([next, ended])) !== "more") {
        throw new Error(`svidgate ended before it logged \`${message}\`:\n${output.err}`);
      }
    }
  };
  await logged("serving");
  const line = output.err.split("\n").find((text) => text.includes('"msg":"serving"')) ?? "{}";
  const { address, admin } = JSON.parse(line) as { address: string; admin: string };
  return {
    address,
    admin: `http://${admin}`,
    signal: (name) => void child.kill(name),
    logged,
    stop: async (signal = "SIGTERM") => {
      child.kill(signal);
      const [code] = (await ended) as [number | null];
      return { code, ...output };
    },
  };
}

const countOf = (text: string, part: string): number => text.split(part).length - 1;

function collect(child: ChildProcess): { out: string; err: string } {
  children.add(child);
  child.once("close", () => void children.delete(child));
  const output = { out: "", err: "" };
  child.stdout?.on("data", (chunk: Buffer) => {
    output.out += chunk.toString();
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    output.err += chunk.toString();
  });
  return output;
}
