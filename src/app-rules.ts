// What a reload replaces: settings that can change while serving, the policy, the input's options, and the handler made of them.
// The new ones are made beside the old ones, whole or not at all; a check sees one or the other.

import { createHandler, type DecisionParts, loadDecisionParts } from "./app-decide.ts";
import {
  findLostBundles,
  type IdentityPorts,
  isSameIdentity,
  type RunningIdentity,
  startIdentity,
} from "./app-identity.ts";
import type { Environment } from "./app-network.ts";
import { loadListenerTls, NO_SVID, wantsTls } from "./app-tls.ts";
import type { Audit } from "./audit/audit.ts";
import type { OpaDecisionLog } from "./audit/opa-decision-log.ts";
import { toDecisionFacts } from "./authz/audit-record.ts";
import type { CheckHandler } from "./authz/check-handler.ts";
import type { DecisionRecord } from "./authz/decide.ts";
import { isAllow } from "./authz/decision.ts";
import { toOpaDecisionFacts } from "./authz/opa-decision-record.ts";
import { OUTCOMES } from "./authz/outcome.ts";
import type { ReadRequest } from "./authz/request-view.ts";
import type { Clock } from "./base/clock.ts";
import { changesThatNeedRestart } from "./config/restart.ts";
import type { ResolvedSettings, Settings } from "./config/settings.ts";
import type { Identity } from "./identity/identity.ts";
import type { NetworkPorts } from "./policy/network-builtins.ts";
import type { TlsMaterial } from "./server/tls-material.ts";
import type { Log } from "./telemetry/log.ts";
import type { Metrics } from "./telemetry/metrics.ts";
import type { Tracing } from "./telemetry/tracing.ts";

/** What decides now. */
export interface Rules extends DecisionParts {
  /** Outlives a reload that does not change what it is made of. */
  readonly identity: RunningIdentity;
  /** Of the check listener; undefined for plaintext. */
  readonly tls: TlsMaterial | undefined;
}

/** Where decisions are told of, and what lasts longer than rules. */
export interface RulePorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly audit: Audit;
  readonly metrics: Metrics;
  readonly tracing: Tracing | undefined;
  readonly decisionLog: OpaDecisionLog | undefined;
  /** As in `DecidePorts`. */
  readonly readRequest?: ReadRequest;
  newDecisionId(): string;
}

/** Rules, or everything that is wrong with what they are made of. */
export type LoadedRules =
  | {
      readonly ok: true;
      readonly rules: Rules;
      readonly warnings: readonly string[];
      readonly identityWarnings: readonly string[];
      readonly tlsWarnings: readonly string[];
    }
  | {
      readonly ok: false;
      readonly problems: readonly string[];
      /** Whether one of them is of the listener's TLS. */
      readonly isTlsAtFault?: true;
    };

/** What rules need of the process. */
export interface RulesPorts extends IdentityPorts {
  /** For metrics: the steps of each evaluation. */
  readonly onSteps?: (steps: number) => void;
  /** Where requests of policies are told of. */
  readonly networkPorts?: NetworkPorts;
  /** For options of `http.send` that name a variable. */
  readonly environment?: Environment;
}

/** Reads policy, data, proto descriptor and TLS files, and starts identity, or has `current` read its files again. */
export async function loadRules(
  settings: Settings,
  ports: RulesPorts,
  current?: RunningIdentity,
): Promise<LoadedRules> {
  const { clock, log } = ports;
  const started = await loadIdentity(settings, ports, current);
  const identity = started.ok ? started.identity : undefined;
  const [loaded, tls] = await Promise.all([
    loadDecisionParts(
      settings,
      clock,
      {
        // PERF: only then does the compiler keep `print`; otherwise its operands are not even computed.
        ...(log.enabled("debug") && {
          onPrint: (text) => log.debug("policy print", { text }),
          onTrace: (note) => log.debug("policy trace", { note }),
        }),
        ...(ports.onSteps && { onSteps: ports.onSteps }),
        ...(ports.networkPorts && { networkPorts: ports.networkPorts }),
      },
      ports.environment,
    ),
    loadListenerTls(settings, clock.unixMs(), identity?.workloadApi),
  ]).catch((fault: unknown) => {
    if (identity !== current) identity?.close();
    throw fault;
  });
  if (identity === undefined || !loaded.ok || !tls.ok || !started.ok) {
    if (identity !== current) identity?.close();
    // Without identity nobody has asked the Workload API for an SVID.
    const ofTls = tls.ok ? [] : tls.problems.filter((problem) => started.ok || problem !== NO_SVID);
    const problems = [started, loaded].flatMap((part) => (part.ok ? [] : part.problems));
    return { ok: false, problems: [...problems, ...ofTls], ...(ofTls.length > 0 && { isTlsAtFault: true }) };
  }
  const rules: Rules = { ...loaded.parts, identity, tls: tls.material };
  return {
    ok: true,
    rules,
    warnings: loaded.warnings,
    identityWarnings: started.warnings,
    tlsWarnings: tls.warnings,
  };
}

