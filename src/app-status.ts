// `GET /status`: what runs, by what it decides, and how the last reload ended (docs/status.md). No secrets, nothing of requests.

import { toIdentityStatus } from "./app-identity-status.ts";
import { toLimitStatus } from "./app-listener.ts";
import type { ReloadState, Rules } from "./app-rules.ts";
import { toTlsStatus } from "./app-tls.ts";
import type { AuditStats } from "./audit/audit.ts";
import { packageVersion } from "./base/package-root.ts";
import { shippedCompiler } from "./policy/compiler/artifact.ts";
import type { CheckServer } from "./server/check-server.ts";
import type { Health } from "./server/health.ts";
import type { TlsRenewed } from "./server/tls-renewal.ts";

/** Where the facts come from. */
export interface StatusFacts {
  readonly startedUnixMs: number;
  readonly nowUnixMs: number;
  readonly configFile: string | undefined;
  /** The Rego compiler that is shipped; undefined when the installation lacks it. */
  readonly compiler: string | undefined;
  readonly rules: Rules;
  readonly warnings: readonly string[];
  readonly lastReload: ReloadState | undefined;
  /** How the last renewal of the listener's certificate ended. */
  readonly tlsRenewed: TlsRenewed | undefined;
  readonly server: CheckServer | undefined;
  readonly adminAddress: string | undefined;
  readonly health: Pick<Health, "ready" | "draining">;
  readonly audit: AuditStats;
}

/** The document. */
export function toStatus(facts: StatusFacts): unknown {
  const { startedUnixMs, nowUnixMs, rules, server, health } = facts;
  const { settings, policy } = rules;
  const acceptor = server?.acceptors[0];
  return {
    version: packageVersion(),
    node: process.versions.node,
    started: new Date(startedUnixMs).toISOString(),
    uptime_seconds: Math.max(0, Math.round((nowUnixMs - startedUnixMs) / 1000)),
    ready: health.ready,
    draining: health.draining,
    listener: {
      kind: settings.listener,
      address: acceptor?.text ?? settings.listen,
      loopback: acceptor?.isLoopback ?? true,
      tls: toTlsStatus(rules.tls, facts.tlsRenewed),
      limits: toLimitStatus(settings),
      reflection: settings.reflection || settings.opaReflection,
      connections: server?.listener.connections ?? 0,
      connections_accepted: acceptor?.accepted ?? 0,
      connections_refused: { ...acceptor?.refusals.counts },
      checks_in_flight: server?.listener.checksInFlight ?? 0,
    },
    admin: facts.adminAddress ?? null,
    on_error: settings.onError,
    dry_run: settings.dryRun,
    policy: {
      revision: policy.revision,
      entrypoint: policy.entrypoint,
      wasm_sha256: policy.wasmSha256,
      engine: settings.engine,
      strict_builtin_errors: policy.strictErrors,
      activated: new Date(policy.activatedUnixMs).toISOString(),
      warnings: facts.warnings,
    },
    identity: toIdentityStatus(rules.identity, nowUnixMs),
    compiler: facts.compiler ?? null,
    configuration: { file: facts.configFile ?? null, notes: settings.notes, last_reload: facts.lastReload ?? null },
    audit: { sink: settings.audit.split(":")[0], ...toAuditStatus(facts.audit) },
  };
}

const toAuditStatus = ({ recorded, written, lost, sinkErrors, queuedEvents, queuedBytes }: AuditStats): object => ({
  recorded,
  written,
  lost,
  sink_errors: sinkErrors,
  queued_events: queuedEvents,
  queued_bytes: queuedBytes,
});

/** Undefined when the installation lacks the compiler, which a policy that came compiled does not need. */
export function nameCompiler(): string | undefined {
  try {
    return shippedCompiler();
  } catch {
    return undefined;
  }
}
