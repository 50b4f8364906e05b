// Where trust bundles come from, as the configuration says: one source for each trust domain, all into one store. What they tell
// is logged and counted here.

import type { Clock } from "./base/clock.ts";
import type { Timers } from "./base/timers.ts";
import type { Settings } from "./config/settings.ts";
import { DEFAULT_TRUST_DOMAIN_RULES } from "./config/trust-domains.ts";
import { startBundleFile } from "./identity/sources/file.ts";
import { startBundleEndpoint } from "./identity/sources/https.ts";
import type { RunningSource } from "./identity/sources/running-source.ts";
import { startWorkloadApi, type WorkloadApi, type WorkloadStreamStatus } from "./identity/sources/workload-api.ts";
import {
  type BundleOrigin,
  type BundleSink,
  createTrustBundles,
  type TrustBundles,
  type TrustDomainSource,
} from "./identity/trust-bundles.ts";
import type { Log } from "./telemetry/log.ts";

/** What identity takes from outside. */
export interface IdentityPorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** For metrics. */
  readonly onBundle?: (origin: BundleOrigin, event: "changed" | "confirmed" | "withdrawn" | "failed") => void;
  /** For metrics: seconds from the change of the deny list's file to its being in force. */
  readonly onDenyListApplied?: (seconds: number) => void;
}

/** Every source at work. */
export interface BundleSources {
  readonly bundles: TrustBundles;
  readonly workloadApi: WorkloadApi | undefined;
  /** Resolves when each source's first attempt is over; never rejects. */
  readonly ready: Promise<void>;
  /** Reads files and asks endpoints at once. */
  reload(): Promise<void>;
  close(): void;
}

/** Starts them; undefined when no trust bundle is configured. */
export function startBundleSources(settings: Settings, ports: IdentityPorts): BundleSources | undefined {
  if (!settings.hasTrustBundles) return undefined;
  const { clock, log } = ports;
  const { trustDomains, workloadApi: socket, stateDir } = settings;
  const sources = new Map<string, TrustDomainSource>(
    [...trustDomains].map(([name, { bundle, maxStalenessMs }]) => [
      name,
      // The store knows 0 for "for ever".
      { origin: bundle.kind, maxStalenessMs: Number.isFinite(maxStalenessMs) ? maxStalenessMs : 0 },
    ]),
  );
  const bundles = createTrustBundles({
    clock,
    trustDomains: sources,
    ...(trustDomains.size === 0 && {
      others: { origin: "workload_api", maxStalenessMs: DEFAULT_TRUST_DOMAIN_RULES.maxStalenessMs },
    }),
    onProblem: ({ origin, trustDomain, problem }) => log.error("trust bundle", { origin, trustDomain, problem }),
  });
  const sink = (origin: BundleOrigin): BundleSink => counted(origin, bundles.sink(origin), ports);
  const endpointPorts = {
    ...ports,
    bundles,
    onKeepProblem: (problem: string) => log.error("trust bundle", { problem }),
  };
  const running: RunningSource[] = [];
  for (const [trustDomain, { bundle, maxStalenessMs }] of trustDomains) {
    switch (bundle.kind) {
      case "file":
        running.push(startBundleFile({ trustDomain, path: bundle.path }, sink("file"), ports));
        break;
      case "https_web": {
        const profile = { name: "https_web", caFile: bundle.ca } as const;
        const endpoint = { trustDomain, url: bundle.url, profile, stateDir, maxStalenessMs };
        running.push(startBundleEndpoint(endpoint, sink("https_web"), endpointPorts));
        break;
      }
      case "https_spiffe": {
        const { endpointSpiffeId, bootstrap } = bundle;
        const profile = { name: "https_spiffe", endpointSpiffeId, bootstrapFile: bootstrap } as const;
        const endpoint = { trustDomain, url: bundle.url, profile, stateDir, maxStalenessMs };
        running.push(startBundleEndpoint(endpoint, sink("https_spiffe"), endpointPorts));
        break;
      }
      case "workload_api":
        break;
    }
  }
  const workloadApi =
    socket === undefined
      ? undefined
      : startWorkloadApi({ socket, wantSvid: true }, sink("workload_api"), {
          ...ports,
          onStreamChange: (status) => logStream(log, status),
        });
  return {
    bundles,
    workloadApi,
    ready: within(FIRST_ANSWERS_MS, ports.timers, [...running.map((source) => source.ready), workloadApi?.ready]),
    reload: async () => {
      workloadApi?.reload();
      const asked = running.map((source) => source.reload());
      await within(FIRST_ANSWERS_MS, ports.timers, asked);
    },
    close: () => {
      for (const source of running) source.close();
      workloadApi?.close();
    },
  };
}

/**
 * How long a start waits for sources that are silent: what is configured is then served without them, and refused as absent. Nor
 * does a reload wait longer: what an endpoint says later counts when it says it.
 */
const FIRST_ANSWERS_MS = 10_000;

/** Resolves when all have, or after `ms`. */
function within(ms: number, timers: Timers, all: readonly (Promise<void> | undefined)[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = timers.after(ms, resolve);
    void Promise.all(all)
      .then(() => resolve(), reject)
      .finally(cancel);
  });
}

/** A stream that breaks is a warning; one that opens is none. */
function logStream(log: Log, { lastMessageUnixMs, ...status }: WorkloadStreamStatus): void {
  const lastMessage = lastMessageUnixMs === undefined ? undefined : new Date(lastMessageUnixMs).toISOString();
  log[status.problem === undefined ? "info" : "warn"]("workload API", { ...status, lastMessage });
}

/** The same sink, with metrics and a log line for each change. */
function counted(origin: BundleOrigin, sink: BundleSink, { log, onBundle }: IdentityPorts): BundleSink {
  return {
    ...sink,
    replace: (bundle, lastSuccessUnixMs) => {
      const update = sink.replace(bundle, lastSuccessUnixMs);
      if (lastSuccessUnixMs !== undefined) {
        // Its source has said nothing yet: what was known before the restart holds until then.
        if (update === "taken") {
          const lastSuccess = new Date(lastSuccessUnixMs).toISOString();
          log.info("trust bundle restored", { trustDomain: bundle.trustDomain, origin, lastSuccess });
        }
        return update;
      }
      onBundle?.(origin, update === "taken" ? "changed" : update === "unchanged" ? "confirmed" : "failed");
      if (update === "taken") {
        log.info("trust bundle changed", {
          trustDomain: bundle.trustDomain,
          origin,
          x509Authorities: bundle.x509Authorities.length,
          jwtAuthorities: bundle.jwtAuthorities.size,
          sequence: bundle.sequence?.toString(),
        });
        for (const why of bundle.ignored)
          log.warn("trust bundle entry ignored", { trustDomain: bundle.trustDomain, why });
      }
      return update;
    },
    confirm: (trustDomain) => {
      onBundle?.(origin, "confirmed");
      sink.confirm(trustDomain);
    },
    withdraw: (trustDomain) => {
      onBundle?.(origin, "withdrawn");
      log.warn("trust domain withdrawn by its source", { trustDomain, origin });
      sink.withdraw(trustDomain);
    },
    failed: (trustDomain, problem) => {
      onBundle?.(origin, "failed");
      sink.failed(trustDomain, problem);
    },
  };
}
