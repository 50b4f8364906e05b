// A process that waits only on timers that keep nothing alive (see timers.ts) and on a connection that has just closed would end
// in the middle of its wait: Node exits with 13 when a top-level await is left unsettled. This holds it.

/** Any long time: the timer is there for being there. */
const HOLD_MS = 2 ** 30;

/** Keeps the process alive until `work` is over; its outcome is passed on. */
export async function stayAwake<T>(work: Promise<T>): Promise<T> {
  const hold = setInterval(() => undefined, HOLD_MS);
  try {
    return await work;
  } finally {
    clearInterval(hold);
  }
}
