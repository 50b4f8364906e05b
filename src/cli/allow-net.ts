// `--allow-net`: hosts that a command's policies may ask, besides those of the configuration.

import { toNetworkOptions } from "../app-network.ts";
import { allowedHost } from "../config/network-fields.ts";
import type { Settings } from "../config/settings.ts";
import type { NetworkOptions } from "../policy/network-builtins.ts";
import type { ParsedArguments } from "./arguments.ts";
import type { CliPorts, CommandFlag } from "./command.ts";

/** The flag. */
export const ALLOW_NET_FLAG: CommandFlag = {
  flag: "allow-net",
  placeholder: "HOST",
  repeatable: true,
  doc: "a host that http.send and net.lookup_ip_addr may ask, * for any; repeatable (default none)",
};

/** What policies may reach by settings and flag; a value that is no host goes to `problems`. */
export function readNetworkOptions(
  args: ParsedArguments,
  ports: CliPorts,
  settings: Settings,
  problems: string[],
): NetworkOptions {
  const hosts: string[] = [];
  for (const text of args.own.get("allow-net") ?? []) {
    const parsed = allowedHost(text);
    if (parsed.ok) hosts.push(parsed.value);
    else problems.push(`--allow-net: \`${text}\` is not valid: ${parsed.detail}`);
  }
  return toNetworkOptions(settings, ports.env, hosts);
}