async function loadIdentity(
  settings: Settings,
  ports: IdentityPorts,
  current: RunningIdentity | undefined,
): ReturnType<typeof startIdentity> {
  if (current !== undefined && isSameIdentity(current.settings, settings)) {
    const problems = await current.reload();
    return problems.length > 0 ? { ok: false, problems } : { ok: true, identity: current, warnings: [] };
  }
  const started = await startIdentity(settings, ports);
  if (current === undefined || !started.ok) return started;
  const problems = findLostBundles(current, started.identity, ports.clock.unixMs());
  if (problems.length === 0) return started;
  started.identity.close();
  return { ok: false, problems };
}

/** How the last reload ended, for `GET /status`. */
export interface ReloadState {
  readonly time: string;
  readonly result: "success" | "failure";
  readonly problems: readonly string[];
}

/** Reads everything anew for these settings: all valid, or problems. Never rejects. */
export async function reloadRules(current: Rules, resolved: ResolvedSettings, ports: RulesPorts): Promise<LoadedRules> {
  if (!resolved.ok) return resolved;
  const fixed = changesThatNeedRestart(current.settings.config, resolved.settings.config);
  if (fixed.length > 0) {
    return { ok: false, problems: fixed.map((key) => `${key}: cannot change while serving: restart, or set it back`) };
  }
  if (wantsTls(resolved.settings) !== (current.tls !== undefined)) {
    const key = "svidgate.tls.certificate";
    const problem = `${key}: TLS cannot be turned on or off while serving: restart, or set it back`;
    return { ok: false, problems: [problem], isTlsAtFault: true };
  }
  try {
    return await loadRules(resolved.settings, ports, current.identity);
  } catch (error) {
    // INVARIANT: whatever reading or compiling does, the policy in force goes on; an unhandled rejection would end the process.
    const fault = error instanceof Error ? error : new Error(String(error));
    ports.log.error("reload failed by our fault", { error: fault });
    return { ok: false, problems: [`internal error: ${fault.message}`] };
  }
}

/** Builds the function that answers checks by these rules. */
export function createDecider(rules: Rules, ports: RulePorts): CheckHandler {
  return createHandler(rules, {
    clock: ports.clock,
    resolve: rules.identity.resolve,
    ...(ports.readRequest && { readRequest: ports.readRequest }),
    newDecisionId: ports.newDecisionId,
    record: createRecorder(rules.settings, ports),
    onFault: (error, decisionId) =>
      ports.log.error("a check failed by our fault", {
        decisionId,
        error: error instanceof Error ? error : new Error(String(error)),
      }),
  });
}

/** A certificate that lives longer than this is counted: it is a secret that somebody keeps. */
const LONG_LIVED_SECONDS = 86_400;

function countIdentity({ identity: counters }: Metrics, identity: Identity, identityMs: number): void {
  counters.identified(identity.source, identity.verifiedBy, identityMs * 1000);
  if ((identity.credential?.lifetimeSeconds ?? 0) > LONG_LIVED_SECONDS) counters.longLived();
}

/** Audit, metrics, span and decision log line of one decision. */
function createRecorder(
  settings: Settings,
  { audit, metrics, tracing, decisionLog }: RulePorts,
): (record: DecisionRecord) => void {
  const options = { dryRun: settings.dryRun, errorsAreGrpcStatus: settings.onError === "grpc_error" };
  const wantsFacts = settings.audit !== "none" || tracing !== undefined;
  return (record) => {
    const { reason } = record.decision;
    const evaluationUs = record.evaluationMs === undefined ? -1 : record.evaluationMs * 1000;
    metrics.decided(OUTCOMES[reason].outcome, reason, record.totalMs * 1000, evaluationUs);
    if (settings.dryRun && !isAllow(record.decision)) metrics.wouldDeny(reason);
    if (record.identity !== undefined) countIdentity(metrics, record.identity, record.identityMs ?? 0);
    if (wantsFacts) {
      const facts = toDecisionFacts(record, options);
      audit.record(facts);
      tracing?.decided(facts);
    }
    if (decisionLog === undefined) return;
    const line = toOpaDecisionFacts(record);
    if (line !== undefined) decisionLog(line, settings.decisionPath);
  };
}
