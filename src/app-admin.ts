// The admin port of a running svidgate: which of its parts answers which page.

import type { Rules } from "./app-rules.ts";
import { type StatusFacts, toStatus } from "./app-status.ts";
import type { Result } from "./base/result.ts";
import type { BindCode } from "./server/accept.ts";
import { type AdminServer, openAdmin } from "./server/admin.ts";
import type { Health } from "./server/health.ts";
import type { ListenAddress } from "./server/listen-address.ts";
import type { Log } from "./telemetry/log.ts";
import type { Metrics } from "./telemetry/metrics.ts";

/** Who answers. */
export interface AdminParts {
  readonly health: Health;
  rules(): Rules;
  readonly metrics: Metrics;
  readonly log: Log;
  status(): StatusFacts;
}

/** Opens it. */
export function openAppAdmin(
  address: ListenAddress,
  { health, rules, metrics, log, status }: AdminParts,
): Promise<Result<AdminServer, BindCode>> {
  return openAdmin(address, {
    health: () => ({
      canEvaluate: true,
      inactiveBundles: [],
      plugins: { envoy_ext_authz_grpc: health.draining ? "NOT_READY" : "OK" },
    }),
    ready: () => [
      { name: "policy", ready: health.ready },
      { name: "identity", ready: rules().identity.ready },
      { name: "not-draining", ready: !health.draining },
    ],
    metrics: () => metrics.text(),
    status: () => toStatus(status()),
    onFault: (error) => log.error("admin fault", { error: error instanceof Error ? error : new Error(String(error)) }),
  });
}
