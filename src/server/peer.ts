// The other end of an accepted connection, as far as it has been proven, and whether it may still ask.

import type { Pep } from "../authz/check-handler.ts";

/** Who is at the other end of one connection. */
export interface Peer {
  readonly pep: Pep;
  /** Why its calls are refused now, for the caller; undefined while it may ask. Asked before each check. */
  refusal(): string | undefined;
  /** When its connection is to be ended without losing a call; undefined for no such time. */
  readonly leave?: Leave;
}

/** A planned end. */
export interface Leave {
  /** From the moment when the connection was accepted. */
  readonly afterMs: number;
  /** How long open calls then have to finish. */
  readonly graceMs: number;
}

/** The peer of a plaintext connection, or of TLS without client certificates: known by its address alone, which proves nothing. */
export function createUnverifiedPeer(address: string): Peer {
  const pep: Pep = { address, verified: false };
  return { pep, refusal: () => undefined };
}
