// DecisionRecord → the facts of an audit event. What the event may hold is audit's rule; here it is only filled.

import type { DecisionFacts } from "../audit/event.ts";
import { resolveTraceContext, type TraceContext } from "../telemetry/trace-context.ts";
import type { DecisionRecord } from "./decide.ts";
import { isAllow } from "./decision.ts";
import { OUTCOMES } from "./outcome.ts";

/** How decisions are told, as far as the event must know. */
export interface AuditRecordOptions {
  readonly dryRun: boolean;
  /** Errors end the call with a gRPC status (`on_error: grpc_error`) and have no HTTP status of ours. */
  readonly errorsAreGrpcStatus: boolean;
}

/** The event's facts. Empty strings of the request are absent in the event. */
export function toDecisionFacts(record: DecisionRecord, options: AuditRecordOptions): DecisionFacts {
  const { decision, request, call } = record;
  const { outcome, grpc, http } = OUTCOMES[decision.reason];
  const asGrpcStatus = outcome === "error" && options.errorsAreGrpcStatus;
  const { verdict } = decision;
  const httpStatus = verdict !== undefined && !verdict.plain && !verdict.allow ? verdict.httpStatus : http;
  const { identity } = record;
  return {
    decisionId: record.decisionId,
    outcome,
    reason: decision.reason,
    enforced: isAllow(decision) || !options.dryRun,
    httpStatus: asGrpcStatus ? undefined : httpStatus,
    grpcStatus: asGrpcStatus ? grpc : undefined,
    method: request?.method || undefined,
    host: request?.host || undefined,
    path: request?.path || undefined,
    sourceAddress: request?.sourceAddress || undefined,
    subject: identity?.spiffeId,
    subjectRefused: identity?.refusedSpiffeId,
    subjectClaimed: identity?.claimed,
    identitySource: identity?.source ?? "none",
    verifiedBy: identity?.verifiedBy ?? "none",
    identityDetail: decision.verdict === undefined && decision.reason === identity?.error ? decision.detail : undefined,
    credential: identity?.credential,
    peerSpiffeId: identity?.peerSpiffeId,
    destinationPrincipal: request?.destinationPrincipal || undefined,
    pep: call.pep,
    requestId: request?.requestId || undefined,
    trace: traceOf(record),
    policy: record.policy,
    identityUs: (record.identityMs ?? 0) * 1000,
    evaluationUs: (record.evaluationMs ?? 0) * 1000,
    totalUs: record.totalMs * 1000,
  };
}

/**
 * The trace that Envoy says the check belongs to (its own span is the parent, and it decided about sampling), else the one
 * that the client's request names.
 */
function traceOf({ call, request }: DecisionRecord): TraceContext | undefined {
  // As a method: a call may be an object that needs its `this`.
  const ofCall = call.metadata === undefined ? undefined : resolveTraceContext((name) => call.metadata?.(name));
  return ofCall ?? (request === undefined ? undefined : resolveTraceContext((name) => request.header(name)));
}
