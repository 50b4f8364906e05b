// The configuration file, flags, `--set` and the environment of one command line → settings, or every problem.

import { loadConfig } from "../config/load.ts";
import { type ResolvedSettings, resolveSettings } from "../config/settings.ts";
import type { ParsedArguments } from "./arguments.ts";
import type { CliPorts } from "./command.ts";

/** Reads the configuration that a command was given; again, for a reload: the file may say something else by then. */
export function readSettings(args: ParsedArguments, ports: CliPorts): ResolvedSettings {
  const loaded = loadConfig({ file: args.configFile, flags: args.config, set: args.set, env: ports.env });
  return loaded.ok ? resolveSettings(loaded.config, loaded.given, loaded.notes) : loaded;
}
