// The audit trail of a running svidgate: its sink, and whom it tells when events are lost.

import { type Audit, createAudit } from "./audit/audit.ts";
import { AuditSinkError, type AuditTarget, openAuditSink } from "./audit/sinks.ts";
import type { Clock } from "./base/clock.ts";
import { packageVersion } from "./base/package-root.ts";
import type { Settings } from "./config/settings.ts";
import type { Log } from "./telemetry/log.ts";

/** The trail, or why its sink cannot be opened. */
export type StartedAudit =
  | { readonly ok: true; readonly audit: Audit }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Opens the sink. `pdpId` is this process's name in its events. */
export function startAudit(
  settings: Settings,
  target: AuditTarget,
  { clock, log, pdpId }: { readonly clock: Clock; readonly log: Log; readonly pdpId: string },
): StartedAudit {
  try {
    const audit = createAudit({
      sink: openAuditSink(target),
      clock,
      pdpId,
      pdpVersion: packageVersion(),
      path: settings.auditPath,
      labels: settings.labels,
      maxEvents: settings.auditQueueEvents,
      onLost: (cause, seq) => log.error("audit events are being lost", { cause, seq }),
      onSinkError: (error) => log.error("the audit sink failed", { error: toError(error) }),
    });
    return { ok: true, audit };
  } catch (error) {
    if (!(error instanceof AuditSinkError)) throw error;
    return { ok: false, problems: [error.message] };
  }
}

const toError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
