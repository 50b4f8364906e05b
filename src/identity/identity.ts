// What is known about the caller. Verification is not built yet: Envoy's word about the caller is a claim, and a claim
// stands only under `unverified`, where no policy takes it for a proof by accident.

/** `input.identity`. */
export interface Identity {
  readonly authenticated: false;
  /** What somebody said about the caller; absent when nobody said anything. */
  readonly unverified?: {
    /** `attributes.source.principal`, verbatim: first URI SAN, else DNS SAN, else Subject of the peer certificate. */
    readonly principal: string;
  };
}

const NOBODY: Identity = { authenticated: false };

/** The identity of a caller of whom only Envoy's `source.principal` is known; empty means that there is none. */
export const claimedIdentity = (principal: string): Identity =>
  principal === "" ? NOBODY : { authenticated: false, unverified: { principal } };
