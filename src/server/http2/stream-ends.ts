// How streams end: answered, reset by either side, refused for what the peer did, or given up. SPEC: RFC 9113 §5.4.2, §8.1.

import type { StreamRefusal } from "../../telemetry/http2-catalogue.ts";
import type { ConnectionCore } from "./connection-core.ts";
import { ERROR_CODE, type ErrorCode } from "./error-code.ts";
import { FloodGuard } from "./flood-guard.ts";
import type { ServerStream } from "./server-stream.ts";

/**
 * A stream that has been open for this long costs its peer nothing to reset: a peer cannot have more than `maxConcurrentStreams` of
 * them in that time. An Envoy gives up all checks that wait for an `http.send` at its timeout, and is no flood.
 */
const PATIENT_MS = 100;

/** The ends of all streams of one connection. */
export class StreamEnds {
  readonly #core: ConnectionCore;
  /** SECURITY: streams that the peer resets, or that are reset because of what it did: work that came to nothing. */
  readonly #resets: FloodGuard;
  /** Since when no stream is open, while none is. */
  idleSinceMs: number;

  constructor(core: ConnectionCore) {
    const { limits } = core.options;
    this.#core = core;
    this.#resets = new FloodGuard(limits.maxResetsPerSecond, limits.maxConcurrentStreams, core.nowMs);
    this.idleSinceMs = core.nowMs;
  }

  /** END_STREAM has been written. */
  onAnswered(stream: ServerStream): void {
    this.#resets.earn(1);
    // SPEC: RFC 9113 §8.1: the rest of the request is not wanted.
    if (!stream.requestEnded) this.#core.writer.rstStream(stream.id, ERROR_CODE.NO_ERROR);
    this.close(stream, !stream.requestEnded);
  }

  /** The peer has reset a stream; `stream` is undefined when it was closed before. */
  onPeerReset(stream: ServerStream | undefined): void {
    if (stream !== undefined) {
      this.close(stream, false);
      stream.receiver?.onReset();
      if (this.#core.nowMs - stream.openedMs >= PATIENT_MS) return;
    }
    this.#countReset();
  }

  /** A stream error for which the peer is to blame. `stream` is undefined when none is open. */
  refuse(id: number, stream: ServerStream | undefined, code: ErrorCode, refusal: StreamRefusal): void {
    const core = this.#core;
    core.options.counts.streamRefusals[refusal]++;
    if (stream !== undefined) this.#giveUp(stream, code);
    else {
      core.writer.rstStream(id, code);
      core.streams.remember(id, true);
    }
    this.#countReset();
  }

  /** A request that does not come to its end. */
  expire(stream: ServerStream): void {
    this.#core.options.counts.streamRefusals.slow_sender++;
    this.#giveUp(stream, ERROR_CODE.CANCEL);
  }

  /** As the answerer wishes, which is not told. */
  reset(stream: ServerStream, code: ErrorCode): void {
    this.#core.writer.rstStream(stream.id, code);
    this.close(stream, true);
  }

  /** Forgets a stream. `byUs`: with RST_STREAM. */
  close(stream: ServerStream, byUs: boolean): void {
    const core = this.#core;
    stream.isOpen = false;
    core.streams.remove(stream, byUs);
    this.idleSinceMs = core.inBatch ? core.nowMs : core.options.clock.monotonicMs();
    if (stream.queue !== undefined) core.flow.drop(stream);
    core.headBytes -= stream.headBytes;
    stream.headBytes = 0;
    if (stream.heldBytes > 0) {
      core.hold(-stream.heldBytes);
      stream.heldBytes = 0;
    }
  }

  #giveUp(stream: ServerStream, code: ErrorCode): void {
    this.reset(stream, code);
    stream.receiver?.onReset();
  }

  #countReset(): void {
    const core = this.#core;
    if (!this.#resets.admitEarned(core.nowMs)) core.fail("reset_flood", ERROR_CODE.ENHANCE_YOUR_CALM);
  }
}
