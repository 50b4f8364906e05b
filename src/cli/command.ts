// The shape of a command, and the exit codes all of them share.

import type { ReadRequest } from "../authz/request-view.ts";
import { toPlainText } from "../base/plain-text.ts";
import type { ParsedArguments } from "./arguments.ts";

/** Exit codes. */
export const EXIT = {
  fine: 0,
  /** The answer is no: a check denied, a comparison differed. */
  no: 1,
  /** Wrong usage or configuration; every problem was listed. */
  usage: 2,
  /** Our fault. */
  fault: 70,
} as const;

/** What a command may use of the process. */
export interface CliPorts {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Another reader of CheckRequests than svidgate's own, for `serve`. */
  readonly readRequest?: ReadRequest;
  /** Writes to standard output; `text` ends its own lines. */
  out(text: string): void;
  /** Writes to standard error. */
  err(text: string): void;
  /** Calls `handler` on each such signal until the process ends. */
  onSignal(signal: "SIGTERM" | "SIGINT" | "SIGHUP", handler: () => void): void;
}

/** One flag of a command that is no configuration field. */
export interface CommandFlag {
  readonly flag: string;
  /** One letter that stands for it, as in `-v`. */
  readonly short?: string;
  /** Absent for switches. */
  readonly placeholder?: string;
  readonly repeatable?: boolean;
  readonly doc: string;
}

/** One command: a file of its own in this folder. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What follows `svidgate NAME` in the usage line. */
  readonly usage: string;
  readonly examples: readonly string[];
  /** The configuration flags that it takes, by name; `--set` comes with them. */
  readonly configFlags: readonly string[];
  readonly flags: readonly CommandFlag[];
  /** How many words it takes besides flags. */
  readonly maxPositionals: number;
  /** Runs it and gives the exit code. */
  run(args: ParsedArguments, ports: CliPorts): Promise<number>;
}

/** Writes problems, which quote what was given, one line each (compile errors: several), and gives the exit code for wrong usage. */
export function reportProblems(ports: CliPorts, problems: readonly string[]): number {
  for (const problem of problems) ports.err(`svidgate: ${toPlainText(problem, "\t\n")}\n`);
  return EXIT.usage;
}
