// Keeps one message from filling the log: per message a few lines a second, then a count.
// SECURITY: whoever can make svidgate log (malformed requests, refused connections) must not be able to fill a disk or hide other
// lines. Memory is bounded: beyond `MAX_MESSAGES` different messages in a second, the rest share one count.

import type { Clock } from "../base/clock.ts";
import type { LogFields, LogLevel } from "./log.ts";

/** How repetition is limited. */
export interface LogLimitOptions {
  readonly clock: Clock;
  /** Lines of one message in a second before the rest is only counted; 5 unless set. */
  readonly linesPerSecond?: number;
  /** Runs something later, once; a timer that does not keep the process alive unless set. */
  readonly schedule?: (run: () => void, delayMs: number) => void;
}

/** Lets lines through or counts them. */
export interface LogLimit {
  pass(level: LogLevel, message: string, fields: LogFields): void;
  /** Writes every count that is held back. */
  flush(): void;
}

interface Repetition {
  readonly level: LogLevel;
  readonly message: string;
  lines: number;
  heldBack: number;
  lastFields: LogFields;
}

const WINDOW_MS = 1_000;
const MAX_MESSAGES = 200;
const OTHERS = "further messages were held back";

const laterUnref = (run: () => void, delayMs: number): void => {
  setTimeout(run, delayMs).unref();
};

/** Creates the limit before `emit`, whose `repeated` counts the lines that this one stands for besides itself. */
export function createLogLimit(
  emit: (level: LogLevel, message: string, fields: LogFields, repeated: number) => void,
  options: LogLimitOptions,
): LogLimit {
  const { clock, linesPerSecond = 5, schedule = laterUnref } = options;
  const seen = new Map<string, Repetition>();
  let windowStartMs = Number.NEGATIVE_INFINITY;
  let timerSet = false;

  const flush = (): void => {
    const held = [...seen.values()].filter((repetition) => repetition.heldBack > 0);
    seen.clear();
    for (const { level, message, lastFields, heldBack } of held) {
      if (message === OTHERS) emit(level, message, { count: heldBack }, 0);
      else emit(level, message, lastFields, heldBack - 1);
    }
  };
  const track = (level: LogLevel, message: string): Repetition => {
    const key = `${level} ${message}`;
    let repetition = seen.get(key);
    if (repetition !== undefined) return repetition;
    if (seen.size >= MAX_MESSAGES && message !== OTHERS) return track("warn", OTHERS);
    repetition = { level, message, lines: message === OTHERS ? linesPerSecond : 0, heldBack: 0, lastFields: {} };
    seen.set(key, repetition);
    return repetition;
  };

  return {
    flush,
    pass: (level, message, fields) => {
      const nowMs = clock.monotonicMs();
      if (nowMs - windowStartMs >= WINDOW_MS) {
        flush();
        windowStartMs = nowMs;
      }
      const repetition = track(level, message);
      if (repetition.lines < linesPerSecond) {
        repetition.lines++;
        emit(level, message, fields, 0);
        return;
      }
      repetition.heldBack++;
      repetition.lastFields = fields;
      if (timerSet) return;
      timerSet = true;
      // The count must come out even when nothing is logged afterwards.
      schedule(() => {
        timerSet = false;
        flush();
      }, WINDOW_MS);
    },
  };
}
