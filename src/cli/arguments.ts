// Words of the command line → flags by name. Which flags there are comes from the field table and the command.

import { parseArgs } from "node:util";
import type { Field } from "../config/field.ts";
import { FIELDS } from "../config/fields.ts";
import { nearest } from "../config/nearest.ts";
import type { Command } from "./command.ts";

/** What was given, unchecked; values by flag name. */
export interface ParsedArguments {
  /** Flags of the configuration table. */
  readonly config: ReadonlyMap<string, readonly string[]>;
  /** The words of `--set`. */
  readonly set: readonly string[];
  /** The path after `-c` or `--config`. */
  readonly configFile?: string | undefined;
  /** Flags of the command itself; a switch has the value `true`. */
  readonly own: ReadonlyMap<string, readonly string[]>;
  readonly positionals: readonly string[];
  readonly help: boolean;
}

/** Arguments, or every problem with them. */
export type ArgumentsResult =
  | { readonly ok: true; readonly args: ParsedArguments }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Reads the words after the command's name. */
export function parseArguments(command: Command, words: readonly string[]): ArgumentsResult {
  const fields = (Object.values(FIELDS) as readonly Field<unknown>[]).filter(
    ({ flag }) => flag !== undefined && command.configFlags.includes(flag),
  );
  const takesValue = new Map<string, boolean>([["help", false]]);
  for (const { flag, placeholder } of fields) takesValue.set(flag ?? "", placeholder !== undefined);
  for (const { flag, placeholder } of command.flags) takesValue.set(flag, placeholder !== undefined);
  if (command.configFlags.length > 0) {
    takesValue.set("set", true);
    takesValue.set("config", true);
  }

  const { tokens } = parseArgs({
    args: toLongFlags(command, words),
    options: Object.fromEntries(
      [...takesValue].map(([flag, value]) => [
        flag,
        { type: value ? "string" : "boolean", multiple: true, ...(flag === "config" && { short: "c" }) } as const,
      ]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const problems: string[] = [];
  const given = new Map<string, string[]>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const wanted = takesValue.get(token.name);
    if (wanted === undefined) {
      const close = nearest(token.name, takesValue.keys());
      problems.push(`${token.rawName}: unknown flag${close === undefined ? "" : `; did you mean \`--${close}\`?`}`);
    } else if (wanted && token.value === undefined) {
      problems.push(`${token.rawName}: a value is missing`);
    } else {
      if (!wanted && token.value !== undefined && !/^(true|false)$/.test(token.value)) {
        problems.push(`${token.rawName}: takes no value`);
      }
      given.set(token.name, [...(given.get(token.name) ?? []), token.value ?? "true"]);
    }
  }
  if (positionals.length > command.maxPositionals) {
    problems.push(
      `\`${positionals[command.maxPositionals]}\`: one word too many; usage: svidgate ${command.name} ${command.usage}`,
    );
  }
  for (const { flag, repeatable } of command.flags) {
    if (repeatable !== true && (given.get(flag)?.length ?? 0) > 1)
      problems.push(`--${flag}: given twice, once is allowed`);
  }
  const configFiles = given.get("config") ?? [];
  if (configFiles.length > 1) problems.push(`--config: given ${configFiles.length} times, once is allowed`);
  if (problems.length > 0) return { ok: false, problems };
  const pick = (names: readonly string[]): ReadonlyMap<string, readonly string[]> =>
    new Map(names.flatMap((name) => (given.has(name) ? [[name, given.get(name) ?? []] as const] : [])));
  return {
    ok: true,
    args: {
      config: pick(fields.map(({ flag }) => flag ?? "")),
      set: given.get("set") ?? [],
      configFile: configFiles[0],
      own: pick(command.flags.map(({ flag }) => flag)),
      positionals,
      help: given.has("help"),
    },
  };
}

/** Words with the command's own one-letter flags written out; behind `--` nothing is a flag. */
function toLongFlags(command: Command, words: readonly string[]): string[] {
  const long = new Map(command.flags.flatMap(({ flag, short }) => (short === undefined ? [] : [[`-${short}`, flag]])));
  const end = words.includes("--") ? words.indexOf("--") : words.length;
  return words.map((word, index) => {
    const flag = index < end ? long.get(word) : undefined;
    return flag === undefined ? word : `--${flag}`;
  });
}
