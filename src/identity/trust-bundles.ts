// Which trust bundle holds for which trust domain now, where it came from, and how old that knowledge is.
// SPEC: SPIFFE Trust Domain and Bundle §4.1.1, Federation §4.2: the sequence tells which of two documents is newer; where one has
// none, the one that was fetched last is. Bundles of different trust domains must not be merged.
// SECURITY: a trust domain is found by equality of its whole name, and takes bundles from the one kind of source that it was
// configured for: bundles are never pooled, nor replaced from elsewhere. A failure changes nothing but the age.

import type { Clock } from "../base/clock.ts";
import { parseSpiffeId } from "./spiffe-id.ts";
import type { TrustBundle } from "./trust-bundle.ts";
import { contentHash } from "./trust-bundle-hash.ts";

/** Where a bundle came from. */
export type BundleOrigin = "file" | "workload_api" | "https_web" | "https_spiffe";

/** A bundle in force; asking again gives the same object until there is another. */
export interface HeldBundle {
  readonly bundle: TrustBundle;
  /** Changes exactly when the authorities do; no two contents in the life of the store share one. */
  readonly generation: number;
  readonly source: BundleOrigin;
  /** When its source last said that this is the newest; for an open stream that is now. */
  readonly lastSuccessUnixMs: number;
}

/** Answers which bundle holds for a trust domain. */
export interface TrustBundleSource {
  find(trustDomain: string): HeldBundle | undefined;
}

/** `stale`: there is a bundle, and its source has been silent for longer than the trust domain's limit. */
export type BundleState = "fresh" | "stale" | "absent";

/** What there is to tell of one trust domain. */
export interface TrustDomainStatus {
  readonly trustDomain: string;
  readonly state: BundleState;
  readonly source: BundleOrigin;
  /** Undefined while there is no bundle, as are the next four. */
  readonly generation: number | undefined;
  readonly sequence: bigint | undefined;
  readonly refreshHintSeconds: number | undefined;
  readonly lastSuccessUnixMs: number | undefined;
  readonly ageSeconds: number | undefined;
  readonly x509Authorities: number;
  readonly jwtAuthorities: number;
  /** Why entries of the bundle count for nothing. */
  readonly ignored: readonly string[];
  /** What went wrong since the last success; one sentence. */
  readonly problem: string | undefined;
}

/** Every trust domain's bundle. Reading costs one look into a map. */
export interface TrustBundles extends TrustBundleSource {
  /** The newest generation of all; 0 before the first bundle. A withdrawal raises it too. */
  readonly generation: number;
  state(trustDomain: string, nowUnixMs: number): BundleState;
  /** Seconds since the source's last success, with a fraction; Infinity without a bundle. */
  ageSeconds(trustDomain: string, nowUnixMs: number): number;
  /** Calls back after each new generation; the function that comes back ends that. */
  onChange(listen: () => void): () => void;
  /** By name of the trust domain; those that are configured are there without a bundle too. */
  list(nowUnixMs: number): readonly TrustDomainStatus[];
  sink(origin: BundleOrigin): BundleSink;
}

/**
 * What became of a bundle: `rollback`: its sequence is lower than the held one's, which stays; `refused`: this source has no
 * say in the trust domain, or there are too many.
 */
export type BundleUpdate = "taken" | "unchanged" | "rollback" | "refused";

/** Where a source puts what it learns. */
export interface BundleSink {
  /** `lastSuccessUnixMs`: when its source last told it, for one that was kept over a restart; now unless given. */
  replace(bundle: TrustBundle, lastSuccessUnixMs?: number): BundleUpdate;
  /** Asked again, and nothing has changed. */
  confirm(trustDomain: string): void;
  /** A stream that would tell of changes at once has opened or closed. */
  live(trustDomain: string, isLive: boolean): void;
  /** The source says that the trust domain is not trusted any more. */
  withdraw(trustDomain: string): void;
  /** Undefined: it concerns every trust domain of this source. */
  failed(trustDomain: string | undefined, problem: string): void;
}

