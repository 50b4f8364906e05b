// The composition root: builds the parts from settings, wires their ports, and gives them one life:
// start, reload as often as wanted, drain. What a part decides is in the part, not here.

import { randomUUID } from "node:crypto";
import { toInputOptions } from "./app-input.ts";
import { SPAN_FLUSH_MS, startTracing } from "./app-tracing.ts";
import { type Audit, createAudit } from "./audit/audit.ts";
import { AuditSinkError, openAuditSink, parseAuditTarget } from "./audit/sinks.ts";
import { toDecisionFacts } from "./authz/audit-record.ts";
import { createCheckHandler, type DecisionRecord } from "./authz/decide.ts";
import { isAllow } from "./authz/decision.ts";
import { OUTCOMES, REASONS_BY_OUTCOME } from "./authz/outcome.ts";
import { createResponseWriter } from "./authz/response.ts";
import type { Clock } from "./base/clock.ts";
import { packageVersion } from "./base/package-root.ts";
import { createUuidV7 } from "./base/uuid-v7.ts";
import type { Settings } from "./config/settings.ts";
import type { ActivePolicy } from "./policy/active-policy.ts";
import { loadActivePolicy } from "./policy/load.ts";
import { type AdminServer, openAdmin } from "./server/admin.ts";
import { type CheckServer, openCheckServer } from "./server/check-server.ts";
import { createGrpcJsListener } from "./server/grpc-js-listener.ts";
import { createHealth } from "./server/health.ts";
import { type ListenAddress, parseListenAddress } from "./server/listen-address.ts";
import type { Log } from "./telemetry/log.ts";
import { createMetrics, type Metrics } from "./telemetry/metrics.ts";
import type { Tracing } from "./telemetry/tracing.ts";

/** What the app takes from outside. */
export interface AppPorts {
  readonly clock: Clock;
  readonly log: Log;
}

