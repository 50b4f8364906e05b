// Identity as the configuration asks for it: bundle sources, known certificates and tokens, deny list and attributes, put together
// to the one function that says who calls. It outlives a reload unless the reload changes what it is made of.

import { type IdentityPorts, startBundleSources } from "./app-identity-sources.ts";
import { stayAwake } from "./base/stay-awake.ts";
import type { FieldName } from "./config/fields.ts";
import { isIdentityField } from "./config/identity-settings.ts";
import type { Settings } from "./config/settings.ts";
import { createKnownCertificates, type KnownCertificates } from "./identity/known-certificates.ts";
import { createKnownTokens, type KnownTokens } from "./identity/known-tokens.ts";
import { createXfccReader } from "./identity/peer-xfcc.ts";
import { createResolver } from "./identity/resolve.ts";
import type { Resolve, TokenTrust, Trust } from "./identity/resolver-parts.ts";
import { type AttributeFiles, startAttributes } from "./identity/sources/attribute-files.ts";
import { type DenyListFile, startDenyListFile } from "./identity/sources/deny-list-file.ts";
import type { WorkloadApi } from "./identity/sources/workload-api.ts";
import { parseWorkloadApiAddress } from "./identity/sources/workload-api-address.ts";
import type { TrustBundles } from "./identity/trust-bundles.ts";

export type { IdentityPorts } from "./app-identity-sources.ts";

/** Identity at work. */
export interface RunningIdentity {
  readonly resolve: Resolve;
  /** Undefined when nothing is verified. */
  readonly bundles: TrustBundles | undefined;
  readonly workloadApi: WorkloadApi | undefined;
  readonly certificates: KnownCertificates | undefined;
  readonly tokens: KnownTokens | undefined;
  readonly denyList: DenyListFile | undefined;
  readonly attributes: AttributeFiles | undefined;
  /** What it was made of. */
  readonly settings: Settings;
  /** Whether workloads can be proven: every trust domain from a file or the Workload API has a bundle. */
  readonly ready: boolean;
  /** Raised by whatever can change a decision without a new policy: bundles, deny list, attributes. */
  readonly stateEpoch: number;
  /** Takes the place of `former`: the epoch goes on from there. */
  succeed(former: Pick<RunningIdentity, "stateEpoch">): void;
  /** Reads every file again; the sentences say what is wrong now. */
  reload(): Promise<readonly string[]>;
  close(): void;
}

