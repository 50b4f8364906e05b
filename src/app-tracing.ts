// Settings → the tracer of the process, or none when no collector is named.

import type { Clock } from "./base/clock.ts";
import { packageVersion } from "./base/package-root.ts";
import type { Settings } from "./config/settings.ts";
import type { Log } from "./telemetry/log.ts";
import { createTracing, type Tracing } from "./telemetry/tracing.ts";

/** How long the last spans may take at the end of the process. */
export const SPAN_FLUSH_MS = 2_000;

/** Starts tracing when an endpoint is configured. */
export function startTracing(
  settings: Settings,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  instanceId: string,
): Tracing | undefined {
  const { tracingEndpoint } = settings;
  if (tracingEndpoint === undefined) return undefined;
  return createTracing({
    endpoint: new URL(tracingEndpoint),
    sampling: settings.tracingSample,
    serviceName: settings.tracingServiceName,
    serviceVersion: packageVersion(),
    instanceId,
    clock,
    onFailure: (cause, detail) => log.warn("spans do not reach the collector", { cause, detail }),
  });
}