/** Where a trust domain's bundle comes from, and how long its source may be silent; 0: for ever. */
export interface TrustDomainSource {
  readonly origin: BundleOrigin;
  readonly maxStalenessMs: number;
}

/** What a store is made with. */
export interface TrustBundlesOptions {
  readonly clock: Clock;
  readonly trustDomains: ReadonlyMap<string, TrustDomainSource>;
  /** A source whose other trust domains are trusted too, up to 1,000 in all; without it, none is. */
  readonly others?: TrustDomainSource;
  /** A new problem, once until it changes or ends; `trustDomain` is undefined for one of a whole source. */
  readonly onProblem?: (told: {
    readonly origin: BundleOrigin;
    readonly trustDomain: string | undefined;
    readonly problem: string;
  }) => void;
}

const MAX_TRUST_DOMAINS = 1_000;

interface Entry extends TrustDomainSource {
  held: HeldBundle | undefined;
  hash: string;
  live: boolean;
  lastSuccessUnixMs: number;
  problem: string | undefined;
}

/** Starts without any bundle. */
export function createTrustBundles(options: TrustBundlesOptions): TrustBundles {
  const { clock, others } = options;
  const entries = new Map<string, Entry>();
  const listeners = new Set<() => void>();
  /** The last problem of a whole source, for one that has no trust domain yet; until a success of its own. */
  const sourceProblems = new Map<BundleOrigin, string>();
  let generation = 0;
  for (const [trustDomain, source] of options.trustDomains) entries.set(trustDomain, toEntry(source));

  const lastSuccess = (entry: Entry): number => (entry.live ? clock.unixMs() : entry.lastSuccessUnixMs);

  function succeed(entry: Entry, unixMs = clock.unixMs()): void {
    entry.lastSuccessUnixMs = unixMs;
    entry.problem = undefined;
    sourceProblems.delete(entry.origin);
  }

  function tell(
    origin: BundleOrigin,
    trustDomain: string | undefined,
    entry: Entry | undefined,
    problem: string,
  ): void {
    if (entry?.problem === problem) return;
    if (entry !== undefined) entry.problem = problem;
    options.onProblem?.({ origin, trustDomain, problem });
  }

  function changed(): void {
    for (const listen of [...listeners]) listen();
  }

  /** The entry that this source may write to. */
  function own(origin: BundleOrigin, trustDomain: string): Entry | undefined {
    const entry = entries.get(trustDomain);
    return entry?.origin === origin ? entry : undefined;
  }

  /** Makes one for a trust domain that nobody listed, where that is configured. */
  function admit(origin: BundleOrigin, trustDomain: string): Entry | undefined {
    if (entries.has(trustDomain) || others?.origin !== origin) return own(origin, trustDomain);
    const id = parseSpiffeId(`spiffe://${trustDomain}`);
    if (!id.ok || id.value.trustDomain !== trustDomain || entries.size >= MAX_TRUST_DOMAINS) return undefined;
    const entry = toEntry(others);
    entries.set(trustDomain, entry);
    return entry;
  }

  function replace(origin: BundleOrigin, bundle: TrustBundle, lastSuccessUnixMs?: number): BundleUpdate {
    const { trustDomain, sequence } = bundle;
    const entry = admit(origin, trustDomain);
    if (entry === undefined) return "refused";
    const held = entry.held?.bundle;
    if (sequence !== undefined && held?.sequence !== undefined && sequence < held.sequence) {
      const problem = `sequence ${sequence} is older than ${held.sequence}, which stays in force: if the publisher has begun anew, remove its file in svidgate.state_dir, if that is set, and restart svidgate`;
      tell(origin, trustDomain, entry, problem);
      return "rollback";
    }
    const hash = contentHash(bundle);
    const isNew = held === undefined || hash !== entry.hash;
    if (isNew) generation += 1;
    entry.hash = hash;
    entry.held = toHeld(bundle, isNew ? generation : (entry.held?.generation ?? generation), entry);
    succeed(entry, lastSuccessUnixMs);
    if (isNew) changed();
    return isNew ? "taken" : "unchanged";
  }

  const toHeld = (bundle: TrustBundle, of: number, entry: Entry): HeldBundle =>
    Object.freeze({
      bundle,
      generation: of,
      source: entry.origin,
      get lastSuccessUnixMs() {
        return lastSuccess(entry);
      },
    });

  function withdraw(origin: BundleOrigin, trustDomain: string): void {
    const entry = own(origin, trustDomain);
    if (entry === undefined) return;
    const hadBundle = entry.held !== undefined;
    if (options.trustDomains.has(trustDomain)) Object.assign(entry, toEntry(entry));
    else entries.delete(trustDomain);
    if (!hadBundle) return;
    generation += 1;
    changed();
  }

  function ageMs(entry: Entry | undefined, nowUnixMs: number): number {
    if (entry?.held === undefined) return Number.POSITIVE_INFINITY;
    return entry.live ? 0 : Math.max(0, nowUnixMs - entry.lastSuccessUnixMs);
  }

  function state(trustDomain: string, nowUnixMs: number): BundleState {
    const entry = entries.get(trustDomain);
    if (entry?.held === undefined) return "absent";
    const { maxStalenessMs } = entry;
    return maxStalenessMs > 0 && ageMs(entry, nowUnixMs) > maxStalenessMs ? "stale" : "fresh";
  }

  return {
    get generation() {
      return generation;
    },
    find: (trustDomain) => entries.get(trustDomain)?.held,
    state,
    ageSeconds: (trustDomain, nowUnixMs) => ageMs(entries.get(trustDomain), nowUnixMs) / 1_000,
    onChange: (listen) => {
      // Its own function each time: one that listens twice ends twice.
      const call = (): void => listen();
      listeners.add(call);
      return () => {
        listeners.delete(call);
      };
    },
    list: (nowUnixMs) =>
      [...entries]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([trustDomain, entry]) =>
          toStatus(trustDomain, entry, state(trustDomain, nowUnixMs), ageMs(entry, nowUnixMs)),
        ),
    sink: (origin) => ({
      replace: (bundle, lastSuccessUnixMs) => replace(origin, bundle, lastSuccessUnixMs),
      confirm: (trustDomain) => {
        const entry = own(origin, trustDomain);
        if (entry !== undefined) succeed(entry);
      },
      live: (trustDomain, isLive) => {
        const entry = own(origin, trustDomain);
        if (entry === undefined) return;
        // The last moment of an open stream is its last success.
        if (entry.live || isLive) succeed(entry);
        entry.live = isLive;
      },
      withdraw: (trustDomain) => withdraw(origin, trustDomain),
      failed: (trustDomain, problem) => {
        if (trustDomain !== undefined) {
          const entry = own(origin, trustDomain);
          if (entry !== undefined) tell(origin, trustDomain, entry, problem);
          return;
        }
        const touched = [...entries.values()].filter((entry) => entry.origin === origin);
        const known = touched.length === 0 ? [sourceProblems.get(origin)] : touched.map((entry) => entry.problem);
        const isNew = known.some((one) => one !== problem);
        for (const entry of touched) entry.problem = problem;
        sourceProblems.set(origin, problem);
        if (isNew) tell(origin, undefined, undefined, problem);
      },
    }),
  };
}

const toEntry = ({ origin, maxStalenessMs }: TrustDomainSource): Entry => ({
  origin,
  maxStalenessMs,
  held: undefined,
  hash: "",
  live: false,
  lastSuccessUnixMs: 0,
  problem: undefined,
});

function toStatus(trustDomain: string, entry: Entry, state: BundleState, ageMs: number): TrustDomainStatus {
  const { held } = entry;
  return {
    trustDomain,
    state,
    source: entry.origin,
    generation: held?.generation,
    sequence: held?.bundle.sequence,
    refreshHintSeconds: held?.bundle.refreshHintSeconds,
    lastSuccessUnixMs: held?.lastSuccessUnixMs,
    ageSeconds: held === undefined ? undefined : ageMs / 1_000,
    x509Authorities: held?.bundle.x509Authorities.length ?? 0,
    jwtAuthorities: held?.bundle.jwtAuthorities.size ?? 0,
    ignored: held?.bundle.ignored ?? [],
    problem: entry.problem,
  };
}
