// The composition root: builds the parts from settings, wires their ports, and gives them one life:
// start, reload as often as wanted, drain. What a part decides is in the part, not here.

import { randomUUID } from "node:crypto";
import { openAppAdmin } from "./app-admin.ts";
import { announceIdentity, logWarnings } from "./app-announce.ts";
import { startAudit } from "./app-audit.ts";
import { openAppListener } from "./app-listener.ts";
import { type AppParts, createAppMetrics } from "./app-metrics.ts";
import { toNetworkPorts } from "./app-network.ts";
import {
  createDecider,
  loadRules,
  type ReloadState,
  type RulePorts,
  type Rules,
  type RulesPorts,
  reloadRules,
} from "./app-rules.ts";
import { nameCompiler } from "./app-status.ts";
import { announceListener, notAfter } from "./app-tls.ts";
import { followTls } from "./app-tls-follow.ts";
import { SPAN_FLUSH_MS, startTracing } from "./app-tracing.ts";
import type { Audit } from "./audit/audit.ts";
import { createOpaDecisionLog } from "./audit/opa-decision-log.ts";
import { parseAuditTarget } from "./audit/sinks.ts";
import type { ReadRequest } from "./authz/request-view.ts";
import type { Clock } from "./base/clock.ts";
import { systemTimers, type Timers } from "./base/timers.ts";
import { createUuidV7 } from "./base/uuid-v7.ts";
import type { ResolvedSettings, Settings } from "./config/settings.ts";
import type { ActivePolicy } from "./policy/active-policy.ts";
import type { AdminServer } from "./server/admin.ts";
import { createHealth } from "./server/health.ts";
import { type ListenAddress, parseListenAddress } from "./server/listen-address.ts";
import type { TlsMaterial } from "./server/tls-material.ts";
import type { Log } from "./telemetry/log.ts";
import { writeStderr } from "./telemetry/stderr.ts";

/** What the app takes from outside. */
export interface AppPorts {
  readonly clock: Clock;
  /** The machine's unless given. */
  readonly timers?: Timers;
  readonly log: Log;
  /** What the process was started with, for options of `http.send` that name a variable; none unless given. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** The path of the configuration file, for `GET /status`. */
  readonly configFile?: string | undefined;
  /** Another reader of CheckRequests than svidgate's own. */
  readonly readRequest?: ReadRequest;
}

/** A running svidgate. */
export interface App {
  /** The listener's address with the port that was chosen. */
  readonly address: string;
  /** The admin port's address; undefined when it is off. */
  readonly adminAddress: string | undefined;
  readonly policy: ActivePolicy;
  /**
   * Loads policy and data anew, by these settings or by those in force, and reopens the audit file: all valid, or all kept.
   * Gives the problems.
   */
  reload(resolved?: ResolvedSettings): Promise<readonly string[]>;
  /** The settings in force. */
  readonly settings: Settings;
  /** Stops without losing a check: see `server/check-server.ts`. */
  drain(): Promise<void>;
  /** Stops now. */
  close(): Promise<void>;
}

/** A running app, or everything that keeps it from running. */
export type StartedApp =
  | { readonly ok: true; readonly app: App }
  | { readonly ok: false; readonly problems: readonly string[] };

const AUDIT_FLUSH_MS = 5_000;
const IS_CLOSED = "svidgate is stopping: nothing is reloaded";

