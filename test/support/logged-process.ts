// A process whose log says when it is ready: started, waited for by what it writes, and ended with the test.

import { spawn } from "node:child_process";
import { once } from "node:events";

export interface LoggedProcess {
  /**
   * Resolves when the output has this text, `from` this mark on; throws with the end of the log when the process ends instead.
   */
  logged(text: string, from?: number): Promise<void>;
  /** How far the output has come. */
  mark(): number;
  /** Ends it and waits for that. */
  stop(signal: NodeJS.Signals): Promise<void>;
}

export function startLoggedProcess(binary: string, words: readonly string[]): LoggedProcess {
  const child = spawn(binary, words, { stdio: ["ignore", "pipe", "pipe"] });
  // A fault that ends this process must not leave the other running.
  const onExit = (): void => void child.kill("SIGKILL");
  process.once("exit", onExit);
  let log = "";
  let reason: string | undefined;
  let wake = (): void => undefined;
  const read = (chunk: Buffer): void => {
    log += chunk.toString();
    wake();
  };
  child.stdout.on("data", read);
  child.stderr.on("data", read);
  const end = (why: string): void => {
    reason ??= why;
    process.off("exit", onExit);
    wake();
  };
  child.once("error", (error) => end(error.message));
  child.once("close", (code, signal) => end(`it ended with ${signal ?? `exit code ${code}`}`));
  return {
    mark: () => log.length,
    logged: async (text, from = 0) => {
      while (!log.includes(text, from)) {
        if (reason !== undefined) throw new Error(`${binary} did not log \`${text}\`: ${reason}\n${log.slice(-3000)}`);
        await new Promise<void>((resolve) => {
          const others = wake;
          wake = () => {
            others();
            resolve();
          };
        });
      }
    },
    stop: async (signal) => {
      if (reason !== undefined) return;
      const closed = once(child, "close");
      child.kill(signal);
      await closed;
    },
  };
}
