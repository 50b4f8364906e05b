// Keeps TLS material up to date while serving: whenever something may have changed it is loaded anew, and what is right and new
// takes the place of what is in force. A broken renewal changes nothing, is told once, and is tried again.
// It knows neither files nor the Workload API: whoever starts it says when to look and how to load.

import type { Clock } from "../base/clock.ts";
import type { Timers } from "../base/timers.ts";
import { isSameMaterial, type LoadedTls, type TlsMaterial } from "./tls-material.ts";

export interface TlsRenewalOptions {
  /** All that the material is made of, read again. */
  load(): Promise<LoadedTls>;
  /** What new handshakes get now. */
  inForce(): TlsMaterial | undefined;
  /** Told of material that differs from what is in force, and of the end of a failure. */
  onRenewed(material: TlsMaterial, warnings: readonly string[]): void;
  /** Told of what keeps the former material in force; not again while the problems stay the same. */
  onFailed(problems: readonly string[]): void;
  readonly clock: Clock;
  readonly timers: Timers;
}

/** How the last renewal ended. */
export interface TlsRenewed {
  readonly unixMs: number;
  readonly result: "success" | "failure";
  /** One sentence each. */
  readonly problems: readonly string[];
}

export interface TlsRenewal {
  /** Something may have changed; what comes with it within `gatherMs` is loaded together. */
  look(gatherMs: number): void;
  /** Undefined before the first. */
  readonly last: TlsRenewed | undefined;
  /** Nothing is told after this. */
  close(): void;
}

/** Certificate and key are two files: what does not fit together may fit when the other one is written too. */
const SECOND_LOOK_MS = 2_000;
/** For what mends without a change of files: a certificate that begins later, a Workload API that comes back. */
const RETRY_MS = 30_000;

/** Loads nothing before the first `look`. */
export function startTlsRenewal(options: TlsRenewalOptions): TlsRenewal {
  const { clock, timers } = options;
  let planned: { readonly cancel: () => void; readonly isRetry: boolean } | undefined;
  let loading = false;
  let lookAgain = false;
  let failures = 0;
  let told = "";
  let last: TlsRenewed | undefined;
  let closed = false;

  const plan = (ms: number, isRetry: boolean): void => {
    // Looks are gathered from the first one on; one that waits for a retry is sooner.
    if (planned !== undefined && !planned.isRetry) return;
    planned?.cancel();
    const cancel = timers.after(ms, () => {
      planned = undefined;
      void load();
    });
    planned = { cancel, isRetry };
  };
  const load = async (): Promise<void> => {
    if (loading) {
      lookAgain = true;
      return;
    }
    loading = true;
    const loaded = await options.load().catch(toFailed);
    loading = false;
    if (closed) return;
    if (lookAgain) {
      lookAgain = false;
      void load();
    } else if (loaded.ok) succeed(loaded.material, loaded.warnings);
    else fail(loaded.problems);
  };
  const succeed = (material: TlsMaterial, warnings: readonly string[]): void => {
    const current = options.inForce();
    const isNews = current === undefined || !isSameMaterial(current, material);
    const wasBroken = told !== "";
    failures = 0;
    told = "";
    if (!isNews && !wasBroken) return;
    last = { unixMs: clock.unixMs(), result: "success", problems: [] };
    options.onRenewed(material, warnings);
  };
  const fail = (problems: readonly string[]): void => {
    failures++;
    plan(failures === 1 ? SECOND_LOOK_MS : RETRY_MS, true);
    const text = problems.join("\n");
    if (failures === 1 || text === told) return;
    told = text;
    last = { unixMs: clock.unixMs(), result: "failure", problems };
    options.onFailed(problems);
  };
  return {
    look: (gatherMs) => {
      if (closed) return;
      failures = 0;
      plan(gatherMs, false);
    },
    get last() {
      return last;
    },
    close: () => {
      closed = true;
      planned?.cancel();
    },
  };
}

/** INVARIANT: whatever loading does, the material in force goes on; an unhandled rejection would end the process. */
const toFailed = (fault: unknown): LoadedTls => ({
  ok: false,
  problems: [`internal error: ${fault instanceof Error ? fault.message : String(fault)}`],
});
