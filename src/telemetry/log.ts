// The program's own log: one JSON object a line, for people and collectors. Decisions are not logged here, they are audited.
// Lines are printable ASCII (see base/ascii-json.ts) and bounded; repetition is limited in log-limit.ts.
// SECURITY: a message is a constant sentence of ours. What varies goes into fields, chosen by name by the code that logs: never
// a request's headers, body, query or credential. What still looks like a token or a private key is replaced.

import { quoteAscii } from "../base/ascii-json.ts";
import type { Clock } from "../base/clock.ts";
import { createLogLimit, type LogLimitOptions } from "./log-limit.ts";

/** Severities, from least to most. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a field can hold; `undefined` leaves the field out. */
export type LogValue = string | number | bigint | boolean | null | undefined | Error | readonly string[];
export type LogFields = Readonly<Record<string, LogValue>>;

/** Writes log lines; never throws and never waits. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** Whether lines of this level are written, for callers whose fields cost something. */
  enabled(level: LogLevel): boolean;
  /** Writes the counts of repetitions that are still held back; for the end of the process. */
  flush(): void;
}

/** What `createLog` needs. */
export interface LogOptions extends LogLimitOptions {
  /** Asked for each line, so that it may change. */
  readonly level: LogLevel;
  /** Takes one line with its line feed; `writeStderr` in the program. */
  readonly write: (line: string) => void;
  readonly clock: Clock;
}

const MAX_MESSAGE_CHARS = 512;
const MAX_VALUE_CHARS = 2_048;
const MAX_STACK_CHARS = 4_096;
const MAX_LIST_VALUES = 32;
const MAX_FIELDS = 32;

// A field of such a name would appear twice in the object.
const RESERVED: ReadonlySet<string> = new Set(["time", "level", "msg", "repeated"]);

// Base64url of JSON (`{"…` is `eyJ`), as every JWT begins, whole or cut; or a PEM private key: never wanted in a log.
const SECRET =
  /\beyJ[\w-]{16,}(?:\.[\w-]*){0,2}|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?/g;

const toText = (text: string, maxChars: number): string => {
  // A bound before the search; what is cut off is not written either.
  const bounded = text.length > maxChars ? text.slice(0, maxChars + 1) : text;
  return quoteAscii(bounded.replace(SECRET, "[redacted]"), maxChars);
};

function toErrorText(error: Error): string {
  const { code } = error as { code?: unknown };
  const parts = [`"name":${toText(error.name, 64)}`, `"message":${toText(error.message, MAX_VALUE_CHARS)}`];
  if (typeof code === "string" || typeof code === "number") parts.push(`"code":${toText(String(code), 64)}`);
  if (error.cause instanceof Error) parts.push(`"cause":${toText(error.cause.message, MAX_VALUE_CHARS)}`);
  if (error.stack !== undefined) parts.push(`"stack":${toText(error.stack, MAX_STACK_CHARS)}`);
  return `{${parts.join(",")}}`;
}

function toValueText(value: Exclude<LogValue, undefined>): string {
  if (typeof value === "string") return toText(value, MAX_VALUE_CHARS);
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : `"${value}"`;
  if (typeof value === "bigint") return toText(value.toString(), MAX_VALUE_CHARS);
  if (value === null || typeof value === "boolean") return String(value);
  if (value instanceof Error) return toErrorText(value);
  return `[${value
    .slice(0, MAX_LIST_VALUES)
    .map((text) => toText(text, MAX_VALUE_CHARS))
    .join(",")}]`;
}

/** `YYYY-MM-DDThh:mm:ss.sssZ`; a clock beyond what a date can hold gives the epoch, since a log never throws. */
const toTimeText = (unixMs: number): string => new Date(Math.abs(unixMs) <= 8.64e15 ? unixMs : 0).toISOString();

/** Creates a log that writes lines of `level` and above: `{"time":…,"level":…,"msg":…,…fields}`. */
export function createLog(options: LogOptions): Log {
  const { clock, write } = options;
  const isEnabled = (level: LogLevel): boolean => LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(options.level);

  const emit = (level: LogLevel, message: string, fields: LogFields, repeated: number): void => {
    let line = `{"time":"${toTimeText(clock.unixMs())}","level":"${level}","msg":${toText(message, MAX_MESSAGE_CHARS)}`;
    for (const [name, value] of Object.entries(fields).slice(0, MAX_FIELDS)) {
      if (value !== undefined && !RESERVED.has(name)) line += `,${toText(name, 64)}:${toValueText(value)}`;
    }
    if (repeated > 0) line += `,"repeated":${repeated}`;
    write(`${line}}\n`);
  };
  const limit = createLogLimit(emit, options);
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (isEnabled(level)) limit.pass(level, message, fields);
    };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    enabled: isEnabled,
    flush: limit.flush,
  };
}

/** For tests and for callers that do not log. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  enabled: () => false,
  flush: () => undefined,
};
