// What the fields mean together: OPA's keys beside ours, the compatibility preset, and features that are not built yet.

import { type Config, FIELDS, type FieldName } from "./fields.ts";

/** How errors are told to Envoy. */
export type OnError = "deny" | "error_response" | "grpc_error";

/** The effective configuration that the program runs with. */
export interface Settings extends Omit<Config, "listen" | "onError" | "dryRun" | "entrypoint" | "opaPath" | "opaAddr"> {
  readonly listen: string;
  /** Whether a non-loopback address without TLS is allowed: by `--insecure-listen` or OPA's own `addr` key. */
  readonly plaintextAllowed: boolean;
  readonly onError: OnError;
  readonly dryRun: boolean;
  /** Without slashes at its ends. */
  readonly entrypoint: string;
  /** Header names and values with CR, LF or NUL go to Envoy as the policy gave them (the plugin's behaviour). */
  readonly allowHeaderControlCharacters: boolean;
}

/** Settings, or sentences that say why there are none. */
export type ResolvedSettings =
  | { readonly ok: true; readonly settings: Settings }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Combines the fields. `given` names those that were set, so that a default never beats an OPA key. */
export function resolveSettings(config: Config, given: ReadonlySet<FieldName>): ResolvedSettings {
  const problems = notBuiltYet(config);
  const asPlugin = config.compatibility === "opa-envoy-plugin";
  const byOpaAddr = config.opaAddr !== undefined && !given.has("listen");
  const { opaPath, opaAddr, ...rest } = config;
  const entrypoint = (config.entrypoint ?? opaPath).replace(/^\/+|\/+$/g, "");
  if (entrypoint === "")
    problems.push(`${FIELDS.entrypoint.key}: names no rule; expected a path such as envoy/authz/allow`);
  if (problems.length > 0) return { ok: false, problems };
  const settings: Settings = {
    ...rest,
    listen: byOpaAddr && opaAddr !== undefined ? opaAddr : config.listen,
    plaintextAllowed: config.insecureListen || byOpaAddr,
    onError: config.onError ?? (asPlugin ? "grpc_error" : "deny"),
    dryRun: config.dryRun || config.opaDryRun,
    entrypoint,
    allowHeaderControlCharacters: asPlugin,
  };
  return { ok: true, settings: Object.freeze(settings) };
}

function notBuiltYet(config: Config): string[] {
  const problems: string[] = [];
  if (config.listener === "line-rate") problems.push("--listener line-rate is not built yet; use --listener grpc-js");
  if (config.workers > 1) problems.push("--workers: more than one worker is not built yet; use --workers 1");
  if (config.decisionCache === "on") problems.push("--decision-cache on: the decision cache is not built yet; use off");
  return problems;
}
