// One request that a command line describes, decided as a server would decide it, without one.

import { readFile } from "node:fs/promises";
import { askLocally, createHandler, loadDecisionParts } from "../app-decide.ts";
import { startIdentity } from "../app-identity.ts";
import type { Environment } from "../app-network.ts";
import type { DecisionRecord } from "../authz/decide.ts";
import { systemClock } from "../base/clock.ts";
import { systemTimers } from "../base/timers.ts";
import { createUuidV7 } from "../base/uuid-v7.ts";
import type { Settings } from "../config/settings.ts";
import { silentLog } from "../telemetry/log.ts";
import type { ParsedArguments } from "./arguments.ts";
import { type CheckRequestBytes, readCheckFile, toCheckRequest } from "./check-request.ts";
import type { CommandFlag } from "./command.ts";

/** The flags that describe a request. */
export const REQUEST_FLAGS: readonly CommandFlag[] = [
  { flag: "method", placeholder: "METHOD", doc: "HTTP method (default GET)" },
  { flag: "path", placeholder: "PATH", doc: "request path with its query (default /)" },
  { flag: "host", placeholder: "HOST", doc: "authority of the request" },
  { flag: "header", placeholder: "'NAME: VALUE'", repeatable: true, doc: "a request header; repeatable" },
  { flag: "body", placeholder: "TEXT", doc: "request body" },
  { flag: "principal", placeholder: "ID", doc: "source principal, as Envoy names the caller" },
  { flag: "destination", placeholder: "ID", doc: "destination principal" },
];

/** Which of {@link REQUEST_FLAGS} were given. */
export const requestFlagsIn = (args: ParsedArguments): readonly string[] =>
  REQUEST_FLAGS.flatMap(({ flag }) => (args.own.has(flag) ? [flag] : []));

/** The request of a file, when one is named, or of the flags. */
export async function readRequest(args: ParsedArguments): Promise<CheckRequestBytes> {
  const [file] = args.positionals;
  if (file === undefined) return toCheckRequest(args.own);
  const [described] = requestFlagsIn(args);
  if (described !== undefined) {
    return { ok: false, problems: [`--${described}: give either a request file or flags that describe a request`] };
  }
  const bytes = await readFile(file).catch((error: Error) => error);
  if (bytes instanceof Error) return { ok: false, problems: [`${file}: cannot be read: ${bytes.message}`] };
  return readCheckFile(file, bytes);
}

/** What became of the request, or why it could not be decided. */
export type DecidedOnce =
  | { readonly ok: true; readonly record: DecisionRecord }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Loads policy and identity, decides, and lets go of both. */
export async function decideOnce(
  settings: Settings,
  bytes: Uint8Array,
  environment: Environment,
): Promise<DecidedOnce> {
  const clock = systemClock;
  const loaded = await loadDecisionParts(settings, clock, {}, environment);
  if (!loaded.ok) return loaded;
  // The folder that a server keeps its deny list and its bundles in is the server's.
  const ports = { clock, timers: systemTimers, log: silentLog };
  const started = await startIdentity({ ...settings, stateDir: undefined }, ports);
  if (!started.ok) return started;
  let record: DecisionRecord | undefined;
  let fault: unknown;
  const handler = createHandler(loaded.parts, {
    clock,
    resolve: started.identity.resolve,
    newDecisionId: createUuidV7(clock),
    record: (made) => {
      record = made;
    },
    onFault: (error) => {
      fault = error;
    },
  });
  await askLocally(handler, bytes, clock);
  started.identity.close();
  loaded.parts.policy.close();
  if (fault !== undefined) throw fault;
  if (record === undefined) throw new Error("the check left no record");
  return { ok: true, record };
}
