// Events that were lost: totals by cause for the metrics, and the runs that the trail has not announced yet.

import type { AuditLoss } from "./event.ts";
import { LOSS_CAUSES, type LossCause } from "./event-fields.ts";

/** The account of what was lost. */
export interface Losses {
  add(loss: AuditLoss): void;
  /** Whether something is not announced yet. */
  pending(): boolean;
  /** The losses since the last call, at most one per cause, by their first `seq`. */
  take(): readonly AuditLoss[];
  totals(): Readonly<Record<LossCause, number>>;
}

/** Creates an empty account; `onLost` is called when a run of losses begins. */
export function createLosses(onLost: (cause: LossCause, seq: number) => void): Losses {
  const totals: Record<LossCause, number> = { queue_full: 0, sink_error: 0, shutdown: 0, internal: 0 };
  const runs = new Map<LossCause, AuditLoss>();
  return {
    add: (loss) => {
      const { cause, fromSeq, toSeq, count } = loss;
      totals[cause] += count;
      const run = runs.get(cause);
      if (run === undefined) {
        runs.set(cause, loss);
        onLost(cause, fromSeq);
        return;
      }
      runs.set(cause, {
        cause,
        fromSeq: Math.min(run.fromSeq, fromSeq),
        toSeq: Math.max(run.toSeq, toSeq),
        count: run.count + count,
      });
    },
    pending: () => runs.size > 0,
    take: () => {
      const taken = LOSS_CAUSES.flatMap((cause) => runs.get(cause) ?? []);
      runs.clear();
      return taken.sort((a, b) => a.fromSeq - b.fromSeq);
    },
    totals: () => ({ ...totals }),
  };
}
