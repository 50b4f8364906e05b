// One trust domain's bundle from a bundle endpoint: asked at its refresh hint, for as long as svidgate runs.
// SPEC: SPIFFE Federation §5.1 (URL, profile and trust domain are configured, none follows from another), §5.2.2.4 (an
// https_spiffe endpoint is verified with the newest bundle of its trust domain, at first with a configured one), §6.2 (after a
// failure the next poll is the next attempt). Nothing is kept over a restart: the configured first bundle has to be of use then.

import { createHash, X509Certificate } from "node:crypto";
import { decodePem } from "../certificate.ts";
import { parseSpiffeId } from "../spiffe-id.ts";
import { MAX_BUNDLE_BYTES, parseTrustBundle, type TrustBundle } from "../trust-bundle.ts";
import type { BundleSink, HeldBundle, TrustBundleSource } from "../trust-bundles.ts";
import { describeBundleFault, describeLastGood } from "./bundle-problem.ts";
import type { ServerProof } from "./endpoint-connection.ts";
import { getBundleDocument } from "./endpoint-request.ts";
import type { RunningSource, SourcePorts } from "./running-source.ts";
import { readBounded } from "./watched-file.ts";

/** Where a bundle is served, and who must serve it. */
export interface BundleEndpointOptions {
  readonly trustDomain: string;
  readonly url: string;
  readonly profile: /** `caFile`: PEM roots, read at each attempt; without it, the roots of Node and the system. */
    | { readonly name: "https_web"; readonly caFile?: string | undefined }
    /** `bootstrapFile`: a bundle of the endpoint ID's trust domain, for as long as the store has none. */
    | { readonly name: "https_spiffe"; readonly endpointSpiffeId: string; readonly bootstrapFile?: string | undefined };
  /** Of one attempt with all its redirects; 30 s unless given. */
  readonly timeoutMs?: number;
}

/** The store, which knows the newest bundles, and a source of numbers in [0, 1) that spreads polls. */
export interface BundleEndpointPorts extends SourcePorts {
  readonly bundles: TrustBundleSource;
  readonly random?: () => number;
}

const TIMEOUT_MS = 30_000;
/** SPEC: Federation §4.1 recommends five minutes; asking more often than each minute helps nobody (SPIRE's limit too). */
const DEFAULT_POLL_MS = 300_000;
const MIN_POLL_MS = 60_000;
/** A longer hint would let a withdrawn key live on here for that long. */
const MAX_POLL_MS = 3_600_000;
/** While there is no bundle at all, nothing of the trust domain is accepted: ask more often. */
const FIRST_RETRY_MS = 5_000;
const JITTER = 0.1;
const MAX_CA_BYTES = 4 * 1024 * 1024;

/** Asks at once, then again and again until it is closed. */
export function startBundleEndpoint(
  options: BundleEndpointOptions,
  sink: BundleSink,
  ports: BundleEndpointPorts,
): RunningSource {
  const { trustDomain } = options;
  const { clock, timers, random = Math.random } = ports;
  let isClosed = false;
  let attempt: Promise<void> | undefined;
  let cancelPoll = (): void => {};
  let controller = new AbortController();
  let pollMs = DEFAULT_POLL_MS;
  let failures = 0;
  let lastRead: { readonly digest: string; readonly bundle: TrustBundle } | undefined;

  async function fetchOnce(): Promise<void> {
    controller = new AbortController();
    const cancelTimeout = timers.after(options.timeoutMs ?? TIMEOUT_MS, () => controller.abort());
    const attempted = { nowUnixMs: clock.unixMs(), bundles: ports.bundles, cancelled: controller.signal };
    const fetched = await fetchDocument(options, attempted).then(
      (document) => (document.ok ? read(document.value) : document),
      toFault,
    );
    cancelTimeout();
    if (isClosed) return;
    if (fetched.ok) {
      const { refreshHintSeconds } = fetched.value;
      const hintMs = refreshHintSeconds === undefined ? DEFAULT_POLL_MS : refreshHintSeconds * 1_000;
      pollMs = Math.min(MAX_POLL_MS, Math.max(MIN_POLL_MS, hintMs));
      failures = 0;
      sink.replace(fetched.value);
    } else {
      failures += 1;
      const name = `svidgate.identity.trust_domains.${trustDomain}.bundle: \`${withoutQuery(options.url)}\``;
      sink.failed(trustDomain, `${name}: ${fetched.detail}: ${describeLastGood(hasBundle())}`);
    }
    cancelPoll = timers.after(Math.round(nextPollMs() * (1 + JITTER * random())), () => void ask());
  }

  /** PERF: most polls bring the same document again, and reading it costs milliseconds for each certificate. */
  function read(document: Buffer): Fetched<TrustBundle> {
    const digest = createHash("sha256").update(document).digest("hex");
    if (lastRead?.digest === digest) return { ok: true, value: lastRead.bundle };
    const parsed = parseTrustBundle(document, { trustDomain, format: "jwks" });
    if (!parsed.ok) return { ok: false, detail: describeBundleFault(parsed) };
    lastRead = { digest, bundle: parsed.value };
    return parsed;
  }

  const hasBundle = (): boolean => ports.bundles.find(trustDomain) !== undefined;

  function nextPollMs(): number {
    if (failures === 0 || hasBundle()) return pollMs;
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

  return {
    ready: ask(),
    reload: ask,
    close: () => {
      isClosed = true;
      cancelPoll();
      controller.abort();
    },
  };
}

/** What one attempt needs. */
interface Attempt {
  readonly nowUnixMs: number;
  readonly bundles: TrustBundleSource;
  readonly cancelled: AbortSignal;
}

type Fetched<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly detail: string };

