// The boundary between a listener and the decision: message bytes in, message bytes out, nothing of HTTP/2 or grpc-js.
// A listener knows how calls arrive; what they mean is decided behind this door.

/** Who asks: the policy enforcement point (an Envoy), as far as the connection tells. */
export interface Pep {
  /** `unix` for a unix socket, else the remote IP address. */
  readonly address: string;
  /** The SPIFFE ID of the client certificate; only set when it was verified against a trust bundle. */
  readonly spiffeId?: string;
  /** True only when `spiffeId` was proven on this connection. */
  readonly verified: boolean;
}

/** What a listener knows about one unary Check besides its bytes. */
export interface CheckCall {
  /** When the caller stops waiting (`grpc-timeout`), in `Clock.monotonicMs` terms; `Infinity` when it set no deadline. */
  readonly deadlineMs: number;
  /** When the call arrived, in `Clock.monotonicMs` terms. */
  readonly receivedMs: number;
  readonly pep: Pep;
  /** Whether the caller has cancelled; asked before evaluation, and where one that waited came to nothing. */
  cancelled(): boolean;
  /** Runs `run` once when the caller cancels, while an evaluation waits; the function that comes back forgets it. */
  onCancelled?(run: () => void): () => void;
  /** The first value of the call's own gRPC metadata by lower-case name: Envoy's word, not its client's. */
  metadata?(name: string): string | undefined;
}

/** A serialized `CheckResponse`, or the gRPC status that ends the call in its place. */
export type CheckReply =
  | { readonly kind: "message"; readonly bytes: Uint8Array }
  | { readonly kind: "status"; readonly code: number; readonly message: string };

/**
 * Decides one serialized `CheckRequest`: one synchronous run from bytes to bytes where every credential is known and the
 * policy asks nobody outside, else a promise. Never throws and never rejects.
 */
export type CheckHandler = (request: Uint8Array, call: CheckCall) => CheckReply | Promise<CheckReply>;
