// Which hosts a policy may ask: names and addresses as the URL says them, compared as text. SECURITY: what a name resolves to
// is not looked at: whoever lists a name trusts its DNS, and an address of a private or link-local network, such as that of
// a cloud's metadata service, is reached only when the list names it or a name that leads to it.

import { isIPv6 } from "node:net";
import { domainToASCII } from "node:url";
import { fail, ok, type Result } from "./result.ts";

/** Hosts that may be asked. */
export interface AllowedHosts {
  /** Whether nothing may be asked at all. */
  readonly isEmpty: boolean;
  /** Whether this host may be asked, by {@link canonicalHost}; without a port only entries without one count. */
  allows(host: string, port?: number): boolean;
  /** Whether the unix socket at this path may be asked. */
  allowsSocket(path: string): boolean;
}

/** What an entry may be, for people. */
export const ALLOWED_HOST_FORMS =
  "`*`, HOST, HOST:PORT, *.DOMAIN, *.DOMAIN:PORT (IPv6 in brackets), unix:/PATH or unix:*";

interface HostRule {
  /** `*` for all; a suffix that begins with a dot; else a whole host. */
  readonly host: string;
  readonly port: number | undefined;
}

/** One entry, checked. */
export type AllowedHost = HostRule | { readonly socketPath: string };

/** Reads one entry of a list of hosts. */
export function parseAllowedHost(text: string): Result<AllowedHost, "allowed_host"> {
  if (text.startsWith("unix:")) {
    const socketPath = text.slice("unix:".length);
    return socketPath === "*" || socketPath.startsWith("/") ? ok({ socketPath }) : invalid(text);
  }
  const [, name = "", digits] = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && (port < 1 || port > 65_535)) return invalid(text);
  if (name === "*") return port === undefined ? ok({ host: "*", port }) : invalid(text);
  const isSuffix = name.startsWith("*.");
  const host = canonicalHost(isSuffix ? name.slice(2) : name);
  if (host === undefined || (isSuffix && /^[\d.]*$|:/.test(host))) return invalid(text);
  return ok({ host: isSuffix ? `.${host}` : host, port });
}

const invalid = (text: string): Result<never, "allowed_host"> =>
  fail("allowed_host", `\`${text.slice(0, 256)}\` is no host: expected ${ALLOWED_HOST_FORMS}`);

/** The list as a question. Throws RangeError for an entry that {@link parseAllowedHost} refuses. */
export function createAllowedHosts(entries: readonly string[]): AllowedHosts {
  const rules = entries.map((entry) => {
    const rule = parseAllowedHost(entry);
    if (!rule.ok) throw new RangeError(rule.detail);
    return rule.value;
  });
  const hosts = rules.filter((rule) => "host" in rule);
  const sockets = rules.flatMap((rule) => ("socketPath" in rule ? [rule.socketPath] : []));
  return {
    isEmpty: entries.length === 0,
    allows: (host, port) =>
      hosts.some((rule) => (rule.port === undefined || rule.port === port) && isOfRule(host, rule.host)),
    allowsSocket: (path) => sockets.some((listed) => listed === "*" || listed === path),
  };
}

const isOfRule = (host: string, rule: string): boolean =>
  rule === "*" || host === rule || (rule.startsWith(".") && host.endsWith(rule));

/**
 * A host as it is compared and connected to: lower case, without the brackets of IPv6 and without one dot at its end, IDN
 * in punycode. Undefined for what is no host: SECURITY: other characters, escapes among them, never reach a comparison.
 */
export function canonicalHost(text: string): string | undefined {
  if (text.startsWith("[")) {
    const address = text.slice(1, -1);
    if (!text.endsWith("]") || !isIPv6(address) || address.includes("%")) return undefined;
    return canonicalIpv6(address);
  }
  if (isIPv6(text)) return text.includes("%") ? undefined : canonicalIpv6(text);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
  const ascii = /^[\x00-\x7f]*$/.test(text) ? text.toLowerCase() : domainToASCII(text);
  const host = ascii.replace(/\.$/, "");
  return /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(host) && host.length <= 253 ? host : undefined;
}

/** The one text of an address: `[::0:1]` and `::1` are the same host. */
const canonicalIpv6 = (address: string): string => new URL(`http://[${address}]/`).hostname.slice(1, -1);