/** Identity, or everything that keeps it from starting. */
export type StartedIdentity =
  | { readonly ok: true; readonly identity: RunningIdentity; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Starts every part and waits for each one's first answer; the process lives on meanwhile. */
export function startIdentity(settings: Settings, ports: IdentityPorts): Promise<StartedIdentity> {
  return stayAwake(startParts(settings, ports));
}

async function startParts(settings: Settings, ports: IdentityPorts): Promise<StartedIdentity> {
  const { clock, timers, log } = ports;
  const address = settings.workloadApi === undefined ? undefined : parseWorkloadApiAddress(settings.workloadApi);
  if (address?.ok === false) {
    return { ok: false, problems: [`svidgate.identity.workload_api: ${address.detail ?? address.code}`] };
  }
  const sources = startBundleSources(settings, ports);
  const denyList =
    settings.denyList === undefined
      ? undefined
      : startDenyListFile(
          { path: settings.denyList, stateDir: settings.stateDir },
          {
            clock,
            timers,
            ...(ports.onDenyListApplied && { onApplied: ports.onDenyListApplied }),
            onProblem: (problem) => log.error("deny list", { problem }),
          },
        );
  const attributes = startAttributes(settings, {
    clock,
    timers,
    onProblem: (problem) => log.error("attributes", { problem }),
  });
  await Promise.all([sources?.ready, denyList?.ready, attributes?.ready]);
  if (settings.tlsSource === "workload_api" && sources?.workloadApi !== undefined) {
    await firstSvid(sources.workloadApi, ports);
  }

  const certificates =
    sources &&
    createKnownCertificates({
      bundles: sources.bundles,
      maxEntries: settings.certificatesCached,
      clockSkewMs: settings.clockSkewMs,
    });
  const ownTrustDomain = (): string | undefined => ownTrustDomainOf(settings, sources?.workloadApi);
  const tokens = sources && tokenTrust(settings, sources.bundles, ownTrustDomain);
  const trust: Trust | undefined = sources &&
    certificates && {
      bundles: sources.bundles,
      certificates,
      tokens,
      xfcc: settings.xfccEnabled ? createXfccReader(certificates.fingerprintOf) : undefined,
      gateways: new Set(settings.gateways),
      rulesOf: (trustDomain) => settings.trustDomains.get(trustDomain),
    };
  const close = (): void => {
    sources?.close();
    denyList?.close();
    attributes?.close();
  };
  const fileProblems = (): string[] => [
    ...(sources?.bundles.list(clock.unixMs()) ?? []).flatMap(({ source, problem }) =>
      source === "file" && problem !== undefined ? [problem] : [],
    ),
    ...told(denyList?.status().problem),
    ...(attributes?.status().problems ?? []),
  ];
  let formerEpochs = 0;
  const identity: RunningIdentity = {
    resolve: createResolver({
      trust,
      trustEnvoyPrincipal: settings.trustEnvoyPrincipal,
      onInvalid: settings.identityOnInvalid,
      attributes: attributes?.source,
      denyList: () => denyList?.current(),
      ownTrustDomain,
    }),
    bundles: sources?.bundles,
    workloadApi: sources?.workloadApi,
    certificates,
    tokens: tokens?.known,
    denyList,
    attributes,
    settings,
    get ready() {
      return sources === undefined || isReady(settings, sources.bundles, clock.unixMs());
    },
    get stateEpoch() {
      const parts = [sources?.bundles.generation, denyList?.status().generation, attributes?.source.generation];
      return parts.reduce<number>((sum, generation) => sum + (generation ?? 0), formerEpochs);
    },
    succeed: (former) => {
      formerEpochs = former.stateEpoch + 1;
    },
    reload: async () => {
      await Promise.all([sources?.reload(), denyList?.reload(), attributes?.reload()]);
      return fileProblems();
    },
    close,
  };
  // A list that is kept in the state folder holds over a start at which its file is broken.
  const isKept = denyList?.status().origin === "state_dir";
  const problems = fileProblems().filter((problem) => !(isKept && problem === denyList?.status().problem));
  if (problems.length > 0) {
    close();
    return { ok: false, problems };
  }
  return { ok: true, identity, warnings: sources === undefined ? [] : notReadyYet(sources.bundles, clock.unixMs()) };
}

const told = (problem: string | undefined): readonly string[] => (problem === undefined ? [] : [problem]);

/** How long a start waits for an SVID of its own: an agent that starts beside us needs some seconds. */
const FIRST_SVID_MS = 30_000;

/** Resolves when there is an SVID, or when there is none in time: the listener then says what is missing. */
async function firstSvid(workloadApi: WorkloadApi, { timers, log }: IdentityPorts): Promise<void> {
  if (workloadApi.ownSvid() !== undefined) return;
  log.info("waiting for an X.509-SVID of our own from the Workload API", { ms: FIRST_SVID_MS });
  await new Promise<void>((resolve) => {
    const done = (): void => {
      cancel();
      forget();
      resolve();
    };
    const cancel = timers.after(FIRST_SVID_MS, done);
    const forget = workloadApi.onSvid(done);
  });
}

/** Whether a change of settings needs identity to be made anew. */
export const isSameIdentity = (a: Settings, b: Settings): boolean =>
  (Object.keys(a.config) as readonly FieldName[])
    .filter(isIdentityField)
    .every((name) => JSON.stringify(a.config[name]) === JSON.stringify(b.config[name]));

/**
 * What is wrong with `next` taking the place of `current`: trust domains that both trust, and whose sources have not answered `next`
 * yet. SECURITY: a change of another key must not cost the last good bundles, nor their sequence numbers, while a source is silent.
 */
export function findLostBundles(current: RunningIdentity, next: RunningIdentity, nowUnixMs: number): readonly string[] {
  const { bundles, settings } = next;
  if (bundles === undefined) return [];
  return (current.bundles?.list(nowUnixMs) ?? []).flatMap(({ trustDomain, state }) => {
    const isWanted = settings.trustDomains.size === 0 || settings.trustDomains.has(trustDomain);
    return state !== "fresh" || !isWanted || bundles.find(trustDomain) !== undefined
      ? []
      : [
          `svidgate.identity.trust_domains.${trustDomain}.bundle: its source does not answer: what is in force stays, reload again when it does, or restart`,
        ];
  });
}

/** svidgate's own trust domain: as configured, else of its own SVID, else the only one there is. */
export function ownTrustDomainOf(settings: Settings, workloadApi: WorkloadApi | undefined): string | undefined {
  if (settings.ownTrustDomain !== undefined) return settings.ownTrustDomain;
  const own = workloadApi?.ownSvid()?.spiffeId.split("/")[2];
  if (own !== undefined) return own;
  const [only, ...others] = settings.trustDomains.keys();
  return others.length === 0 ? only : undefined;
}

function tokenTrust(
  settings: Settings,
  bundles: TrustBundles,
  ownTrustDomain: () => string | undefined,
): TokenTrust | undefined {
  if (!settings.jwtEnabled) return undefined;
  return {
    known: createKnownTokens({
      audiences: settings.jwtAudiences,
      bundles,
      leewayMs: settings.clockSkewMs,
      maxLifetimeMs: settings.jwtMaxLifetimeMs,
      requireKeyId: settings.jwtRequireKeyId,
      maxInFlight: settings.jwtMaxInFlight,
      keepsAllClaimsOf: (trustDomain) => trustDomain === ownTrustDomain(),
      foreignClaims: settings.jwtForeignClaims,
    }),
    places: { header: settings.jwtHeader, metadata: settings.jwtMetadata },
    bindToPeer: settings.jwtBindToPeer,
    strip: settings.jwtForward === "strip",
  };
}

function isReady(settings: Settings, bundles: TrustBundles, nowUnixMs: number): boolean {
  const near = bundles.list(nowUnixMs).filter(({ source }) => source === "file" || source === "workload_api");
  if (settings.trustDomains.size === 0 && near.length === 0) return false;
  return near.every(({ state }) => state !== "absent");
}

const notReadyYet = (bundles: TrustBundles, nowUnixMs: number): readonly string[] =>
  bundles
    .list(nowUnixMs)
    .flatMap(({ trustDomain, state, problem }) =>
      state === "absent" ? [`no trust bundle for ${trustDomain} yet: ${problem ?? "its source has not answered"}`] : [],
    );
