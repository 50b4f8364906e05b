// `identity` of `GET /status`: what callers are verified against and how fresh that is. Nothing of callers, no keys.

import type { RunningIdentity } from "./app-identity.ts";
import { DEFAULT_TRUST_DOMAIN_RULES } from "./config/trust-domains.ts";
import type { KnownTokensStats } from "./identity/known-tokens.ts";

/** The section; `trust_domains` is empty where nothing is verified. */
export function toIdentityStatus(identity: RunningIdentity, nowUnixMs: number): unknown {
  const { settings, bundles, workloadApi, certificates, tokens, denyList, attributes } = identity;
  return {
    verifies: bundles !== undefined,
    ready: identity.ready,
    on_invalid: settings.identityOnInvalid,
    trust_envoy_principal: settings.trustEnvoyPrincipal,
    state_epoch: identity.stateEpoch,
    trust_domains: (bundles?.list(nowUnixMs) ?? []).map((domain) => ({
      trust_domain: domain.trustDomain,
      state: domain.state,
      source: domain.source,
      generation: domain.generation ?? null,
      sequence: domain.sequence?.toString() ?? null,
      age_seconds: domain.ageSeconds === undefined ? null : Math.floor(domain.ageSeconds),
      last_success: toTime(domain.lastSuccessUnixMs),
      max_staleness_seconds: toMaxStaleness(settings, domain.trustDomain),
      refresh_hint_seconds: domain.refreshHintSeconds ?? null,
      x509_authorities: domain.x509Authorities,
      jwt_authorities: domain.jwtAuthorities,
      ignored: domain.ignored,
      problem: domain.problem ?? null,
    })),
    workload_api: workloadApi === undefined ? null : toWorkloadApiStatus(workloadApi.status()),
    jwt_svid: tokens === undefined ? null : { audiences: settings.jwtAudiences, forward: settings.jwtForward },
    deny_list: denyList === undefined ? null : toDenyListStatus(denyList.status()),
    attributes:
      attributes === undefined
        ? null
        : { templates: settings.attributeTemplates, files: attributes.status().files.map(toAttributeFileStatus) },
    caches: {
      certificates: certificates?.stats() ?? null,
      tokens: tokens === undefined ? null : toTokenStats(tokens.stats()),
    },
  };
}

/** `null` for a bundle that is never too old. */
function toMaxStaleness({ trustDomains }: RunningIdentity["settings"], trustDomain: string): number | null {
  const { maxStalenessMs } = trustDomains.get(trustDomain) ?? DEFAULT_TRUST_DOMAIN_RULES;
  return Number.isFinite(maxStalenessMs) ? maxStalenessMs / 1000 : null;
}

const toTokenStats = ({ inFlight, ...stats }: KnownTokensStats): unknown => ({ ...stats, in_flight: inFlight });

type WorkloadApiStatus = ReturnType<NonNullable<RunningIdentity["workloadApi"]>["status"]>;
type AttributeFileStatus = ReturnType<NonNullable<RunningIdentity["attributes"]>["status"]>["files"][number];
type DenyListStatus = ReturnType<NonNullable<RunningIdentity["denyList"]>["status"]>;

const toWorkloadApiStatus = ({ socket, streams, ownSvid }: WorkloadApiStatus): unknown => ({
  socket,
  own_svid:
    ownSvid === undefined
      ? null
      : {
          spiffe_id: ownSvid.spiffeId,
          hint: ownSvid.hint ?? null,
          not_before: toTime(ownSvid.notBeforeUnixMs),
          not_after: toTime(ownSvid.notAfterUnixMs),
        },
  streams: streams.map((stream) => ({
    stream: stream.name,
    state: stream.state,
    last_message: toTime(stream.lastMessageUnixMs),
    attempts: stream.attempts,
    problem: stream.problem ?? null,
  })),
});

const toDenyListStatus = (status: DenyListStatus): unknown => ({
  origin: status.origin ?? null,
  entries: status.entries,
  generation: status.generation,
  applied: toTime(status.appliedUnixMs),
  problem: status.problem ?? null,
  keep_problem: status.keepProblem ?? null,
});

const toAttributeFileStatus = ({ file, entries, sha256, loadedUnixMs, isSigned, problem }: AttributeFileStatus) => ({
  file,
  entries: entries ?? null,
  sha256: sha256 ?? null,
  loaded: toTime(loadedUnixMs),
  signed: isSigned,
  problem: problem ?? null,
});

const toTime = (unixMs: number | undefined): string | null =>
  unixMs === undefined ? null : new Date(unixMs).toISOString();
