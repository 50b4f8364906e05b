// Finds the command, reads its flags, runs it. No rules live here.

import { nearest } from "../config/nearest.ts";
import { parseArguments } from "./arguments.ts";
import { bench } from "./bench.ts";
import { build } from "./build.ts";
import { check } from "./check.ts";
import { type CliPorts, type Command, EXIT, reportProblems } from "./command.ts";
import { compare } from "./compare.ts";
import { demo } from "./demo.ts";
import { evaluate } from "./eval.ts";
import { commandHelp, programHelp } from "./help.ts";
import { identity } from "./identity.ts";
import { migrate } from "./migrate.ts";
import { serve } from "./serve.ts";
import { test } from "./test.ts";
import { version } from "./version.ts";

/** Every command, in the order of the help page. */
export const COMMANDS: readonly Command[] = [
  serve,
  build,
  test,
  evaluate,
  bench,
  check,
  identity,
  demo,
  migrate,
  compare,
  version,
];

/** Runs `svidgate` with these words and gives its exit code. */
export async function runCli(words: readonly string[], ports: CliPorts): Promise<number> {
  const [name, ...rest] = words;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    ports.out(programHelp(COMMANDS));
    return name === undefined ? EXIT.usage : EXIT.fine;
  }
  const wanted = name === "--version" || name === "-v" ? "version" : name;
  const command = COMMANDS.find((candidate) => candidate.name === wanted);
  if (command === undefined) {
    const close = nearest(
      name,
      COMMANDS.map((candidate) => candidate.name),
    );
    const hint = close === undefined ? "" : `; did you mean \`${close}\`?`;
    return reportProblems(ports, [`\`${name}\`: no such command${hint}; \`svidgate --help\` lists them`]);
  }
  const parsed = parseArguments(command, rest);
  if (!parsed.ok) return reportProblems(ports, parsed.problems);
  if (parsed.args.help) {
    ports.out(commandHelp(command));
    return EXIT.fine;
  }
  return command.run(parsed.args, ports);
}
