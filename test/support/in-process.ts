// Checks decided in process: the real policy, the real handler, no sockets.

import type { CheckCall, CheckHandler, CheckReply } from "../../src/authz/check-handler.ts";
import { createCheckHandler, type DecidePorts, type DecisionRecord } from "../../src/authz/decide.ts";
import { createResponseWriter, type ResponseOptions } from "../../src/authz/response.ts";
import { createUuidV7 } from "../../src/base/uuid-v7.ts";
import { createResolver } from "../../src/identity/resolve.ts";
import type { ResolverParts } from "../../src/identity/resolver-parts.ts";
import type { ActivePolicy } from "../../src/policy/active-policy.ts";
import { loadActivePolicy } from "../../src/policy/load.ts";
import { createManualClock, type ManualClock } from "./manual-clock.ts";
import { STACK_ENGINE, stackReader } from "./stack.ts";

/** What holds without trust bundles: Envoy's word is a claim, and nobody is refused for it. */
export const UNVERIFIED: ResolverParts = {
  trust: undefined,
  trustEnvoyPrincipal: false,
  onInvalid: "deny",
  attributes: undefined,
  denyList: () => undefined,
  ownTrustDomain: () => undefined,
};

/** Loads the policy of these files. Throws with the problems when there is none. */
export async function activePolicy(paths: readonly string[], clock = createManualClock()): Promise<ActivePolicy> {
  const loaded = await loadActivePolicy({
    paths,
    dataFiles: [],
    regoVersion: "v1",
    entrypoint: "envoy/authz/allow",
    engine: STACK_ENGINE,
    strictBuiltinErrors: false,
    maxMemoryBytes: 256 * 1024 * 1024,
    clock,
  });
  if (!loaded.ok) throw new Error(loaded.problems.join("\n"));
  return loaded.policy;
}

/** A handler with what it recorded. */
export interface InProcess {
  readonly handler: CheckHandler;
  readonly records: DecisionRecord[];
  readonly faults: unknown[];
  readonly clock: ManualClock;
  /** A check that needs no promise; throws for one that does. */
  check(request: Uint8Array, call?: Partial<CheckCall>): CheckReply;
  checkAsync(request: Uint8Array, call?: Partial<CheckCall>): Promise<CheckReply>;
}

/** A handler over a policy; ports can be replaced. */
export function inProcess(
  policy: ActivePolicy,
  options: Partial<ResponseOptions> = {},
  ports: Partial<DecidePorts> = {},
  clock = createManualClock(),
): InProcess {
  const records: DecisionRecord[] = [];
  const faults: unknown[] = [];
  const handler = createCheckHandler({
    clock,
    activePolicy: () => policy,
    resolve: createResolver(UNVERIFIED),
    readOptions: {},
    readRequest: stackReader,
    input: {},
    verdict: {},
    responses: createResponseWriter({ onError: "grpc_error", dryRun: false, ...options }),
    newDecisionId: createUuidV7(clock),
    record: (record) => void records.push(record),
    onFault: (error) => void faults.push(error),
    ...ports,
  });
  const ask = (request: Uint8Array, call?: Partial<CheckCall>) =>
    handler(request, {
      deadlineMs: Number.POSITIVE_INFINITY,
      receivedMs: clock.monotonicMs(),
      pep: { address: "127.0.0.1", verified: false },
      cancelled: () => false,
      ...call,
    });
  return {
    handler,
    records,
    faults,
    clock,
    check: (request, call) => {
      const reply = ask(request, call);
      if (reply instanceof Promise) throw new Error("this check is decided later");
      return reply;
    },
    checkAsync: async (request, call) => ask(request, call),
  };
}
