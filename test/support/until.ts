import { setImmediate as nextTurn } from "node:timers/promises";
import { withDeadline } from "./deadline.ts";

/** Waits for what comes true by itself, and gives up after `waitMs` with what `what` says. */
export async function until(
  is: () => boolean,
  what: () => string = () => "a condition",
  waitMs = 20_000,
): Promise<void> {
  let isOver = false;
  const look = async (): Promise<void> => {
    while (!isOver && !is()) await nextTurn();
  };
  await withDeadline(look(), waitMs, what).finally(() => {
    isOver = true;
  });
}
