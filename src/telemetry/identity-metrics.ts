// Counters of identity and the readers that put them into the exposition. Hot ones are plain numbers; what the stores know is
// read at scrape.

import { createDurationHistogram } from "./duration-histogram.ts";
import type { MetricReaders } from "./exposition.ts";
import {
  BUNDLE_EVENTS,
  BUNDLE_ORIGINS,
  type BundleEvent,
  type BundleOrigin,
  IDENTITY_CATALOGUE,
  IDENTITY_SOURCES,
  type IdentitySource,
  VERIFIERS,
  type Verifier,
  type WorkloadApiStream,
} from "./identity-catalogue.ts";

/** What the parts of identity know of themselves, as the exposition needs it. */
export interface IdentityCounts {
  readonly trustDomains: readonly {
    readonly trustDomain: string;
    readonly fresh: boolean;
    /** Undefined without a bundle. */
    readonly ageSeconds: number | undefined;
    readonly x509Authorities: number;
    readonly jwtAuthorities: number;
  }[];
  /** Empty where no Workload API is configured. */
  readonly workloadApiStreams: readonly { readonly stream: WorkloadApiStream; readonly connected: boolean }[];
  readonly certificates: CacheCounts;
  readonly tokens: CacheCounts & { readonly inFlight: number };
  /** Undefined where no deny list is configured. */
  readonly denyList: { readonly entries: number; readonly current: boolean } | undefined;
  /** Undefined where no data documents of attributes are configured. */
  readonly attributeFilesCurrent: boolean | undefined;
}

/** Of one cache. */
export interface CacheCounts {
  readonly entries: number;
  readonly hits: number;
  readonly misses: number;
}

/** The counters. */
export interface IdentityMetrics {
  /** Counts one resolution; microseconds. */
  identified(source: IdentitySource, verifiedBy: Verifier, us: number): void;
  longLived(): void;
  bundle(source: BundleOrigin, event: BundleEvent): void;
  denyListApplied(seconds: number): void;
  readonly readers: Pick<MetricReaders, keyof typeof IDENTITY_CATALOGUE>;
}

const NO_CACHE: CacheCounts = { entries: 0, hits: 0, misses: 0 };

/** Creates them; `counts` is undefined while nothing is verified. */
export function createIdentityMetrics(counts: () => IdentityCounts | undefined): IdentityMetrics {
  const identities = new Float64Array(IDENTITY_SOURCES.length * VERIFIERS.length);
  const slotOf = (source: IdentitySource, verifiedBy: Verifier): number =>
    IDENTITY_SOURCES.indexOf(source) * VERIFIERS.length + VERIFIERS.indexOf(verifiedBy);
  const durations = createDurationHistogram(IDENTITY_CATALOGUE.svidgate_identity_duration_seconds.bucketsSeconds, 1);
  const applied = createDurationHistogram(
    IDENTITY_CATALOGUE.svidgate_deny_list_apply_duration_seconds.bucketsSeconds,
    1,
  );
  const events = new Map<string, number>();
  let longLived = 0;
  const trustDomains = () => counts()?.trustDomains ?? [];
  const perCache = (read: (cache: CacheCounts) => number) => {
    const now = counts();
    return [
      { labels: { cache: "certificate" }, value: read(now?.certificates ?? NO_CACHE) },
      { labels: { cache: "token" }, value: read(now?.tokens ?? NO_CACHE) },
    ];
  };
  const optional = (value: number | undefined) => (value === undefined ? [] : [{ labels: {}, value }]);
  const flag = (value: boolean | undefined) => optional(value === undefined ? undefined : Number(value));
  return {
    identified: (source, verifiedBy, us) => {
      (identities[slotOf(source, verifiedBy)] as number)++;
      durations.observe(0, us);
    },
    longLived: () => {
      longLived++;
    },
    bundle: (source, event) => {
      const key = `${source} ${event}`;
      events.set(key, (events.get(key) ?? 0) + 1);
    },
    denyListApplied: (seconds) => applied.observe(0, seconds * 1e6),
    readers: {
      svidgate_identities_total: () =>
        IDENTITY_SOURCES.flatMap((source) =>
          VERIFIERS.map((verifier) => ({
            labels: { source, verified_by: verifier },
            value: identities[slotOf(source, verifier)] ?? 0,
          })),
        ),
      svidgate_identity_duration_seconds: () => [{ labels: {}, ...durations.read(0) }],
      svidgate_long_lived_credentials_total: () => [{ labels: {}, value: longLived }],
      svidgate_trust_bundle_age_seconds: () =>
        trustDomains().flatMap(({ trustDomain, ageSeconds }) =>
          ageSeconds === undefined ? [] : [{ labels: { trust_domain: trustDomain }, value: ageSeconds }],
        ),
      svidgate_trust_bundle_stale: () =>
        trustDomains().map(({ trustDomain, fresh }) => ({
          labels: { trust_domain: trustDomain },
          value: fresh ? 0 : 1,
        })),
      svidgate_trust_bundle_authorities: () =>
        trustDomains().flatMap(({ trustDomain, x509Authorities, jwtAuthorities }) => [
          { labels: { trust_domain: trustDomain, use: "x509-svid" }, value: x509Authorities },
          { labels: { trust_domain: trustDomain, use: "jwt-svid" }, value: jwtAuthorities },
        ]),
      svidgate_trust_bundle_updates_total: () =>
        BUNDLE_ORIGINS.flatMap((source) =>
          BUNDLE_EVENTS.map((event) => ({
            labels: { source, event },
            value: events.get(`${source} ${event}`) ?? 0,
          })),
        ),
      svidgate_workload_api_connected: () =>
        (counts()?.workloadApiStreams ?? []).map(({ stream, connected }) => ({
          labels: { stream },
          value: Number(connected),
        })),
      svidgate_credential_cache_entries: () => perCache(({ entries }) => entries),
      svidgate_credential_cache_hits_total: () => perCache(({ hits }) => hits),
      svidgate_credential_cache_misses_total: () => perCache(({ misses }) => misses),
      svidgate_tokens_in_flight: () => [{ labels: {}, value: counts()?.tokens.inFlight ?? 0 }],
      svidgate_deny_list_entries: () => optional(counts()?.denyList?.entries),
      svidgate_deny_list_current: () => flag(counts()?.denyList?.current),
      svidgate_attribute_files_current: () => flag(counts()?.attributeFilesCurrent),
      svidgate_deny_list_apply_duration_seconds: () => [{ labels: {}, ...applied.read(0) }],
    },
  };
}
