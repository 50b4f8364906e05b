// Looks through a listener's connections after something has changed that peers are held against, one round at a time.

import { setImmediate as nextTurn } from "node:timers/promises";
import type { Peer } from "./peer.ts";

export interface ReviewOptions<Connection> {
  /** Those that are held now. */
  connections(): Iterable<Connection>;
  isHeld(connection: Connection): boolean;
  peerOf(connection: Connection): Peer;
  /** Told of each one whose peer may not ask any more. */
  onRefused(connection: Connection): void;
  /** Told when a peer could not be judged. */
  onFault(error: unknown): void;
}

/** Gives what starts a round, or joins the one that runs: what changes meanwhile is followed by one more. It never rejects. */
export function createReview<Connection>(options: ReviewOptions<Connection>): () => Promise<void> {
  let isWanted = false;
  let running: Promise<void> | undefined;
  const run = async (): Promise<void> => {
    do {
      isWanted = false;
      for (const connection of [...options.connections()]) {
        if (!options.isHeld(connection)) continue;
        try {
          if (options.peerOf(connection).refusal() !== undefined) options.onRefused(connection);
        } catch (error) {
          // Each check judges its peer again: this is no gate, and the others are to be reviewed all the same.
          options.onFault(error);
        }
        // PERF: a new bundle is a search of a path for each peer; checks go in between.
        await nextTurn();
      }
      await nextTurn();
    } while (isWanted);
    running = undefined;
  };
  return () => {
    isWanted = true;
    running ??= run();
    return running;
  };
}