/** Starts everything that `settings` asks for, or nothing. */
export async function startApp(settings: Settings, ports: AppPorts): Promise<StartedApp> {
  const { clock, log } = ports;
  const startedUnixMs = clock.unixMs();
  const problems: string[] = [];
  const listen = readAddress(settings.listen, problems);
  const admin = settings.admin === "off" ? undefined : readAddress(settings.admin, problems);
  const target = parseAuditTarget(settings.audit);
  if (!target.ok) problems.push(target.detail ?? target.code);
  const parts: AppParts = {};
  const metrics = createAppMetrics(parts, clock, log);
  const rulesPorts: RulesPorts = {
    clock,
    timers: ports.timers ?? systemTimers,
    log,
    onBundle: metrics.identity.bundle,
    onDenyListApplied: metrics.identity.denyListApplied,
    onSteps: metrics.evaluated,
    networkPorts: toNetworkPorts(metrics, log),
    ...(ports.environment && { environment: ports.environment }),
  };
  const loaded = await loadRules(settings, rulesPorts);
  if (!loaded.ok) problems.push(...loaded.problems);
  if (problems.length > 0 || !loaded.ok || !target.ok || listen === undefined) {
    if (loaded.ok) loaded.rules.identity.close();
    return { ok: false, problems };
  }
  logWarnings(log, loaded);
  let { rules, warnings } = loaded;
  parts.rules = rules;
  let lastReload: ReloadState | undefined;

  const pdpId = randomUUID();
  const auditing = startAudit(settings, target.value, { clock, log, pdpId });
  if (!auditing.ok) {
    rules.identity.close();
    return auditing;
  }
  const { audit } = auditing;

  const tracing = startTracing(settings, ports, pdpId);
  Object.assign(parts, { audit, tracing });
  const health = createHealth();
  const rulePorts: RulePorts = {
    ...ports,
    audit,
    metrics,
    tracing,
    decisionLog: settings.consoleDecisionLog
      ? createOpaDecisionLog({ labels: settings.labels, pdpId, clock, write: writeStderr })
      : undefined,
    newDecisionId: settings.compatibility === "opa-envoy-plugin" ? randomUUID : createUuidV7(clock),
  };
  let decide = createDecider(rules, rulePorts);
  const opened = await openAppListener(listen, {
    settings,
    rules: () => rules,
    handler: (bytes, call) => decide(bytes, call),
    clock,
    health,
    log,
  });
  if (!opened.ok) return abandon([opened.detail ?? opened.code], audit, rules);
  const { server } = opened.value;
  parts.server = server;
  parts.http2 = opened.value.http2;
  const useTls = (material: TlsMaterial): void => {
    for (const acceptor of server.acceptors) acceptor.replaceTls(material);
  };
  const tls = followTls(
    () => rules,
    { clock, timers: rulesPorts.timers, log, counted: metrics.tlsReloaded },
    {
      onMaterial: (material) => {
        rules = { ...rules, tls: material };
        parts.rules = rules;
        useTls(material);
      },
      onTrust: () => void server.listener.review(),
    },
  );

  let isClosed = false;
  const reload = async (
    resolved: ResolvedSettings = { ok: true, settings: rules.settings },
  ): Promise<readonly string[]> => {
    if (isClosed) return [IS_CLOSED];
    audit.reopen();
    const next = await reloadRules(rules, resolved, rulesPorts);
    // INVARIANT: what is made for a svidgate that has ended is closed like the rest of it.
    if (isClosed) {
      if (next.ok && next.rules.identity !== rules.identity) next.rules.identity.close();
      return [IS_CLOSED];
    }
    const result = next.ok ? "success" : "failure";
    metrics.policyReloaded(result);
    if (rules.tls !== undefined && (next.ok || next.isTlsAtFault)) metrics.tlsReloaded(result);
    const problems = next.ok ? [] : next.problems;
    lastReload = { time: new Date(clock.unixMs()).toISOString(), result, problems };
    if (!next.ok) {
      log.error("reload failed: configuration and policy in force stay", { problems });
      return problems;
    }
    logWarnings(log, next);
    const { identity: former, policy: formerPolicy } = rules;
    ({ rules, warnings } = next);
    formerPolicy.close();
    parts.rules = rules;
    if (rules.tls !== undefined) useTls(rules.tls);
    decide = createDecider(rules, rulePorts);
    tls.restart();
    if (former !== rules.identity) {
      rules.identity.succeed(former);
      former.close();
      announceIdentity(log, rules.identity, clock.unixMs());
    }
    log.info("reloaded", { revision: rules.policy.revision, tlsCertificateNotAfter: notAfter(rules.tls) });
    return [];
  };

  const compiler = nameCompiler();
  let adminServer: AdminServer | undefined;
  if (admin !== undefined) {
    const openedAdmin = await openAppAdmin(admin, {
      health,
      rules: () => rules,
      metrics,
      log,
      status: () => ({
        startedUnixMs,
        nowUnixMs: clock.unixMs(),
        configFile: ports.configFile,
        compiler,
        rules,
        warnings,
        lastReload,
        tlsRenewed: tls.last,
        server,
        adminAddress: adminServer?.text,
        health,
        audit: audit.stats(),
      }),
    });
    if (!openedAdmin.ok) {
      tls.close();
      await server.close();
      return abandon([`--admin: ${openedAdmin.detail ?? openedAdmin.code}`], audit, rules);
    }
    adminServer = openedAdmin.value;
  }
  health.setReady(true);

  const acceptor = server.acceptors[0];
  announceIdentity(log, rules.identity, clock.unixMs());
  if (acceptor !== undefined) announceListener(log, acceptor, rules.tls);
  const running = server;
  const stopRest = async (): Promise<void> => {
    isClosed = true;
    tls.close();
    rules.identity.close();
    rules.policy.close();
    await adminServer?.close();
    await tracing?.close(SPAN_FLUSH_MS);
    if (!(await audit.close(AUDIT_FLUSH_MS))) log.error("audit events were left behind", { ...audit.stats().lost });
  };
  return {
    ok: true,
    app: {
      address: acceptor?.text ?? settings.listen,
      adminAddress: adminServer?.text,
      get policy() {
        return rules.policy;
      },
      get settings() {
        return rules.settings;
      },
      reload,
      drain: async () => {
        const { lameDuckMs, graceMs } = rules.settings;
        const { cut } = await running.drain({ lameDuckMs, graceMs });
        if (cut > 0) log.warn("connections were cut after the grace time", { cut });
        await stopRest();
      },
      close: async () => {
        await running.close();
        await stopRest();
      },
    },
  };
}

function readAddress(text: string, problems: string[]): ListenAddress | undefined {
  const parsed = parseListenAddress(text);
  if (parsed.ok) return parsed.value;
  problems.push(parsed.detail ?? `${text}: ${parsed.code}`);
  return undefined;
}

async function abandon(problems: readonly string[], audit: Audit, { identity }: Rules): Promise<StartedApp> {
  identity.close();
  await audit.close(AUDIT_FLUSH_MS);
  return { ok: false, problems };
}
