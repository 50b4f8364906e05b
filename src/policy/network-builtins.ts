// The builtins that reach outside, as configuration allows them. SECURITY: what is not allowed is not there: without a host,
// neither `http.send` nor `net.lookup_ip_addr` is offered to the compiler or to a module.

import { readFile, realpath } from "node:fs/promises";
import { sep } from "node:path";
import { createAllowedHosts } from "../base/allowed-hosts.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { packageVersion } from "../base/package-root.ts";
import { systemTimers, type Timers } from "../base/timers.ts";
import type { Builtin } from "./builtins/builtin.ts";
import { type HttpSendOutcome, invalid, refused } from "./builtins/http-send/failure.ts";
import { createHttpSend } from "./builtins/http-send/http-send.ts";
import type { PemSources } from "./builtins/http-send/tls-material.ts";
import { createNetLookup } from "./builtins/net-lookup.ts";
import type { CompileError } from "./compiler/index.ts";

/** What policies may reach. */
export interface NetworkOptions {
  readonly httpSend?: HttpSendOptions;
  readonly netLookup?: { readonly allowedHosts: readonly string[] };
}

/** What `http.send` may do. */
export interface HttpSendOptions {
  /** `*`, `host`, `host:port`, `*.domain`, `unix:/path`; none is no `http.send`. */
  readonly allowedHosts: readonly string[];
  /** Files and folders that `tls_*_file` may name; `*` for all. Default none. */
  readonly allowedFiles?: readonly string[];
  /** Variables that `tls_*_env_variable` may name; `*` for all. Default none. */
  readonly allowedEnvironment?: readonly string[];
  /** Where those variables are read. Default: there are none. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Bytes of answers that are kept for other decisions. Default 32 MiB. */
  readonly cacheMaxBytes?: number;
  /** Largest body of an answer, unpacked. Default 1 MiB. */
  readonly maxResponseBytes?: number;
}

/** Where requests are told of, and what tests replace. None may throw. */
export interface NetworkPorts {
  readonly clock?: Clock;
  readonly timers?: Timers;
  onHttpRequest?(outcome: HttpSendOutcome, durationMs: number | undefined): void;
  onRefusedHost?(builtin: NetworkBuiltinName, host: string): void;
}

/** The names of the builtins that reach outside. */
export const NETWORK_BUILTIN_NAMES = ["http.send", "net.lookup_ip_addr"] as const;

/** One of {@link NETWORK_BUILTIN_NAMES}. */
export type NetworkBuiltinName = (typeof NETWORK_BUILTIN_NAMES)[number];

/** The builtins that are allowed. */
export interface NetworkBuiltins {
  readonly names: readonly NetworkBuiltinName[];
  find(name: string): Builtin | undefined;
  /** Closes connections as soon as no request is under way. */
  close(): void;
}

const MIB = 1024 * 1024;
const ignore = (): void => undefined;

/** Those that options allow. Throws RangeError for a host that is none. */
export function createNetworkBuiltins(options: NetworkOptions, ports: NetworkPorts = {}): NetworkBuiltins {
  const builtins = new Map<NetworkBuiltinName, Builtin>();
  const { httpSend, netLookup } = options;
  const sendHosts = createAllowedHosts(httpSend?.allowedHosts ?? []);
  const lookupHosts = createAllowedHosts(netLookup?.allowedHosts ?? []);
  let close = ignore;
  if (httpSend !== undefined && !sendHosts.isEmpty) {
    const send = createHttpSend({
      clock: ports.clock ?? systemClock,
      timers: ports.timers ?? systemTimers,
      allowedHosts: sendHosts,
      pemSources: createPemSources(httpSend),
      maxResponseBytes: httpSend.maxResponseBytes ?? MIB,
      cacheMaxBytes: httpSend.cacheMaxBytes ?? 32 * MIB,
      userAgent: `svidgate/${packageVersion()}`,
      onRequest: ports.onHttpRequest ?? ignore,
      onRefused: (host) => ports.onRefusedHost?.("http.send", host),
    });
    builtins.set("http.send", send.builtin);
    close = send.close;
  }
  if (!lookupHosts.isEmpty) {
    const onRefused = (name: string): void => ports.onRefusedHost?.("net.lookup_ip_addr", name);
    builtins.set("net.lookup_ip_addr", createNetLookup({ allowedHosts: lookupHosts, onRefused }));
  }
  return {
    names: [...builtins.keys()],
    find: (name) => builtins.get(name as NetworkBuiltinName),
    close,
  };
}

function createPemSources({
  allowedFiles = [],
  allowedEnvironment = [],
  environment = {},
}: HttpSendOptions): PemSources {
  return {
    readFile: async (path) => {
      const why = "`svidgate.policy.http_send.allowed_files` does not list it";
      if (allowedFiles.length === 0) throw refused(`file \`${path}\`: ${why}`);
      try {
        // SECURITY: compared by the real path, so that no link and no `..` leads out of what is listed.
        const real = await realpath(path);
        if (!(await isListed(real, allowedFiles))) throw refused(`file \`${path}\`: ${why}`);
        return await readFile(real, "utf8");
      } catch (error) {
        if ((error as { code?: unknown }).code === undefined) throw error;
        throw invalid(`open ${path}: ${(error as Error).message}`);
      }
    },
    readEnvironment: (name) => {
      if (allowedEnvironment.includes("*") || allowedEnvironment.includes(name)) return environment[name];
      throw refused(`variable \`${name}\`: \`svidgate.policy.http_send.allowed_env\` does not list it`);
    },
  };
}

async function isListed(real: string, listed: readonly string[]): Promise<boolean> {
  if (listed.includes("*")) return true;
  for (const entry of listed) {
    const root = await realpath(entry).catch(() => undefined);
    if (root !== undefined && (real === root || real.startsWith(root.endsWith(sep) ? root : root + sep))) return true;
  }
  return false;
}

/** The names of the builtins that options allow. */
export function networkNames({ httpSend, netLookup }: NetworkOptions = {}): readonly NetworkBuiltinName[] {
  return [
    ...((httpSend?.allowedHosts.length ?? 0) > 0 ? (["http.send"] as const) : []),
    ...((netLookup?.allowedHosts.length ?? 0) > 0 ? (["net.lookup_ip_addr"] as const) : []),
  ];
}

/** Which of the builtins that reach outside a plan (OPA's IR, JSON text) calls. */
export function networkBuiltinsIn(plan: string): readonly NetworkBuiltinName[] {
  const { static: part } = JSON.parse(plan) as {
    readonly static?: { readonly builtin_funcs?: readonly { readonly name: string }[] | null };
  };
  const called = new Set((part?.builtin_funcs ?? []).map(({ name }) => name));
  return NETWORK_BUILTIN_NAMES.filter((name) => called.has(name));
}

/** The compiler's errors, those of a builtin that is not allowed with what to do about it. */
export const withNetworkHints = (errors: readonly CompileError[]): readonly CompileError[] =>
  errors.map((error) => {
    const [, name = ""] = /^undefined function (\S+)$/.exec(error.message) ?? [];
    const hint = networkHint(name);
    return hint === undefined ? error : { ...error, message: `${error.message}: ${hint}` };
  });

/** What to do about a policy that calls a builtin which configuration does not allow; undefined for other builtins. */
export function networkHint(builtin: string): string | undefined {
  if (builtin === "http.send") return "name the hosts that it may ask with `svidgate.policy.http_send.allowed_hosts`";
  if (builtin !== "net.lookup_ip_addr") return undefined;
  return "name what it may look up with `svidgate.policy.net_lookup.allowed_hosts`";
}
