// What policies may reach outside, from settings; the same for every command that evaluates.

import type { Settings } from "./config/settings.ts";
import type { NetworkOptions, NetworkPorts } from "./policy/network-builtins.ts";
import type { Log } from "./telemetry/log.ts";
import type { Metrics } from "./telemetry/metrics.ts";

/** Where `tls_*_env_variable` options are read, when configuration allows them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Counts requests, and says (a few times a second at most) whom a policy may not ask. */
export const toNetworkPorts = (metrics: Metrics, log: Log): NetworkPorts => ({
  onHttpRequest: metrics.httpRequested,
  onRefusedHost: (builtin, host) => log.warn("a policy may not ask this host", { builtin, host }),
});

/** `more` are hosts that a command line adds to both lists. */
export const toNetworkOptions = (
  settings: Settings,
  environment: Environment,
  more: readonly string[] = [],
): NetworkOptions => ({
  httpSend: {
    allowedHosts: [...settings.httpSendAllowedHosts, ...more],
    allowedFiles: settings.httpSendAllowedFiles,
    allowedEnvironment: settings.httpSendAllowedEnv,
    environment,
    cacheMaxBytes: settings.httpSendCacheMaxBytes,
    maxResponseBytes: settings.httpSendMaxResponseBytes,
  },
  netLookup: { allowedHosts: [...settings.netLookupAllowedHosts, ...more] },
});
