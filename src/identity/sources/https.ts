// One trust domain's bundle from a bundle endpoint: asked at its refresh hint, for as long as svidgate runs.
// SPEC: SPIFFE Federation §5.1 (URL, profile and trust domain are configured, none follows from another), §5.2.2.4 (an
// https_spiffe endpoint is verified with the newest bundle of its trust domain, at first with a configured one), §6.2 (after a
// failure the next poll is the next attempt). With a state folder, the last good document holds over a restart until the endpoint
// answers (kept-bundle.ts); without one, the configured first bundle has to be of use then.

import { hash } from "node:crypto";
import { inSlices } from "../../base/steps.ts";
import { parseTrustBundleSteps, type TrustBundle } from "../trust-bundle.ts";
import type { BundleSink, TrustBundleSource } from "../trust-bundles.ts";
import { describeBundleFault, describeLastGood } from "./bundle-problem.ts";
import { type EndpointProfile, loadBootstrapSha256, loadProof } from "./endpoint-proof.ts";
import { getBundleDocument } from "./endpoint-request.ts";
import { openKeptBundle } from "./kept-bundle.ts";
import type { RunningSource, SourcePorts } from "./running-source.ts";

/** Where a bundle is served, and who must serve it. */
export interface BundleEndpointOptions {
  readonly trustDomain: string;
  readonly url: string;
  readonly profile: EndpointProfile;
  /** Where the last good document outlives a restart; without it, nowhere. */
  readonly stateDir?: string | undefined;
  /** After how long without a good answer the bundle counts no longer; for ever unless given. */
  readonly maxStalenessMs?: number;
  /** Of one attempt with all its redirects; 30 s unless given. */
  readonly timeoutMs?: number;
}

/** The store, which knows the newest bundles, and a source of numbers in [0, 1) that spreads polls. */
export interface BundleEndpointPorts extends SourcePorts {
  readonly bundles: TrustBundleSource;
  readonly random?: () => number;
  /** A sentence when the document cannot be kept over a restart; once until it changes or ends. */
  readonly onKeepProblem?: (problem: string) => void;
}

const TIMEOUT_MS = 30_000;
/** SPEC: Federation §4.1 recommends five minutes; asking more often than each minute helps nobody (SPIRE's limit too). */
const DEFAULT_POLL_MS = 300_000;
const MIN_POLL_MS = 60_000;
/** A longer hint would let a withdrawn key live on here for that long. */
const MAX_POLL_MS = 3_600_000;
/** Until the first answer, nothing of the trust domain is accepted, or only by what was known before a restart: ask more often. */
const FIRST_RETRY_MS = 5_000;
const JITTER = 0.1;
/** Two polls may fail before the bundle is stale. */
const POLLS_UNTIL_STALE = 3;