/** A running svidgate. */
export interface App {
  /** The listener's address with the port that was chosen. */
  readonly address: string;
  /** The admin port's address; undefined when it is off. */
  readonly adminAddress: string | undefined;
  readonly policy: ActivePolicy;
  /** Loads policy and data anew and reopens the audit file: all valid, or all kept. Gives the problems. */
  reload(): Promise<readonly string[]>;
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

/** Starts everything that `settings` asks for, or nothing. */
export async function startApp(settings: Settings, ports: AppPorts): Promise<StartedApp> {
  const { clock, log } = ports;
  const startedUnixMs = clock.unixMs();
  const problems: string[] = [];
  const listen = readAddress(settings.listen, problems);
  const admin = settings.admin === "off" ? undefined : readAddress(settings.admin, problems);
  const target = parseAuditTarget(settings.audit);
  if (!target.ok) problems.push(target.detail ?? target.code);
  const input = await toInputOptions(settings);
  if (!input.ok) problems.push(...input.problems);
  const loaded = await load(settings, ports);
  if (!loaded.ok) problems.push(...loaded.problems);
  if (problems.length > 0 || !input.ok || !loaded.ok || !target.ok || listen === undefined)
    return { ok: false, problems };
  for (const warning of loaded.warnings) log.warn("policy", { warning });
  let policy = loaded.policy;

  const pdpId = randomUUID();
  let audit: Audit;
  try {
    audit = createAudit({
      sink: openAuditSink(target.value),
      clock,
      pdpId,
      pdpVersion: packageVersion(),
      path: settings.auditPath,
      maxEvents: settings.auditQueueEvents,
      onLost: (cause, seq) => log.error("audit events are being lost", { cause, seq }),
      onSinkError: (error) => log.error("the audit sink failed", { error: toError(error) }),
    });
  } catch (error) {
    if (!(error instanceof AuditSinkError)) throw error;
    return { ok: false, problems: [error.message] };
  }

  const tracing = startTracing(settings, ports, pdpId);
  let inFlight = 0;
  let server: CheckServer | undefined;
  const metrics = createMetrics({
    version: packageVersion(),
    nodeVersion: process.versions.node,
    reasons: REASONS_BY_OUTCOME,
    ports: {
      checksInFlight: () => inFlight,
      connections: () => server?.listener.connections ?? 0,
      policy: () => ({ revision: policy.revision, loadedAtUnixSeconds: policy.activatedUnixMs / 1000 }),
      audit: () => audit.stats(),
      spans: () => tracing?.counts(),
    },
    onFault: (fault) => log.error("metrics fault", { error: fault }),
  });
  const record = createRecorder(settings, audit, metrics, tracing);
  const health = createHealth();
  const handler = createCheckHandler({
    clock,
    activePolicy: () => policy,
    input: input.options,
    readOptions: { fromHeaderMap: settings.fromHeaderMap },
    verdict: { allowHeaderControlCharacters: settings.allowHeaderControlCharacters },
    responses: createResponseWriter({ onError: settings.onError, dryRun: settings.dryRun }),
    newDecisionId: createUuidV7(clock),
    record,
    onFault: (error, decisionId) => log.error("a check failed by our fault", { decisionId, error: toError(error) }),
  });
  const opened = await openCheckServer({
    addresses: [listen],
    accept: {
      insecure: settings.plaintextAllowed,
      socketMode: settings.unixSocketMode,
      maxConnections: settings.maxConnections,
    },
    createListener: createGrpcJsListener,
    listener: {
      handler: (bytes, call) => {
        inFlight++;
        try {
          return handler(bytes, call);
        } finally {
          inFlight--;
        }
      },
      clock,
      health,
      limits: { maxReceiveBytes: settings.maxRequestBytes, maxConcurrentStreams: settings.maxConcurrentStreams },
      onFault: (error) => log.error("listener fault", { error: toError(error) }),
    },
  });
  if (!opened.ok) return abandon([opened.detail ?? opened.code], audit);
  server = opened.value;

  const reload = async (): Promise<readonly string[]> => {
    audit.reopen();
    const next = await load(settings, ports);
    metrics.policyReloaded(next.ok ? "success" : "failure");
    if (!next.ok) {
      log.error("reload failed: the policy in force stays", { problems: next.problems });
      return next.problems;
    }
    for (const warning of next.warnings) log.warn("policy", { warning });
    policy = next.policy;
    log.info("reloaded", { revision: policy.revision });
    return [];
  };

  let adminServer: AdminServer | undefined;
  if (admin !== undefined) {
    const openedAdmin = await openAdmin(admin, {
      health: () => ({
        canEvaluate: true,
        inactiveBundles: [],
        plugins: { envoy_ext_authz_grpc: health.draining ? "NOT_READY" : "OK" },
      }),
      ready: () => [
        { name: "policy", ready: health.ready },
        { name: "not-draining", ready: !health.draining },
      ],
      metrics: () => metrics.text(),
      status: () => toStatus(settings, policy, audit, { startedUnixMs, draining: health.draining }),
      onFault: (error) => log.error("admin fault", { error: toError(error) }),
    });
    if (!openedAdmin.ok) {
      await server.close();
      return abandon([`--admin: ${openedAdmin.detail ?? openedAdmin.code}`], audit);
    }
    adminServer = openedAdmin.value;
  }
  health.setReady(true);

  const acceptor = server.acceptors[0];
  if (acceptor !== undefined && !acceptor.isLoopback) {
    log.warn("listening without TLS where other machines can reach it: whoever can connect can ask", {
      address: acceptor.text,
    });
  }
  const running = server;
  const stopRest = async (): Promise<void> => {
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
        return policy;
      },
      reload,
      drain: async () => {
        const { cut } = await running.drain({ lameDuckMs: settings.lameDuckMs, graceMs: settings.graceMs });
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

function load(settings: Settings, { clock, log }: AppPorts): ReturnType<typeof loadActivePolicy> {
  return loadActivePolicy({
    paths: settings.policyPaths,
    dataFiles: settings.dataFiles,
    regoVersion: settings.regoVersion,
    entrypoint: settings.entrypoint,
    engine: settings.engine,
    strictBuiltinErrors: settings.strictBuiltinErrors,
    maxMemoryBytes: settings.maxMemoryBytes,
    clock,
    onPrint: (text) => log.debug("policy print", { text }),
  });
}

/** Audit, metrics and span of one decision. */
function createRecorder(
  settings: Settings,
  audit: Audit,
  metrics: Metrics,
  tracing: Tracing | undefined,
): (record: DecisionRecord) => void {
  const options = { dryRun: settings.dryRun, errorsAreGrpcStatus: settings.onError === "grpc_error" };
  return (record) => {
    const { reason } = record.decision;
    const evaluationUs = record.evaluationMs === undefined ? -1 : record.evaluationMs * 1000;
    metrics.decided(OUTCOMES[reason].outcome, reason, record.totalMs * 1000, evaluationUs);
    if (settings.dryRun && !isAllow(record.decision)) metrics.wouldDeny(reason);
    const facts = toDecisionFacts(record, options);
    audit.record(facts);
    tracing?.decided(facts);
  };
}

function readAddress(text: string, problems: string[]): ListenAddress | undefined {
  const parsed = parseListenAddress(text);
  if (parsed.ok) return parsed.value;
  problems.push(parsed.detail ?? `${text}: ${parsed.code}`);
  return undefined;
}

function toStatus(
  settings: Settings,
  policy: ActivePolicy,
  audit: Audit,
  process_: { readonly startedUnixMs: number; readonly draining: boolean },
): unknown {
  return {
    version: packageVersion(),
    started: new Date(process_.startedUnixMs).toISOString(),
    draining: process_.draining,
    listener: settings.listener,
    on_error: settings.onError,
    dry_run: settings.dryRun,
    policy: {
      revision: policy.revision,
      entrypoint: policy.entrypoint,
      wasm_sha256: policy.wasmSha256,
      activated: new Date(policy.activatedUnixMs).toISOString(),
    },
    audit: { sink: settings.audit.split(":")[0], ...audit.stats() },
  };
}

async function abandon(problems: readonly string[], audit: Audit): Promise<StartedApp> {
  await audit.close(AUDIT_FLUSH_MS);
  return { ok: false, problems };
}

const toError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
