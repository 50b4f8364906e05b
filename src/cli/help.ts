// The help pages, made from the commands and the field table.

import { toFlagHelp } from "../config/document.ts";
import type { Command } from "./command.ts";

/** `svidgate --help`. */
export function programHelp(commands: readonly Command[]): string {
  return `svidgate decides for Envoy: external authorization by workload identity and Rego policies

Usage: svidgate COMMAND [flags]

Commands:
${commands.map(({ name, summary }) => `  ${name.padEnd(10)}${summary}`).join("\n")}

\`svidgate COMMAND --help\` shows a command's flags and examples.
Exit codes: 0 fine; 1 the answer is no; 2 wrong usage or configuration; 70 a fault of svidgate.
`;
}

/** `svidgate NAME --help`. */
export function commandHelp(command: Command): string {
  const own = command.flags.map(({ flag, short, placeholder, doc }) => {
    const head = `  ${short === undefined ? "" : `-${short}, `}--${flag}${placeholder === undefined ? "" : ` ${placeholder}`}`;
    return `${head.padEnd(34)}${doc}`;
  });
  const shared = command.configFlags.length === 0 ? [] : [toFlagHelp(command.configFlags), CONFIG_HELP, SET_HELP];
  const flags = [...own, ...shared];
  return `${command.summary}

Usage: svidgate ${command.name} ${command.usage}
${flags.length === 0 ? "" : `\nFlags:\n${flags.join("\n")}\n`}
Examples:
${command.examples.map((example) => `  ${example}`).join("\n")}
`;
}

const CONFIG_HELP = `${"  -c, --config FILE".padEnd(34)}configuration file, YAML, OPA's keys and \`svidgate:\` (docs/configuration.md)`;
const SET_HELP = `${"  --set KEY=VALUE".padEnd(34)}any configuration key (docs/configuration.md); repeatable`;