/** Nothing that goes wrong on the way may end the polling. */
const toFault = (error: unknown): Fetched<never> => ({
  ok: false,
  detail: `a fault of svidgate's own: ${String(error)}`,
});

async function fetchDocument({ url, profile }: BundleEndpointOptions, attempt: Attempt): Promise<Fetched<Buffer>> {
  const proof = profile.name === "https_web" ? await toWebProof(profile.caFile) : await toSpiffeProof(profile, attempt);
  if (typeof proof === "string") return { ok: false, detail: proof };
  const got = await getBundleDocument({ url, proof, ...attempt });
  return got.ok ? got : { ok: false, detail: got.detail ?? got.code };
}

async function toWebProof(caFile: string | undefined): Promise<ServerProof | string> {
  if (caFile === undefined) return { profile: "https_web", caPem: undefined };
  const read = await readBounded(caFile, MAX_CA_BYTES);
  if (!read.ok) return `\`bundle_ca\` \`${caFile}\`: ${read.detail ?? read.code}`;
  const caPem = read.value.bytes.toString("latin1");
  // SECURITY: Node takes an empty `ca` for none given, and would then trust every public authority.
  const parsed = decodePem(caPem);
  return parsed.ok && parsed.value.every(isCertificate)
    ? { profile: "https_web", caPem }
    : `\`bundle_ca\` \`${caFile}\`: it holds what is no certificate: list root certificates in PEM`;
}

/** OpenSSL leaves out what it cannot read without a word. */
function isCertificate(der: Uint8Array): boolean {
  try {
    return new X509Certificate(der).raw.length > 0;
  } catch {
    return false;
  }
}

async function toSpiffeProof(
  { endpointSpiffeId, bootstrapFile }: Extract<BundleEndpointOptions["profile"], { name: "https_spiffe" }>,
  { bundles, nowUnixMs }: Attempt,
): Promise<ServerProof | string> {
  const id = parseSpiffeId(endpointSpiffeId);
  if (!id.ok) return `\`bundle_endpoint_spiffe_id\` is no SPIFFE ID (${id.code})`;
  const { trustDomain } = id.value;
  if (bootstrapFile === undefined || bundles.find(trustDomain) !== undefined) {
    return { profile: "https_spiffe", id: id.value, bundles };
  }
  const read = await readBounded(bootstrapFile, MAX_BUNDLE_BYTES);
  if (!read.ok) return `\`bundle_bootstrap\` \`${bootstrapFile}\`: ${read.detail ?? read.code}`;
  const parsed = parseTrustBundle(read.value.bytes, { trustDomain });
  if (!parsed.ok) return `\`bundle_bootstrap\` \`${bootstrapFile}\`: ${describeBundleFault(parsed)}`;
  const first: HeldBundle = { bundle: parsed.value, generation: 0, source: "file", lastSuccessUnixMs: nowUnixMs };
  // The store goes first even here: another source may have filled it meanwhile.
  const withFirst: TrustBundleSource = {
    find: (name) => bundles.find(name) ?? (name === trustDomain ? first : undefined),
  };
  return { profile: "https_spiffe", id: id.value, bundles: withFirst };
}

/** A query may hold what is not for logs. */
const withoutQuery = (url: string): string => url.replace(/[?#].*$/s, "");