/** Asks at once, then again and again until it is closed. */
export function startBundleEndpoint(
  options: BundleEndpointOptions,
  sink: BundleSink,
  ports: BundleEndpointPorts,
): RunningSource {
  const { trustDomain, url, profile, stateDir, maxStalenessMs = Number.POSITIVE_INFINITY } = options;
  const maxPollMs = Math.min(MAX_POLL_MS, maxStalenessMs / POLLS_UNTIL_STALE);
  const { clock, timers, random = Math.random } = ports;
  let isClosed = false;
  let attempt: Promise<void> | undefined;
  let cancelPoll = (): void => {};
  let controller = new AbortController();
  let pollMs = Math.min(maxPollMs, DEFAULT_POLL_MS);
  let failures = 0;
  let hasAnswered = false;
  let lastRead: { readonly digest: string; readonly bundle: TrustBundle } | undefined;
  const file = stateDir === undefined ? undefined : openKeptBundle(stateDir, trustDomain, toWords(url, profile));
  let bootstrapSha256: string | undefined;
  let keeping = Promise.resolve();
  let keepProblem: string | undefined;

  async function restore(): Promise<void> {
    if (file === undefined) return;
    bootstrapSha256 = await loadBootstrapSha256(profile);
    const loaded = await file.load(clock.unixMs(), bootstrapSha256);
    if (!loaded.ok && loaded.code === "none") return;
    const bundle: Fetched<TrustBundle> = loaded.ok
      ? await read(loaded.value.document)
      : { ok: false, detail: loaded.detail ?? loaded.code };
    if (isClosed) return;
    if (!loaded.ok || !bundle.ok) {
      const why = bundle.ok ? "" : bundle.detail;
      return sink.failed(trustDomain, `svidgate.state_dir: ${why}: ${describeLastGood(false)}`);
    }
    bootstrapSha256 = loaded.value.bootstrapSha256;
    sink.replace(bundle.value, Math.min(loaded.value.lastSuccessUnixMs, clock.unixMs()));
  }

  function keep(document: Buffer): void {
    if (file === undefined) return;
    const saved = file.save({ document, lastSuccessUnixMs: clock.unixMs(), bootstrapSha256 });
    keeping = saved.then((problem) => {
      if (problem !== undefined && problem !== keepProblem) ports.onKeepProblem?.(problem);
      keepProblem = problem;
    });
  }

  async function fetchOnce(): Promise<void> {
    controller = new AbortController();
    const cancelTimeout = timers.after(options.timeoutMs ?? TIMEOUT_MS, () => controller.abort());
    const fetched = await fetchBundle(controller.signal).catch(toFault);
    cancelTimeout();
    if (isClosed) return;
    if (fetched.ok) {
      const { bundle, document } = fetched.value;
      const hintMs = bundle.refreshHintSeconds === undefined ? DEFAULT_POLL_MS : bundle.refreshHintSeconds * 1_000;
      pollMs = Math.min(maxPollMs, Math.max(MIN_POLL_MS, hintMs));
      failures = 0;
      hasAnswered = true;
      const update = sink.replace(bundle);
      if (update === "taken" || update === "unchanged") keep(document);
    } else {
      failures += 1;
      const name = `svidgate.identity.trust_domains.${trustDomain}.bundle: \`${withoutQuery(url)}\``;
      sink.failed(trustDomain, `${name}: ${fetched.detail}: ${describeLastGood(hasBundle())}`);
    }
    cancelPoll = timers.after(Math.round(nextPollMs() * (1 + JITTER * random())), () => void ask());
  }

  async function fetchBundle(cancelled: AbortSignal): Promise<Fetched<{ bundle: TrustBundle; document: Buffer }>> {
    const nowUnixMs = clock.unixMs();
    const loaded = await loadProof(profile, ports.bundles, nowUnixMs);
    if (!loaded.ok) return loaded;
    const got = await getBundleDocument({ url, proof: loaded.proof, nowUnixMs, cancelled });
    if (!got.ok) return { ok: false, detail: got.detail ?? got.code };
    const bundle = await read(got.value);
    if (!bundle.ok) return bundle;
    bootstrapSha256 = loaded.bootstrapSha256 ?? bootstrapSha256;
    return { ok: true, value: { bundle: bundle.value, document: got.value } };
  }

  /** PERF: most polls bring the same document again, and reading it costs milliseconds for each certificate. */
  async function read(document: Buffer): Promise<Fetched<TrustBundle>> {
    const digest = hash("sha256", document);
    if (lastRead?.digest === digest) return { ok: true, value: lastRead.bundle };
    const known = { trustDomain, format: "jwks", previous: lastRead?.bundle } as const;
    const parsed = await inSlices(parseTrustBundleSteps(document, known), clock);
    if (!parsed.ok) return { ok: false, detail: describeBundleFault(parsed) };
    lastRead = { digest, bundle: parsed.value };
    return parsed;
  }

  const hasBundle = (): boolean => ports.bundles.find(trustDomain) !== undefined;

  function nextPollMs(): number {
    if (failures === 0) return pollMs;
    if (hasAnswered) {
      const lastUnixMs = ports.bundles.find(trustDomain)?.lastSuccessUnixMs ?? 0;
      const staleInMs = lastUnixMs + maxStalenessMs - clock.unixMs();
      if (staleInMs > pollMs * (1 + JITTER)) return pollMs;
      // One failure must not be what makes it stale.
      return Math.min(pollMs, MIN_POLL_MS, staleInMs > 0 ? Math.max(FIRST_RETRY_MS, staleInMs / 2) : MIN_POLL_MS);
    }
    return Math.min(MIN_POLL_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 10));
  }

  /** One attempt at a time: who asks during one gets that one. */
  function ask(): Promise<void> {
    cancelPoll();
    if (isClosed) return attempt ?? Promise.resolve();
    attempt ??= fetchOnce().finally(() => {
      attempt = undefined;
    });
    return attempt;
  }

  const restored = restore().catch((error) => sink.failed(trustDomain, toFault(error).detail));
  const askAndKeep = (): Promise<void> => restored.then(ask).then(() => keeping);
  return {
    ready: askAndKeep(),
    reload: askAndKeep,
    close: () => {
      isClosed = true;
      cancelPoll();
      controller.abort();
    },
  };
}

/** Everything configured that says who is asked. Not the roots of the web: they are read anew at each attempt. */
const toWords = (url: string, profile: EndpointProfile): readonly string[] =>
  profile.name === "https_web" ? [url, profile.name] : [url, profile.name, profile.endpointSpiffeId];

type Fetched<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly detail: string };

/** Nothing that goes wrong on the way may end the polling. */
const toFault = (error: unknown): { readonly ok: false; readonly detail: string } => ({
  ok: false,
  detail: `a fault of svidgate's own: ${String(error)}`,
});

/** A query may hold what is not for logs. */
const withoutQuery = (url: string): string => url.replace(/[?#].*$/s, "");
