// The memory that calls take until they are answered and their answers taken, over all connections together. SECURITY: each connection may hold
// little, many may not hold a little each without bound, and a peer that holds much must not make its neighbours pay: beyond the
// limit the connection that holds the most is closed.

import type { Http2Counts } from "./counts.ts";

/** Who holds bytes: a connection. */
export interface BytesHolder {
  readonly heldBytes: number;
  /** Closes it; what it held is released meanwhile, through `hold`. */
  evict(): void;
}

/** Shared by all connections of a listener. */
export interface UnfinishedBytes {
  /** `holder.heldBytes` has changed by `deltaBytes`. */
  hold(holder: BytesHolder, deltaBytes: number): void;
  /** Evicts the largest holders until the rest fits. To be asked when a read batch is over: a request that came whole never counts. */
  settle(): void;
}

/** Limits what is held to `maxBytes`; `counts.unfinishedBytes` says how much it is. */
export function createUnfinishedBytes(maxBytes: number, counts: Http2Counts): UnfinishedBytes {
  const holders = new Set<BytesHolder>();
  return {
    hold: (holder, deltaBytes) => {
      counts.unfinishedBytes += deltaBytes;
      if (holder.heldBytes > 0) holders.add(holder);
      else holders.delete(holder);
    },
    settle: () => {
      while (counts.unfinishedBytes > maxBytes) {
        let largest: BytesHolder | undefined;
        for (const holder of holders) {
          if (largest === undefined || holder.heldBytes > largest.heldBytes) largest = holder;
        }
        if (largest === undefined) return;
        // INVARIANT: it leaves the set even if closing it should fail, so that this ends.
        holders.delete(largest);
        largest.evict();
      }
    },
  };
}
