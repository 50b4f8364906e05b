// What accept.ts did not let in, counted by reason and told to whoever logs.

import { REFUSAL_REASONS, type RefusalReason } from "../telemetry/catalogue.ts";

/** One connection that was closed. */
export interface Refusal {
  readonly reason: RefusalReason;
  /** `unix`, or the remote IP address; undefined when it is not known any more. */
  readonly address: string | undefined;
  /** Only of a certificate whose chain was verified. */
  readonly spiffeId?: string;
  /** A code or a short text; for people. */
  readonly detail?: string;
}

/** Counts and tells. */
export interface Refusals {
  /** By reason, since the start. */
  readonly counts: Readonly<Record<RefusalReason, number>>;
  add(refusal: Refusal): void;
}

/** Counts from zero; `onRefused` must not throw. */
export function createRefusals(onRefused: (refusal: Refusal) => void = () => undefined): Refusals {
  const counts = Object.fromEntries(REFUSAL_REASONS.map((reason) => [reason, 0])) as Record<RefusalReason, number>;
  return {
    counts,
    add: (refusal) => {
      counts[refusal.reason]++;
      onRefused(refusal);
    },
  };
}
