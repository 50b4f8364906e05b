// Whether errors of builtins end an evaluation, for commands that evaluate without serving: as the configuration says,
// unless a flag says otherwise. OPA's own commands have the first flag.

import type { Settings } from "../config/settings.ts";
import type { ParsedArguments } from "./arguments.ts";
import type { CommandFlag } from "./command.ts";

const ON = "strict-builtin-errors";
const OFF = "no-strict-builtin-errors";

/** The flags. */
export const STRICT_ERRORS_FLAGS: readonly CommandFlag[] = [
  { flag: ON, doc: "an error of a builtin ends the evaluation (default, unless the configuration says otherwise)" },
  { flag: OFF, doc: "an error of a builtin is undefined, as in OPA" },
];

/** Whether errors are strict; a contradiction goes to `problems`. */
export function readStrictErrors(args: ParsedArguments, settings: Settings, problems: string[]): boolean {
  if (args.own.has(ON) && args.own.has(OFF)) problems.push(`--${ON}: give it or --${OFF}, not both`);
  if (args.own.has(OFF)) return false;
  return args.own.has(ON) || settings.strictBuiltinErrors;
}

/** The line that says which mode is on. */
export const strictErrorsLine = (strict: boolean): string =>
  strict
    ? "strict builtin errors: an error of a builtin ends the evaluation\n"
    : "no strict builtin errors: an error of a builtin is undefined\n";
