// The check listener of a running svidgate: which HTTP/2 server the settings name, its limits, and the sockets that it takes.

import type { Rules } from "./app-rules.ts";
import { clientTrustOf } from "./app-tls-follow.ts";
import type { CheckHandler } from "./authz/check-handler.ts";
import type { Clock } from "./base/clock.ts";
import { ok, type Result } from "./base/result.ts";
import type { Settings } from "./config/settings.ts";
import type { BindCode } from "./server/accept.ts";
import { type CheckServer, openCheckServer } from "./server/check-server.ts";
import { createGrpcJsListener } from "./server/grpc-js-listener.ts";
import type { Health } from "./server/health.ts";
import { createLineRateListener } from "./server/line-rate-listener.ts";
import type { ListenAddress } from "./server/listen-address.ts";
import type { ListenerLimits } from "./server/listener.ts";
import { loadReflection } from "./server/reflection.ts";
import type { ConnectionEnd } from "./telemetry/http2-catalogue.ts";
import type { Http2MetricCounts } from "./telemetry/http2-metrics.ts";
import type { Log } from "./telemetry/log.ts";

/** What the listener is made of. */
export interface ListenerParts {
  /** Those of the start: no field of a listener changes while it runs. */
  readonly settings: Settings;
  rules(): Rules;
  readonly handler: CheckHandler;
  readonly clock: Clock;
  readonly health: Health;
  readonly log: Log;
}

/** What was opened. */
export interface AppListener {
  readonly server: CheckServer;
  /** Undefined for a listener that does not count why connections and calls end. */
  readonly http2: Http2MetricCounts | undefined;
}

/** Opens its address. */
export async function openAppListener(
  address: ListenAddress,
  { settings, rules, handler, clock, health, log }: ListenerParts,
): Promise<Result<AppListener, BindCode>> {
  const addReflection = settings.reflection || settings.opaReflection ? await loadReflection() : undefined;
  const { tls } = rules();
  let http2: Http2MetricCounts | undefined;
  const opened = await openCheckServer({
    addresses: [address],
    accept: {
      insecure: settings.plaintextAllowed,
      socketMode: settings.unixSocketMode,
      maxConnections: settings.maxConnections,
      ...(tls === undefined ? {} : { tls }),
      trust: clientTrustOf(rules),
      clock,
      onRefused: (refusal) => log.warn("connection refused", { ...refusal }),
    },
    createListener: (options) => {
      if (settings.listener === "grpc-js") return createGrpcJsListener(options, addReflection);
      const listener = createLineRateListener(options, addReflection);
      http2 = listener.http2;
      return listener;
    },
    listener: {
      handler,
      clock,
      health,
      limits: toLimits(settings),
      onFault: (error) => log.error("listener fault", { error: toError(error) }),
      onEnding: ({ pep }, reason) => {
        const level = ORDINARY_ENDS.has(reason) ? "debug" : "warn";
        log[level]("connection ended", { reason, address: pep.address, spiffeId: pep.spiffeId });
      },
    },
  });
  return opened.ok ? ok({ server: opened.value, http2 }) : opened;
}

/** Ends that no peer is to blame for, nor anybody else. */
const ORDINARY_ENDS: ReadonlySet<ConnectionEnd> = new Set(["idle", "max_age", "keep_alive", "peer_refused", "drain"]);

/** What the listener bounds; grpc-js leaves alone what it does not know. */
export const toLimits = (settings: Settings): Required<Omit<ListenerLimits, "maxWatches">> => ({
  maxConcurrentStreams: settings.maxConcurrentStreams,
  maxMessageBytes: settings.maxRequestBytes,
  maxHeaderListBytes: settings.maxHeaderListBytes,
  maxHeaderTableBytes: settings.maxHeaderTableBytes,
  maxContinuations: settings.maxContinuations,
  maxControlFramesPerSecond: settings.maxControlFramesPerSecond,
  maxResetsPerSecond: settings.maxResetsPerSecond,
  maxUnfinishedBytes: settings.maxUnfinishedBytes,
  maxUnsentBytes: settings.maxUnsentBytes,
  requestTimeoutMs: settings.requestTimeoutMs,
  writeTimeoutMs: settings.writeTimeoutMs,
  idleTimeoutMs: settings.idleTimeoutMs,
  maxConnectionAgeMs: settings.maxConnectionAgeMs,
  keepAliveTimeMs: settings.keepAliveTimeMs,
  keepAliveTimeoutMs: settings.keepAliveTimeoutMs,
});

/** The limits in force, for `GET /status`: null where there is none, because it is `off` or because this listener has no such limit. */
export function toLimitStatus(settings: Settings): object {
  const own = settings.listener === "line-rate" ? toLimits(settings) : undefined;
  const seconds = (ms: number | undefined): number | null =>
    ms === undefined || ms === Number.POSITIVE_INFINITY ? null : ms / 1000;
  return {
    max_connections: settings.maxConnections,
    max_concurrent_streams: settings.maxConcurrentStreams,
    max_message_bytes: settings.maxRequestBytes,
    keep_alive_interval_seconds: seconds(settings.keepAliveTimeMs),
    keep_alive_timeout_seconds: seconds(settings.keepAliveTimeoutMs),
    idle_timeout_seconds: seconds(own?.idleTimeoutMs),
    max_connection_age_seconds: seconds(own?.maxConnectionAgeMs),
    max_header_list_bytes: own?.maxHeaderListBytes ?? null,
    header_table_bytes: own?.maxHeaderTableBytes ?? null,
    max_continuations: own?.maxContinuations ?? null,
    control_frames_per_second: own?.maxControlFramesPerSecond ?? null,
    resets_per_second: own?.maxResetsPerSecond ?? null,
    max_unfinished_bytes: own?.maxUnfinishedBytes ?? null,
    max_unsent_bytes: own?.maxUnsentBytes ?? null,
    request_timeout_seconds: seconds(own?.requestTimeoutMs),
    write_timeout_seconds: seconds(own?.writeTimeoutMs),
  };
}

const toError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
