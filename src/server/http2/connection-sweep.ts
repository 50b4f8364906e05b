// What takes too long on one connection: a peer that is silent, that does not finish what it began, or that does not read.
// Looked at about once a second for all connections, so that no request needs a timer.

import type { ConnectionCore } from "./connection-core.ts";
import { ERROR_CODE } from "./error-code.ts";

/** SPEC: RFC 9113 §6.7: eight octets of our choice. */
const PING_PAYLOAD: Buffer = Buffer.from("svidgate", "latin1");

/** What the reading side knows. */
export interface ReadingState {
  readonly lastFrameMs: number;
  /** The client's preface is complete. */
  readonly hasSettings: boolean;
  /** The stream whose header block is not whole; 0 when none is. */
  readonly openBlock: number;
  /** What came is not read, because the peer does not. */
  readonly isParked: boolean;
}

/** Of one connection, what was seen at the sweeps before. */
export class ConnectionSweep {
  readonly #core: ConnectionCore;
  readonly #openedMs: number;
  #pingedMs: number | undefined;
  #openBlock = 0;
  #openBlockMs = 0;
  #takenBytes = 0;
  #stuckSinceMs: number | undefined;

  constructor(core: ConnectionCore) {
    this.#core = core;
    this.#openedMs = core.nowMs;
  }

  /** At `core.nowMs`. */
  sweep(reading: ReadingState): void {
    const core = this.#core;
    const { requestTimeoutMs } = core.options.limits;
    const { nowMs } = core;
    core.look();
    if (this.#isSlowReader()) {
      core.cut("slow_reader");
      return;
    }
    // Its own silence is ours while nothing is read from it.
    if (reading.isParked || core.flow.isBehind) return;
    if (!reading.hasSettings && nowMs - this.#openedMs >= requestTimeoutMs) {
      core.cut("idle");
      return;
    }
    if (this.#isOpenTooLong(reading.openBlock, requestTimeoutMs)) {
      core.fail("continuation_flood", ERROR_CODE.ENHANCE_YOUR_CALM);
      return;
    }
    this.#keepAlive(reading.lastFrameMs);
    if (core.isOver) return;
    for (const stream of core.streams.list()) {
      const isSlow = !stream.requestEnded && nowMs - stream.openedMs >= requestTimeoutMs;
      if (isSlow && stream.isOpen && stream.receiver?.isLongLived !== true) core.ends.expire(stream);
    }
  }

  /** Nothing of what waits has moved, be it for the kernel or for a window. */
  #isSlowReader(): boolean {
    const core = this.#core;
    const { nowMs, takenBytes } = core;
    const { writeTimeoutMs } = core.options.limits;
    const sinceMs = nowMs - writeTimeoutMs;
    if (core.unsentBytes === 0) this.#stuckSinceMs = undefined;
    else if (this.#stuckSinceMs === undefined || takenBytes !== this.#takenBytes) this.#stuckSinceMs = nowMs;
    else if (this.#stuckSinceMs <= sinceMs) return true;
    this.#takenBytes = takenBytes;
    return core.flow.isStuck(nowMs, sinceMs);
  }

  /** A header block keeps everything else on the connection waiting. */
  #isOpenTooLong(openBlock: number, timeoutMs: number): boolean {
    const { nowMs } = this.#core;
    if (openBlock !== this.#openBlock) {
      this.#openBlock = openBlock;
      this.#openBlockMs = nowMs;
    }
    return openBlock !== 0 && nowMs - this.#openBlockMs >= timeoutMs;
  }

  #keepAlive(lastFrameMs: number): void {
    const core = this.#core;
    const { keepAliveTimeMs, keepAliveTimeoutMs } = core.options.limits;
    const { nowMs } = core;
    if (this.#pingedMs !== undefined && lastFrameMs >= this.#pingedMs) this.#pingedMs = undefined;
    if (this.#pingedMs !== undefined) {
      if (nowMs - this.#pingedMs >= keepAliveTimeoutMs) core.cut("keep_alive");
    } else if (nowMs - lastFrameMs >= keepAliveTimeMs) {
      core.writer.ping(PING_PAYLOAD, false);
      this.#pingedMs = nowMs;
    }
  }
}
