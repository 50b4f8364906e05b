// What every source of trust bundles has in common: what it is run with, and how it is stopped.

import type { Clock } from "../../base/clock.ts";
import type { Timers } from "../../base/timers.ts";

/** How a source tells the time and waits. */
export interface SourcePorts {
  readonly clock: Clock;
  readonly timers: Timers;
}

/** A source at work. */
export interface RunningSource {
  /** Resolves when the first attempt is over, whether it gave a bundle or not; never rejects. */
  readonly ready: Promise<void>;
  /** Asks at once, and tells every problem anew; resolves when the attempt is over. */
  reload(): Promise<void>;
  /** Nothing reaches the sink after this. */
  close(): void;
}
