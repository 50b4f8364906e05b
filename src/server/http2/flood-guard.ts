// Bounds how often a peer may do what costs us more than it costs the peer: a token bucket that holds the frames of one second,
// and beside it what the peer has earned, so that one that is as busy with answers as with such frames is never a flood.

/** One kind of frames on one connection. */
export class FloodGuard {
  readonly #perSecond: number;
  readonly #maxEarned: number;
  readonly #maxTokens: number;
  #tokens: number;
  #filledMs: number;
  #earned = 0;

  /** Admits `perSecond` frames a second, `maxTokens` at once, and up to `maxEarned` that were earned before. */
  constructor(perSecond: number, maxEarned: number, nowMs: number, maxTokens = perSecond) {
    this.#perSecond = perSecond;
    this.#maxEarned = maxEarned;
    this.#maxTokens = maxTokens;
    this.#tokens = maxTokens;
    this.#filledMs = nowMs;
  }

  /** Lets `frames` more come for free. */
  earn(frames: number): void {
    this.#earned = Math.min(this.#maxEarned, this.#earned + frames);
  }

  /** Takes what was earned, or else a token; false when it is a flood. */
  admitEarned(nowMs: number): boolean {
    if (this.#earned === 0) return this.admit(nowMs);
    this.#earned--;
    return true;
  }

  /** Takes a token; false when it is a flood. */
  admit(nowMs: number): boolean {
    const filled = this.#tokens + ((nowMs - this.#filledMs) * this.#perSecond) / 1000;
    this.#filledMs = nowMs;
    this.#tokens = Math.min(this.#maxTokens, filled);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
