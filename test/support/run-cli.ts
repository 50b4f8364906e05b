// A command run in this process, with what it said.

import { runCli } from "../../src/cli/index.ts";
import { STACK_ENVIRONMENT } from "./stack.ts";

/** How a command ended. */
export interface CliRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `svidgate` with these words, an empty environment (but for the stack that is tested) and no signals. */
export async function runInProcess(...words: readonly string[]): Promise<CliRun> {
  const said = { out: "", err: "" };
  const code = await runCli(words, {
    env: STACK_ENVIRONMENT,
    out: (text) => {
      said.out += text;
    },
    err: (text) => {
      said.err += text;
    },
    onSignal: () => undefined,
  });
  return { code, ...said };
}
