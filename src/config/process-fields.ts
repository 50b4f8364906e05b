// Fields of the process: what it keeps and how it ends. See `fields.ts`.

import { duration, type Field, text } from "./field.ts";

/** Parser, default and documentation of each. */
export const PROCESS_FIELDS = {
  stateDir: {
    key: "svidgate.state_dir",
    fallback: undefined,
    parse: text,
    kind: "folder",
    doc: "what outlives a restart is kept here: the newest trust bundles and the deny list; not set: nothing is",
  },
  lameDuckMs: {
    key: "svidgate.drain.lame_duck",
    live: true,
    fallback: "5s",
    parse: duration(0, 600_000),
    kind: "duration",
    doc: "time between NOT_SERVING and the end of new connections on SIGTERM",
  },
  graceMs: {
    key: "svidgate.drain.grace",
    live: true,
    fallback: "20s",
    parse: duration(0, 600_000),
    kind: "duration",
    doc: "time for checks in flight to finish on SIGTERM",
  },
} as const satisfies Readonly<Record<string, Field<unknown>>>;
