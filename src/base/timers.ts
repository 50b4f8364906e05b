// Waiting as a dependency: whatever polls, retries or expires gets its timers from here, so that tests move time by hand.

/** Source of timers. */
export interface Timers {
  /** Runs `run` once after `ms`; the function that comes back cancels that. A timer keeps no process alive. */
  after(ms: number, run: () => void): () => void;
}

/** Node takes a longer delay for 1 ms; whoever waits longer than 24 days is asked again sooner. */
export const MAX_DELAY_MS = 2 ** 31 - 1;

/** The timers of the machine. */
export const systemTimers: Timers = {
  after: (ms, run) => {
    const timer = setTimeout(run, Math.min(Math.max(ms, 0), MAX_DELAY_MS));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
