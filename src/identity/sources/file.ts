// One trust domain's bundle from a file: a SPIFFE bundle document or PEM. A change is taken up within about a second, however
// it is made (written in place, renamed over, a Kubernetes `..data` swap); a broken or missing file leaves the last good one.
// A file that is there and reads well counts as confirmed again and again: how fresh its content is, its writer knows.

import type { Clock } from "../../base/clock.ts";
import { inSlices } from "../../base/steps.ts";
import { MAX_BUNDLE_BYTES, parseTrustBundleSteps, type TrustBundle } from "../trust-bundle.ts";
import type { BundleSink } from "../trust-bundles.ts";
import { describeBundleFault, describeLastGood } from "./bundle-problem.ts";
import type { RunningSource, SourcePorts } from "./running-source.ts";
import { isFresh, readBounded, watchFile } from "./watched-file.ts";

/** Which file, and whose bundle it holds. */
export interface BundleFileOptions {
  readonly trustDomain: string;
  readonly path: string;
}

/** How often a good file is looked at for its age alone. */
const CONFIRM_MS = 10_000;
const MAX_READS = 3;
const JSON_START = /^\s*[{[]/;

/** Reads the file, and again after each change, until it is closed. */
export function startBundleFile(
  { trustDomain, path }: BundleFileOptions,
  sink: BundleSink,
  ports: SourcePorts,
): RunningSource {
  const { clock, timers } = ports;
  let isClosed = false;
  /** What is in the store is what is in the file. */
  let isGood = false;
  let lastGood: TrustBundle | undefined;
  let loading = Promise.resolve();
  let cancelConfirm = (): void => {};

  async function load(mayWait: boolean): Promise<void> {
    const loaded = await loadBundle({ path, trustDomain }, lastGood, clock);
    if (isClosed) return;
    if (mayWait && loaded.isBeingWritten) {
      isGood = false;
      return;
    }
    if (loaded.ok) {
      isGood = sink.replace(loaded.bundle) !== "rollback";
      lastGood = loaded.bundle;
      return;
    }
    isGood = false;
    sink.failed(
      trustDomain,
      `svidgate.identity.trust_domains.${trustDomain}.bundle: \`${path}\`: ${loaded.why}: ${describeLastGood(lastGood !== undefined)}`,
    );
  }

  /** One read after the other: an earlier one must not be the last to reach the store. */
  function enqueue(mayWait: boolean): Promise<void> {
    loading = loading.then(() => (isClosed ? undefined : load(mayWait)));
    return loading;
  }

  function confirmLater(): void {
    cancelConfirm = timers.after(CONFIRM_MS, () => {
      confirmLater();
      void watched
        .check()
        .then(() => loading)
        .then(() => {
          if (isGood && !isClosed) sink.confirm(trustDomain);
        });
    });
  }

  // Watched before it is first read, so that no change falls between.
  const watched = watchFile(path, ports, () => void enqueue(true));
  confirmLater();
  return {
    ready: enqueue(false),
    reload: () => enqueue(false),
    close: () => {
      isClosed = true;
      cancelConfirm();
      watched.close();
    },
  };
}

type Loaded =
  /** Of a file that may be being written, the watcher is sure to tell once more. */
  | { readonly ok: true; readonly bundle: TrustBundle; readonly isBeingWritten: boolean }
  | { readonly ok: false; readonly why: string; readonly isBeingWritten: boolean };

async function loadBundle(
  { path, trustDomain }: BundleFileOptions,
  previous: TrustBundle | undefined,
  clock: Clock,
): Promise<Loaded> {
  for (let reads = 1; ; reads++) {
    const read = await readBounded(path, MAX_BUNDLE_BYTES);
    if (!read.ok) {
      const isBeingWritten = read.code === "changing";
      if (isBeingWritten && reads < MAX_READS) continue;
      return { ok: false, why: read.detail ?? read.code, isBeingWritten };
    }
    const { bytes, facts } = read.value;
    const parsed = await inSlices(parseTrustBundleSteps(bytes, { trustDomain, previous }), clock);
    const isBeingWritten = isFresh(facts, clock);
    if (!parsed.ok) return { ok: false, why: describeBundleFault(parsed), isBeingWritten };
    // JSON that is cut off is no JSON; PEM that is cut off may be a bundle with fewer authorities.
    return {
      ok: true,
      bundle: parsed.value,
      isBeingWritten: isBeingWritten && !JSON_START.test(bytes.toString("latin1", 0, 64)),
    };
  }
}
