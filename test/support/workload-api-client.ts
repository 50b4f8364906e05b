// The client of the Workload API in a test: with the real store of trust bundles, a manual clock, and everything that happens
// written down line by line, so that a test waits for what it expects and never for time.

import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { startWorkloadApi, type WorkloadApi } from "../../src/identity/sources/workload-api.ts";
import { type BundleSink, createTrustBundles, type TrustBundles } from "../../src/identity/trust-bundles.ts";
import { withDeadline } from "./deadline.ts";
import { createManualClock, type ManualClock } from "./manual-clock.ts";

/** Lines in the order in which they came. */
export interface EventLog {
  readonly lines: readonly string[];
  write(line: string): void;
  /** Resolves with the first line that matches among those behind the last one that was waited for; fails when none comes. */
  next(expected: RegExp): Promise<string>;
}

/** `limitMs` is how long one line may take. */
export function createEventLog(limitMs = 20_000): EventLog {
  const lines: string[] = [];
  let read = 0;
  let wake = (): void => undefined;
  return {
    lines,
    write: (line) => {
      lines.push(line);
      wake();
    },
    next: async (expected) => {
      for (;;) {
        for (; read < lines.length; read++) {
          const line = lines[read] as string;
          if (!expected.test(line)) continue;
          read++;
          return line;
        }
        const more = new Promise<void>((resolve) => {
          wake = resolve;
        });
        await withDeadline(more, limitMs, () => `a line like ${expected} after\n${lines.slice(-20).join("\n")}`);
      }
    },
  };
}

/** Writes down what is said to `sink`, and passes it on. */
export function recordSink(sink: BundleSink, log: EventLog): BundleSink {
  return {
    replace: (bundle) => {
      const update = sink.replace(bundle);
      const { trustDomain, x509Authorities, jwtAuthorities } = bundle;
      log.write(`replace ${trustDomain} x509=${x509Authorities.length} jwt=${jwtAuthorities.size} ${update}`);
      return update;
    },
    confirm: (trustDomain) => {
      sink.confirm(trustDomain);
      log.write(`confirm ${trustDomain}`);
    },
    live: (trustDomain, isLive) => {
      sink.live(trustDomain, isLive);
      log.write(`live ${trustDomain} ${isLive}`);
    },
    withdraw: (trustDomain) => {
      sink.withdraw(trustDomain);
      log.write(`withdraw ${trustDomain}`);
    },
    failed: (trustDomain, problem) => {
      sink.failed(trustDomain, problem);
      log.write(`failed ${trustDomain ?? "*"} ${problem}`);
    },
  };
}

/** A client at work, and all that can be seen of it. */
export interface TestedClient {
  readonly api: WorkloadApi;
  readonly bundles: TrustBundles;
  readonly clock: ManualClock;
  readonly log: EventLog;
}

/** Starts it; closed when the test ends. */
export function startTestedClient(t: TestContext, socket: string, wantSvid = false): TestedClient {
  const clock = createManualClock(Date.now());
  const log = createEventLog();
  const others = { origin: "workload_api", maxStalenessMs: 0 } as const;
  const bundles = createTrustBundles({ clock, trustDomains: new Map(), others });
  const api = startWorkloadApi({ socket, wantSvid }, recordSink(bundles.sink("workload_api"), log), {
    clock,
    timers: clock.timers,
    onStreamChange: ({ name, state, problem }) =>
      log.write(`stream ${name} ${state}${problem === undefined ? "" : `: ${problem}`}`),
  });
  api.onSvid(({ spiffeId }) => log.write(`svid ${spiffeId}`));
  t.after(() => api.close());
  return { api, bundles, clock, log };
}

/** A folder whose path is short enough for sockets, gone when the test is. */
export function makeSocketFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "wl-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The DER of one PEM certificate. */
export const toDer = (certificatePem: string): Uint8Array => new Uint8Array(new X509Certificate(certificatePem).raw);

/** A JWK Set as SPIRE's agent gives it: P-256 keys without `use`. */
export function jwks(...keyIds: readonly string[]): string {
  const keys = keyIds.map((kid) => {
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    return { kid, ...publicKey.export({ format: "jwk" }) };
  });
  return JSON.stringify({ keys });
}
