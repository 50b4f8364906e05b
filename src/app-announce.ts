// What a start or a reload says in the log of how callers are known, so that nobody has to guess it from the configuration.

import type { RunningIdentity } from "./app-identity.ts";
import type { Settings } from "./config/settings.ts";
import type { Log } from "./telemetry/log.ts";

/** One line of facts, and a warning for each thing that makes a verified identity worth less. */
export function announceIdentity(
  log: Log,
  { settings, bundles, workloadApi }: RunningIdentity,
  nowUnixMs: number,
): void {
  if (bundles === undefined) {
    log.info("nobody's identity is verified: no trust bundle is configured (docs/identity.md)");
    return;
  }
  log.info("identity is verified", {
    trustDomains: bundles.list(nowUnixMs).map(({ trustDomain, state }) => `${trustDomain} (${state})`),
    onInvalid: settings.identityOnInvalid,
    jwtAudiences: settings.jwtEnabled ? settings.jwtAudiences : undefined,
    ownSpiffeId: workloadApi?.ownSvid()?.spiffeId,
    denyList: settings.denyList,
  });
  if (settings.jwtEnabled && settings.jwtForward === "keep") {
    log.warn("tokens go on upstream, where a receiver can replay them: svidgate.identity.jwt_svid.forward: strip");
  }
}

/** What was found while loading, and does not stop it. */
export interface Found {
  readonly rules: { readonly settings: Pick<Settings, "notes"> };
  readonly warnings: readonly string[];
  readonly identityWarnings: readonly string[];
  readonly tlsWarnings: readonly string[];
}

/** A line for each. */
export function logWarnings(log: Log, { rules, warnings, identityWarnings, tlsWarnings }: Found): void {
  for (const note of rules.settings.notes) log.warn("configuration", { note });
  for (const warning of warnings) log.warn("policy", { warning });
  for (const warning of identityWarnings) log.warn("identity", { warning });
  for (const warning of tlsWarnings) log.warn("tls", { warning });
}
