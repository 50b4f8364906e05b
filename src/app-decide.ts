// What decides, made of settings: the policy, the options of the input document, and the handler over both. `serve`, `check`
// and `compare` decide through here, so that no setting counts in one of them and is forgotten in another.

import { type Environment, toNetworkOptions } from "./app-network.ts";
import type { CheckHandler, CheckReply } from "./authz/check-handler.ts";
import { createCheckHandler, type DecidePorts } from "./authz/decide.ts";
import { createResponseWriter } from "./authz/response.ts";
import type { Clock } from "./base/clock.ts";
import type { Settings } from "./config/settings.ts";
import type { ActivePolicy } from "./policy/active-policy.ts";
import { loadProtoDescriptor } from "./policy/body/proto-descriptor.ts";
import type { InputOptions } from "./policy/input.ts";
import { type LoadOptions, loadActivePolicy } from "./policy/load.ts";

/** What decides. */
export interface DecisionParts {
  readonly settings: Settings;
  readonly policy: ActivePolicy;
  readonly input: InputOptions;
}

/** Parts, or everything that is wrong with the files that they are made of. */
export type LoadedParts =
  | { readonly ok: true; readonly parts: DecisionParts; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Who hears of evaluations: what the policy prints and notes, the steps that each took, whom it asks outside. */
export type EvaluationListeners = Pick<LoadOptions, "onPrint" | "onTrace" | "onSteps" | "networkPorts">;

/** Reads policy, data and proto descriptor. `environment` is for options of `http.send` that name a variable. */
export async function loadDecisionParts(
  settings: Settings,
  clock: Clock,
  listeners: EvaluationListeners = {},
  environment: Environment = {},
): Promise<LoadedParts> {
  const input = await readInputOptions(settings);
  const loaded = await loadActivePolicy({
    paths: settings.policyPaths,
    dataFiles: settings.dataFiles,
    regoVersion: settings.regoVersion,
    entrypoint: settings.entrypoint,
    engine: settings.engine,
    strictBuiltinErrors: settings.strictBuiltinErrors,
    budgetSteps: settings.budgetSteps,
    maxMemoryBytes: settings.maxMemoryBytes,
    clock,
    network: toNetworkOptions(settings, environment),
    maxWaiting: settings.maxWaiting,
    ...listeners,
  });
  const problems = [input, loaded].flatMap((part) => (part.ok ? [] : part.problems));
  if (!input.ok || !loaded.ok) return { ok: false, problems };
  return { ok: true, parts: { settings, policy: loaded.policy, input: input.options }, warnings: loaded.warnings };
}

/** What a handler needs besides the parts. */
export type HandlerPorts = Pick<
  DecidePorts,
  "clock" | "resolve" | "readRequest" | "newDecisionId" | "record" | "onFault"
>;

/** Builds the function that answers checks by these parts. */
export function createHandler({ settings, policy, input }: DecisionParts, ports: HandlerPorts): CheckHandler {
  return createCheckHandler({
    ...ports,
    activePolicy: () => policy,
    input,
    readOptions: { fromHeaderMap: settings.fromHeaderMap },
    withIdentity: settings.inputIdentity,
    verdict: { allowHeaderControlCharacters: settings.allowHeaderControlCharacters },
    responses: createResponseWriter(settings),
  });
}

/** Asks a handler from the command line: no deadline, no connection. */
export const askLocally = async (handler: CheckHandler, request: Uint8Array, clock: Clock): Promise<CheckReply> =>
  handler(request, {
    deadlineMs: Number.POSITIVE_INFINITY,
    receivedMs: clock.monotonicMs(),
    pep: { address: "cli", verified: false },
    cancelled: () => false,
  });

type ReadInputOptions =
  | { readonly ok: true; readonly options: InputOptions }
  | { readonly ok: false; readonly problems: readonly string[] };

async function readInputOptions(settings: Settings): Promise<ReadInputOptions> {
  const skipRequestBodyParse = settings.skipRequestBodyParse;
  if (settings.protoDescriptor === undefined) return { ok: true, options: { skipRequestBodyParse } };
  const descriptor = await loadProtoDescriptor(settings.protoDescriptor);
  if (!descriptor.ok) return { ok: false, problems: [`proto-descriptor: ${descriptor.detail ?? descriptor.code}`] };
  return { ok: true, options: { skipRequestBodyParse, protoDescriptor: descriptor.value } };
}
