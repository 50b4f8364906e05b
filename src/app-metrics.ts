// The metrics of a running svidgate: what its parts know of themselves, read when Prometheus asks.

import type { RunningIdentity } from "./app-identity.ts";
import type { Rules } from "./app-rules.ts";
import type { Audit } from "./audit/audit.ts";
import { REASONS_BY_OUTCOME } from "./authz/outcome.ts";
import type { Clock } from "./base/clock.ts";
import { packageVersion } from "./base/package-root.ts";
import type { CheckServer } from "./server/check-server.ts";
import { createRefusals } from "./server/refusals.ts";
import type { Http2MetricCounts } from "./telemetry/http2-metrics.ts";
import type { IdentityCounts } from "./telemetry/identity-metrics.ts";
import type { Log } from "./telemetry/log.ts";
import { createMetrics, type Metrics } from "./telemetry/metrics.ts";
import type { Tracing } from "./telemetry/tracing.ts";

/** The parts, as far as they are there yet; a reload replaces rules. */
export interface AppParts {
  rules?: Rules;
  audit?: Audit;
  tracing?: Tracing | undefined;
  server?: CheckServer;
  /** Of the line-rate listener. */
  http2?: Http2MetricCounts | undefined;
}

const NONE_REFUSED = createRefusals().counts;
const NO_AUDIT = { written: 0, lost: {}, sinkErrors: 0, queuedEvents: 0, queuedBytes: 0 };

/** Creates them before the parts, so that each can count from its start. */
export function createAppMetrics(parts: AppParts, clock: Clock, log: Log): Metrics {
  return createMetrics({
    version: packageVersion(),
    nodeVersion: process.versions.node,
    reasons: REASONS_BY_OUTCOME,
    ports: {
      checksInFlight: () => parts.server?.listener.checksInFlight ?? 0,
      connections: () => parts.server?.listener.connections ?? 0,
      connectionsRefused: () => parts.server?.acceptors[0]?.refusals.counts ?? NONE_REFUSED,
      http2: () => parts.http2,
      tlsCertificateExpiryUnixSeconds: () => {
        const tls = parts.rules?.tls;
        return tls === undefined ? undefined : tls.leaf.notAfterUnixMs / 1000;
      },
      policy: () => {
        const policy = parts.rules?.policy;
        return policy && { revision: policy.revision, loadedAtUnixSeconds: policy.activatedUnixMs / 1000 };
      },
      audit: () => parts.audit?.stats() ?? NO_AUDIT,
      spans: () => parts.tracing?.counts(),
      identity: () => parts.rules && toIdentityCounts(parts.rules.identity, clock.unixMs()),
    },
    onFault: (fault) => log.error("metrics fault", { error: fault }),
  });
}

const areCurrent = (files: readonly { readonly problem: string | undefined }[]): boolean | undefined =>
  files.length === 0 ? undefined : files.every(({ problem }) => problem === undefined);

const NO_CACHE = { entries: 0, hits: 0, misses: 0, inFlight: 0 };

function toIdentityCounts(identity: RunningIdentity, nowUnixMs: number): IdentityCounts {
  const { bundles, workloadApi, certificates, tokens, denyList, attributes } = identity;
  const list = denyList?.status();
  return {
    trustDomains: (bundles?.list(nowUnixMs) ?? []).map(({ state, ...domain }) => ({
      ...domain,
      fresh: state === "fresh",
    })),
    workloadApiStreams: (workloadApi?.status().streams ?? []).map(({ name, state }) => ({
      stream: name,
      connected: state === "connected",
    })),
    certificates: certificates?.stats() ?? NO_CACHE,
    tokens: tokens?.stats() ?? NO_CACHE,
    denyList: list && { entries: list.entries, current: list.problem === undefined },
    attributeFilesCurrent: areCurrent(attributes?.status().files ?? []),
  };
}
