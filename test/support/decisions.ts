// svidgate's own decisions in this process, put together as `serve` does it: configuration, identity, policy and handler, without
// a listener. For servers that a test runs itself, such as the one behind `envoy-modes.ts`.

import { createHandler, loadDecisionParts } from "../../src/app-decide.ts";
import { startIdentity } from "../../src/app-identity.ts";
import type { CheckHandler } from "../../src/authz/check-handler.ts";
import type { DecisionRecord } from "../../src/authz/decide.ts";
import { systemClock } from "../../src/base/clock.ts";
import { systemTimers } from "../../src/base/timers.ts";
import { createUuidV7 } from "../../src/base/uuid-v7.ts";
import { loadConfig } from "../../src/config/load.ts";
import { resolveSettings } from "../../src/config/settings.ts";
import { silentLog } from "../../src/telemetry/log.ts";

export interface Decisions {
  readonly handler: CheckHandler;
  /** What the last check left behind. Throws when there was none since this was last asked. */
  take(): DecisionRecord;
  close(): void;
}

/** Decides by this configuration file. Throws with its problems. */
export async function startDecisions(file: string): Promise<Decisions> {
  const loaded = loadConfig({ file, flags: new Map(), set: [], env: {} });
  const resolved = loaded.ok ? resolveSettings(loaded.config, loaded.given) : loaded;
  if (!resolved.ok) throw new Error(resolved.problems.join("\n"));
  const { settings } = resolved;
  const ports = { clock: systemClock, timers: systemTimers, log: silentLog };
  const started = await startIdentity(settings, ports);
  if (!started.ok) throw new Error(started.problems.join("\n"));
  const { identity } = started;
  const policy = await loadDecisionParts(settings, systemClock);
  if (!policy.ok) throw new Error(policy.problems.join("\n"));
  let last: DecisionRecord | undefined;
  const handler = createHandler(policy.parts, {
    clock: systemClock,
    resolve: identity.resolve,
    newDecisionId: createUuidV7(systemClock),
    record: (record) => {
      last = record;
    },
    onFault: (error) => {
      throw error;
    },
  });
  return {
    handler,
    take: () => {
      const taken = last;
      if (taken === undefined) throw new Error("no check was decided");
      last = undefined;
      return taken;
    },
    close: () => identity.close(),
  };
}
