// TLS of a running svidgate: its certificate follows files and the Workload API, over reloads, and its clients are held against what
// is in force for workloads.

import { loadListenerTls, notAfter, type OwnSvidSource, type TlsSettings } from "./app-tls.ts";
import type { Clock } from "./base/clock.ts";
import type { Timers } from "./base/timers.ts";
import type { Settings } from "./config/settings.ts";
import type { DenyList } from "./identity/deny-list.ts";
import { watchFile } from "./identity/sources/watched-file.ts";
import type { TrustBundles } from "./identity/trust-bundles.ts";
import type { ClientTrust } from "./server/tls-client.ts";
import type { TlsMaterial } from "./server/tls-material.ts";
import { startTlsRenewal, type TlsRenewal, type TlsRenewed } from "./server/tls-renewal.ts";
import { createClientTrust } from "./server/tls-trust.ts";
import type { ReloadResult } from "./telemetry/catalogue.ts";
import type { Log } from "./telemetry/log.ts";

/** What following renewals takes from outside. */
export interface TlsWatchPorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** Needed for `svidgate.tls.source: workload_api`. */
  readonly svids?: OwnSvidSource | undefined;
  /** How long a change of a file that no event told of can stay unseen. Default 1 s. */
  readonly pollMs?: number;
  /** Counts renewals. */
  readonly counted: (result: ReloadResult) => void;
  /** What new handshakes get now. */
  readonly inForce: () => TlsMaterial | undefined;
}

/** Changes of files come in twos and threes. */
const GATHER_MS = 500;

/**
 * Follows the certificate, key and client authorities of the settings from now on: `onMaterial` gets what is right and new. What is
 * broken is logged and counted, and nothing changes. To be closed and started anew when settings are replaced.
 */
export function watchTls(
  settings: TlsSettings,
  ports: TlsWatchPorts,
  onMaterial: (material: TlsMaterial) => void,
): Pick<TlsRenewal, "last" | "close"> {
  const { clock, timers, log, svids } = ports;
  const renewal = startTlsRenewal({
    clock,
    timers,
    inForce: ports.inForce,
    load: async () => {
      const loaded = await loadListenerTls(settings, clock.unixMs(), svids);
      const { material } = loaded.ok ? loaded : {};
      if (!loaded.ok) return loaded;
      return material === undefined ? { ok: false, problems: [] } : { ...loaded, material };
    },
    onRenewed: (material, warnings) => {
      for (const warning of warnings) log.warn("tls", { warning });
      ports.counted("success");
      onMaterial(material);
      log.info("TLS certificate renewed", { spiffeId: material.leaf.spiffeId, notAfter: notAfter(material) });
    },
    onFailed: (problems) => {
      ports.counted("failure");
      log.error("TLS renewal failed: certificate and key in force stay", { problems });
    },
  });
  const isFile = settings.tlsSource !== "workload_api";
  const paths = [isFile && settings.tlsCertificate, isFile && settings.tlsPrivateKey, settings.tlsClientCa];
  const watched = paths.flatMap((path) =>
    typeof path === "string" ? [watchFile(path, ports, () => renewal.look(GATHER_MS))] : [],
  );
  const forget = isFile ? undefined : svids?.onSvid(() => renewal.look(0));
  // What changed between the load of what is in force and now.
  renewal.look(GATHER_MS);
  return {
    get last() {
      return renewal.last;
    },
    close: () => {
      for (const file of watched) file.close();
      forget?.();
      renewal.close();
    },
  };
}

/** TLS of a running svidgate, over reloads: its own certificate, and who may still ask. */
export interface TlsFollower {
  /** How the last renewal ended. */
  readonly last: TlsRenewed | undefined;
  /** After a reload, which may have named other files. */
  restart(): void;
  close(): void;
}

/** What is in force, as `Rules` has it. */
export interface TlsInForce {
  readonly settings: TlsSettings;
  readonly tls: TlsMaterial | undefined;
  readonly identity: {
    readonly workloadApi: OwnSvidSource | undefined;
    readonly bundles: Changing | undefined;
    readonly denyList: Changing | undefined;
  };
}

interface Changing {
  onChange(listen: () => void): () => void;
}

/** Whom following tells. */
export interface TlsUsers {
  onMaterial(material: TlsMaterial): void;
  /** What clients are held against may be another one now. */
  onTrust(): void;
}

/** Watches what is in force, as long as that is TLS. */
export function followTls(
  inForce: () => TlsInForce,
  ports: Omit<TlsWatchPorts, "svids" | "inForce">,
  { onMaterial, onTrust }: TlsUsers,
): TlsFollower {
  let watch: ReturnType<typeof watchTls> | undefined;
  let forget: readonly (() => void)[] = [];
  let last: TlsRenewed | undefined;
  const stop = (): void => {
    last = watch?.last ?? last;
    watch?.close();
    watch = undefined;
    for (const end of forget) end();
    forget = [];
  };
  const restart = (): void => {
    stop();
    const { settings, tls, identity } = inForce();
    if (tls === undefined) return;
    const { workloadApi: svids, bundles, denyList } = identity;
    watch = watchTls(settings, { ...ports, svids, inForce: () => inForce().tls }, onMaterial);
    forget = [bundles, denyList].flatMap((source) => (source === undefined ? [] : [source.onChange(onTrust)]));
  };
  restart();
  return {
    get last() {
      return watch?.last ?? last;
    },
    restart: () => {
      restart();
      // What was broken is mended: the reload has read all of it.
      if (last?.result === "failure") last = undefined;
      // The list of clients, or all of identity, may be another one.
      if (watch !== undefined) onTrust();
    },
    close: stop,
  };
}

/** What clients are held against, as `Rules` has it. */
export interface TrustInForce {
  readonly settings: Pick<Settings, "trustDomains" | "clockSkewMs">;
  readonly identity: {
    readonly bundles: TrustBundles | undefined;
    readonly denyList: { current(): DenyList } | undefined;
  };
}

/** Follows what is in force: a reload may replace all of it. */
export const clientTrustOf = (inForce: () => TrustInForce): ClientTrust =>
  createClientTrust({
    bundles: () => inForce().identity.bundles,
    denyList: () => inForce().identity.denyList?.current(),
    rulesOf: (trustDomain) => inForce().settings.trustDomains.get(trustDomain),
    clockSkewMs: () => inForce().settings.clockSkewMs,
  });
