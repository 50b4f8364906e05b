// What the fields mean together: OPA's keys beside ours, the compatibility preset, and features that are not built yet.

import { quoteAscii } from "../base/ascii-json.ts";
import { type Config, FIELDS, type FieldName } from "./fields.ts";
import { type IdentitySettings, resolveIdentity } from "./identity-settings.ts";
import { checkLimits, toMaxUnfinishedBytes } from "./limit-settings.ts";
import type { TRUST_DOMAIN_FIELDS } from "./trust-domain-fields.ts";

/** How errors are told to Envoy. */
export type OnError = "deny" | "error_response" | "grpc_error";

/** The effective configuration that the program runs with. */
export interface Settings
  extends Omit<
      Config,
      | "listen"
      | "onError"
      | "dryRun"
      | "entrypoint"
      | "opaPath"
      | "opaAddr"
      | "labels"
      | "inputIdentity"
      | "metadataReason"
      | "strictBuiltinErrors"
      | "jwtEnabled"
      | "attributeMetadata"
      | keyof typeof TRUST_DOMAIN_FIELDS
    >,
    IdentitySettings {
  readonly listen: string;
  /** Whether a non-loopback address without TLS is allowed: by `--insecure-listen` or OPA's own `addr` key. */
  readonly plaintextAllowed: boolean;
  readonly onError: OnError;
  readonly dryRun: boolean;
  readonly inputIdentity: boolean;
  readonly metadataReason: boolean;
  readonly strictBuiltinErrors: boolean;
  /** Without slashes at its ends. */
  readonly entrypoint: string;
  /** Header names and values with CR, LF or NUL go to Envoy as the policy gave them (the plugin's behaviour). */
  readonly allowHeaderControlCharacters: boolean;
  /** The entrypoint as it was written, which is what OPA's decision log calls `path`. */
  readonly decisionPath: string;
  readonly labels: ReadonlyMap<string, string>;
  /** The fields as they were read, for a reload to compare. */
  readonly config: Config;
  /** What was accepted without effect or looks like a mistake: one sentence each. */
  readonly notes: readonly string[];
}

/** Settings, or sentences that say why there are none. */
export type ResolvedSettings =
  | { readonly ok: true; readonly settings: Settings }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Fields that say what policies may reach outside. */
type ListOfNames = "httpSendAllowedHosts" | "httpSendAllowedFiles" | "httpSendAllowedEnv" | "netLookupAllowedHosts";

const PLUGIN_LISTEN = ":9191";
/** What an audit event has room for (`labels` in audit/event-fields.ts). */
const MAX_LABEL_CHARS = 2_048;

/** Combines the fields. `given` names those that were set, so that a default never beats an OPA key. */
export function resolveSettings(
  config: Config,
  given: ReadonlySet<FieldName>,
  notes: readonly string[] = [],
): ResolvedSettings {
  const problems = notBuiltYet(config);
  const said = [...notes];
  const identity = resolveIdentity(config, problems, said);
  checkLimits(config, given, problems, said);
  const asPlugin = config.compatibility === "opa-envoy-plugin";
  const { opaPath, opaAddr, ...rest } = config;
  // The plugin's policies may ask whom they want.
  const unlessSet = (field: ListOfNames, openly: readonly string[]): readonly string[] =>
    asPlugin && !given.has(field) ? openly : config[field];
  // What the plugin listens on: its own key, or under its preset its default.
  const pluginListen = given.has("listen") ? undefined : (opaAddr ?? (asPlugin ? PLUGIN_LISTEN : undefined));
  const decisionPath = config.entrypoint ?? opaPath;
  const entrypoint = decisionPath.replace(/^\/+|\/+$/g, "");
  const labels = new Map(config.labels);
  const labelChars = [...labels].flat().reduce((sum, text) => sum + quoteAscii(text, MAX_LABEL_CHARS).length + 1, 2);
  if (labelChars > MAX_LABEL_CHARS) {
    problems.push(
      `${FIELDS.labels.key}: ${labelChars} characters together, as JSON; at most ${MAX_LABEL_CHARS} are allowed`,
    );
  }
  if (entrypoint === "")
    problems.push(`${FIELDS.entrypoint.key}: names no rule; expected a path such as envoy/authz/allow`);
  if (problems.length > 0) return { ok: false, problems };
  const settings: Settings = {
    ...rest,
    listen: pluginListen ?? config.listen,
    plaintextAllowed: config.insecureListen || pluginListen !== undefined,
    onError: config.onError ?? (asPlugin ? "grpc_error" : "deny"),
    dryRun: config.dryRun || config.opaDryRun,
    inputIdentity: config.inputIdentity ?? !asPlugin,
    metadataReason: config.metadataReason ?? !asPlugin,
    strictBuiltinErrors: config.strictBuiltinErrors ?? !asPlugin,
    httpSendAllowedHosts: unlessSet("httpSendAllowedHosts", ["*", "unix:*"]),
    httpSendAllowedFiles: unlessSet("httpSendAllowedFiles", ["*"]),
    httpSendAllowedEnv: unlessSet("httpSendAllowedEnv", ["*"]),
    netLookupAllowedHosts: unlessSet("netLookupAllowedHosts", ["*"]),
    maxUnfinishedBytes: toMaxUnfinishedBytes(config, given),
    entrypoint,
    allowHeaderControlCharacters: asPlugin,
    decisionPath,
    labels,
    ...identity,
    config,
    notes: said,
  };
  return { ok: true, settings: Object.freeze(settings) };
}

function notBuiltYet(config: Config): string[] {
  const problems: string[] = [];
  if (config.workers > 1) problems.push("--workers: more than one worker is not built yet; use --workers 1");
  if (config.decisionCache === "on") problems.push("--decision-cache on: the decision cache is not built yet; use off");
  return problems;
}
