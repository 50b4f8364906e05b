// Check as grpc-js calls it: one synchronous run of the handler from bytes to bytes where the handler needs no promise, and in
// any case exactly one answer, whatever the handler does.

import type { CheckHandler, CheckReply } from "../authz/check-handler.ts";
import type { Clock } from "../base/clock.ts";
import { type ServerUnaryCall, type sendUnaryData, status } from "../base/grpc.ts";
import { createUnverifiedPeer, type Peer } from "./peer.ts";

const INTERNAL = { code: status.INTERNAL, details: "internal error" };
const UNKNOWN_PEER = createUnverifiedPeer("unknown");

export interface CheckMethodOptions {
  readonly handler: CheckHandler;
  readonly clock: Clock;
  /** The peer of the connection that `getPeer()` names. */
  peerOf(connection: string): Peer | undefined;
  /** Told when a check was refused because its peer may not ask any more. */
  onRefused(connection: string): void;
  onFault(error: unknown): void;
}

type CheckMethod = (call: ServerUnaryCall<Buffer, Uint8Array>, reply: sendUnaryData<Uint8Array>) => void;

/** The unary method to register on a grpc-js server. */
export function createCheckMethod({ handler, clock, peerOf, onRefused, onFault }: CheckMethodOptions): CheckMethod {
  return (call, reply) => {
    const receivedMs = clock.monotonicMs();
    const connection = call.getPeer();
    // A connection that has just gone: nobody reads the answer, but the call may still be audited.
    const peer = peerOf(connection) ?? UNKNOWN_PEER;
    // SECURITY: a connection outlives the certificate that opened it, so its dates count at each check.
    const refusal = peer.refusal();
    if (refusal !== undefined) {
      reply({ code: status.UNAUTHENTICATED, details: refusal });
      return onRefused(connection);
    }
    const tell = (answer: CheckReply): void => {
      if (answer.kind === "message") {
        reply(null, answer.bytes);
        return;
      }
      // OK without a message would be read as an empty CheckResponse, which some clients take for an allow.
      if (answer.code === status.OK) throw new Error("the handler answered status OK without a message");
      reply({ code: answer.code, details: toWellFormed(answer.message) });
    };
    const failed = (error: unknown): void => {
      // SECURITY: the text of a fault may hold parts of the request; it goes to the log, not to the peer.
      onFault(error);
      reply(INTERNAL);
    };
    try {
      const answer = handler(call.request, {
        deadlineMs: toMonotonicMs(call.getDeadline(), receivedMs),
        receivedMs,
        pep: peer.pep,
        cancelled: () => call.cancelled,
        onCancelled: (run) => {
          call.once("cancelled", run);
          return () => call.off("cancelled", run);
        },
        metadata: (name) => call.metadata.get(name)[0]?.toString(),
      });
      if (answer instanceof Promise) answer.then(tell).catch(failed);
      else tell(answer);
    } catch (error) {
      failed(error);
    }
  };
}

/** grpc-js keeps deadlines on the wall clock of the machine; ours are monotonic. */
function toMonotonicMs(deadline: Date | number, nowMonotonicMs: number): number {
  const unixMs = typeof deadline === "number" ? deadline : deadline.getTime();
  return unixMs === Number.POSITIVE_INFINITY ? unixMs : nowMonotonicMs + (unixMs - Date.now());
}

/** The same memory as a Buffer, which is what grpc-js copies from. */
export const toBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** grpc-js writes the text with `encodeURI`, which throws on half a surrogate pair. */
const toWellFormed = (text: string): string => Buffer.from(text, "utf8").toString("utf8");
