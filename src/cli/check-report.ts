// What `svidgate check` prints: the decision, its reason, and what Envoy would do with the answer.

import type { DecisionRecord } from "../authz/decide.ts";
import { isAllow } from "../authz/decision.ts";
import { OUTCOMES } from "../authz/outcome.ts";
import { toPlainText } from "../base/plain-text.ts";
import type { Settings } from "../config/settings.ts";
import { toJson } from "../policy/value.ts";
import type { Header, Verdict } from "../policy/verdict.ts";

/** The report as text for people or as one JSON object for programs; ends with a line feed. */
export function toCheckReport(record: DecisionRecord, settings: Settings, format: "text" | "json"): string {
  const facts = toFacts(record, settings);
  if (format === "json") return `${JSON.stringify(facts)}\n`;
  return Object.entries(facts)
    .filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0))
    .map(([name, value]) => `${`${name}:`.padEnd(22)}${toText(value)}\n`)
    .join("");
}

function toFacts(record: DecisionRecord, settings: Settings): Readonly<Record<string, unknown>> {
  const { decision, request, identity } = record;
  const { outcome, grpc, http, meaning } = OUTCOMES[decision.reason];
  const endsCall = outcome === "error" && settings.onError === "grpc_error";
  const { verdict } = decision;
  const told = verdict === undefined || verdict.plain ? undefined : verdict;
  return {
    decision: outcome,
    reason: decision.reason,
    meaning,
    detail: verdict === undefined ? decision.detail : undefined,
    http_status: endsCall ? undefined : told !== undefined && !told.allow ? told.httpStatus : http,
    grpc_status: endsCall ? grpc : undefined,
    enforced: outcome === "allow" || !settings.dryRun,
    request: request === undefined ? undefined : `${request.method} ${request.path}`,
    principal: request?.sourcePrincipal || undefined,
    spiffe_id: identity?.spiffeId,
    verified_by: identity?.spiffeId === undefined ? undefined : identity.verifiedBy,
    identity_error: identity?.error,
    headers: told?.headers.map(toLine),
    headers_to_remove: removed(record, told),
    response_headers: told?.allow === true ? told.responseHeadersToAdd.map(toLine) : undefined,
    query_to_set:
      told?.allow === true ? told.queryParametersToSet.map(({ key, value }) => `${key}=${value}`) : undefined,
    query_to_remove: told?.allow === true ? told.queryParametersToRemove : undefined,
    body: told?.allow === false && told.body !== "" ? told.body : undefined,
    dynamic_metadata: told?.dynamicMetadata === undefined ? undefined : JSON.parse(toJson(told.dynamicMetadata)),
    strict_builtin_errors: record.policy.strictErrors,
    policy_revision: record.policy.revision,
    entrypoint: record.policy.entrypoint,
    evaluation_us: record.evaluationMs === undefined ? undefined : Math.round(record.evaluationMs * 1000),
  };
}

/** What the policy takes away, and the token that is not to go on. */
const removed = ({ headersToRemove, decision }: DecisionRecord, told: Verdict | undefined): readonly string[] => {
  const ofPolicy = told?.plain === false && told.allow ? told.headersToRemove : [];
  return isAllow(decision) ? [...ofPolicy, ...(headersToRemove ?? [])] : ofPolicy;
};

const toLine = ({ key, value }: Header): string => `${key}: ${value}`;

function toText(value: unknown): string {
  if (Array.isArray(value)) return toPlainText(value.join("; "));
  return toPlainText(typeof value === "object" ? JSON.stringify(value) : String(value));
}
