// The order of the steps of one decision, and the only place where a failure becomes a deny. The start value is deny:
// every way out of `decide` that is not the policy's own, timely allow carries a reason code.
// One synchronous run from bytes to bytes: no promise, no timer, no I/O; but for a token whose signature was never checked
// before, and for a policy that asks outside (`http.send`).

import type { Clock } from "../base/clock.ts";
import { systemTimers, type Timers } from "../base/timers.ts";
import type { Identity } from "../identity/identity.ts";
import type { Resolution, Resolve } from "../identity/resolver-parts.ts";
import type { ActivePolicy } from "../policy/active-policy.ts";
import { type InputOptions, writeInput } from "../policy/input.ts";
import { PolicyError } from "../policy/policy-error.ts";
import { toVerdict, type VerdictOptions } from "../policy/verdict.ts";
import type { CheckCall, CheckHandler, CheckReply } from "./check-handler.ts";
import { readCheckRequest } from "./check-request.ts";
import { type Decision, decided, refuse } from "./decision.ts";
import { policyReason } from "./policy-reason.ts";
import type { ReadOptions, ReadRequest, RequestView } from "./request-view.ts";
import type { ResponseWriter } from "./response.ts";
import { createWaitSignal, type WaitSignal } from "./wait-signal.ts";

/** What one decision leaves behind for audit and metrics. Times are milliseconds with a fraction. */
export interface DecisionRecord {
  readonly decisionId: string;
  readonly decision: Decision;
  readonly call: CheckCall;
  /** Absent when the message could not be read. */
  readonly request: RequestView | undefined;
  readonly identity: Identity | undefined;
  /** The headers of a token that does not go on upstream, when the request passes. */
  readonly headersToRemove?: readonly string[] | undefined;
  /** The policy that was asked, whether or not it came to an evaluation. */
  readonly policy: ActivePolicy;
  /** The input document, JSON text; undefined when none could be made. */
  readonly input: string | undefined;
  /** What the evaluation gave, JSON text; undefined when it gave nothing. */
  readonly resultSet: string | undefined;
  /** Duration of the resolution of who calls, waiting included; undefined when it did not come to one. */
  readonly identityMs: number | undefined;
  /** Duration of the evaluation, waiting included; undefined when there was none. */
  readonly evaluationMs: number | undefined;
  /** From the arrival of the call to the reply. */
  readonly totalMs: number;
}

/** What a decision needs from outside. */
export interface DecidePorts {
  readonly clock: Clock;
  /** The machine's unless given. */
  readonly timers?: Timers;
  /** The policy in force; asked once per check, so that one check sees one revision. */
  activePolicy(): ActivePolicy;
  /** Says who calls; asked once per check. */
  resolve: Resolve;
  readonly readOptions: ReadOptions;
  /** `readCheckRequest` unless given. */
  readonly readRequest?: ReadRequest;
  readonly input: InputOptions;
  /** Whether the input has `identity`; true unless set. */
  readonly withIdentity?: boolean;
  readonly verdict: VerdictOptions;
  readonly responses: ResponseWriter;
  /** 36 ASCII characters, unique. */
  newDecisionId(): string;
  /** Audit and metrics; must not throw and must not wait. */
  record(record: DecisionRecord): void;
  /** A bug or a broken dependency: for the log, never for the caller. */
  onFault(error: unknown, decisionId: string): void;
}

/** The state of one check while it is being decided. */
interface Progress {
  request?: RequestView;
  identity?: Identity;
  identityMs?: number;
  headersToRemove?: readonly string[] | undefined;
  input?: string;
  resultSet?: string;
  evaluationMs?: number;
}

/** Builds the function that answers checks. It never throws, and its promises never reject. */
export function createCheckHandler(ports: DecidePorts): CheckHandler {
  return (bytes, call) => {
    const decisionId = ports.newDecisionId();
    const policy = ports.activePolicy();
    const progress: Progress = {};
    const finish = (decision: Decision): CheckReply => conclude(ports, policy, call, progress, decision, decisionId);
    const fault = (error: unknown): CheckReply => {
      ports.onFault(error, decisionId);
      return finish(refuse("internal", "internal error"));
    };
    try {
      const decision = decide(ports, policy, bytes, call, progress);
      return decision instanceof Promise ? decision.then(finish, fault) : finish(decision);
    } catch (error) {
      return fault(error);
    }
  };
}

/** Writes the reply and leaves the record; neither can fail the check. */
function conclude(
  ports: DecidePorts,
  policy: ActivePolicy,
  call: CheckCall,
  progress: Progress,
  made: Decision,
  decisionId: string,
): CheckReply {
  let decision = made;
  let reply: CheckReply;
  try {
    reply = ports.responses.write(decision, decisionId, progress.headersToRemove);
  } catch (error) {
    ports.onFault(error, decisionId);
    decision = refuse("internal", "internal error");
    reply = ports.responses.write(decision, decisionId, progress.headersToRemove);
  }
  try {
    ports.record({
      decisionId,
      decision,
      call,
      request: progress.request,
      identity: progress.identity,
      headersToRemove: progress.headersToRemove,
      policy,
      input: progress.input,
      resultSet: progress.resultSet,
      identityMs: progress.identityMs,
      evaluationMs: progress.evaluationMs,
      totalMs: ports.clock.monotonicMs() - call.receivedMs,
    });
  } catch (error) {
    // Audit and metrics can neither change nor delay a decision.
    ports.onFault(error, decisionId);
  }
  return reply;
}

function decide(
  ports: DecidePorts,
  policy: ActivePolicy,
  bytes: Uint8Array,
  call: CheckCall,
  progress: Progress,
): Decision | Promise<Decision> {
  const read = (ports.readRequest ?? readCheckRequest)(bytes, ports.readOptions);
  if (!read.ok) return refuse("request_unreadable", "grpc: error unmarshalling request: not a valid CheckRequest");
  const request = read.value;
  progress.request = request;

  const startMs = ports.clock.monotonicMs();
  const resolved = ports.resolve(request, ports.clock.unixMs());
  const go = (resolution: Resolution): Decision | Promise<Decision> => {
    progress.identity = resolution.identity;
    progress.identityMs = ports.clock.monotonicMs() - startMs;
    progress.headersToRemove = resolution.headersToRemove;
    if (resolution.refusal !== undefined) return refuse(resolution.refusal.code, resolution.refusal.detail);
    return evaluate(ports, policy, request, resolution.identity, call, progress);
  };
  return resolved instanceof Promise ? resolved.then(go) : go(resolved);
}

function evaluate(
  ports: DecidePorts,
  policy: ActivePolicy,
  request: RequestView,
  identity: Identity,
  call: CheckCall,
  progress: Progress,
): Decision | Promise<Decision> {
  const input = writeInput(request, ports.withIdentity === false ? undefined : identity.json, ports.input);
  if (!input.ok) return refuse("request_malformed", input.detail ?? "malformed request");

  progress.input = input.value;

  if (call.cancelled()) {
    return refuse("cancelled", "check request explicitly cancelled before query execution: context canceled");
  }
  const startMs = ports.clock.monotonicMs();
  if (startMs >= call.deadlineMs) {
    return refuse("deadline_exceeded", "check request timed out before query execution: context deadline exceeded");
  }

  const end = (): void => {
    progress.evaluationMs = ports.clock.monotonicMs() - startMs;
  };
  let wait: WaitSignal | undefined;
  let answer: string | Promise<string>;
  try {
    answer = policy.evaluate(input.value, () => {
      wait = createWaitSignal(call, { clock: ports.clock, timers: ports.timers ?? systemTimers });
      return wait.signal;
    });
  } catch (error) {
    end();
    return failed(ports, error, call);
  }
  if (!(answer instanceof Promise)) {
    end();
    return judge(ports, answer, call, progress);
  }
  return answer
    .finally(end)
    .finally(() => wait?.close())
    .then(
      (resultSet) => judge(ports, resultSet, call, progress),
      (error: unknown) => failed(ports, error, call),
    );
}

/** The decision of an evaluation that gave nothing. Throws what is no PolicyError. */
function failed(ports: DecidePorts, error: unknown, call: CheckCall): Decision {
  if (!(error instanceof PolicyError)) throw error;
  if (error.code === "policy_timeout" && !isLate(ports, call) && call.cancelled()) {
    return refuse("cancelled", "check request explicitly cancelled during query execution: context canceled");
  }
  return refuse(policyReason(error.code), error.message);
}

function judge(ports: DecidePorts, resultSet: string, call: CheckCall, progress: Progress): Decision {
  progress.resultSet = resultSet;

  const verdict = toVerdict(resultSet, ports.verdict);
  if (!verdict.ok) return refuse(verdict.code, verdict.detail ?? verdict.code);

  // INVARIANT: a late answer is never an allow. The clock is asked, not a signal: no timer can fire during evaluation.
  if (isLate(ports, call)) return refuse("deadline_exceeded", "eval_cancel_error: context deadline exceeded");
  return decided(verdict.value);
}

const isLate = (ports: DecidePorts, call: CheckCall): boolean => ports.clock.monotonicMs() >= call.deadlineMs;
