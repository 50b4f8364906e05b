// OPA's decision log as opa-envoy-plugin writes it with `decision_logs.console: true`: one JSON object a line, keys as there
// (opa v1/plugins/logs, EventV1, through its console logger). It differs where the plugin is broken: `input.version` is an object.
// SECURITY: the line holds the whole input, headers and bodies and so credentials included. It is off unless asked for, and
// audit events (`event.ts`) are the record to keep.

import type { Clock } from "../base/clock.ts";
import { packageVersion } from "../base/package-root.ts";

/** What the line needs to know of one decision. */
export interface OpaDecisionFacts {
  readonly decisionId: string;
  /** The input document as JSON text; undefined when the request was malformed. */
  readonly input: string | undefined;
  /** The policy's result as JSON text; undefined when there is none that counts, and `error` says why. */
  readonly result: string | undefined;
  readonly error: string | undefined;
  /** Undefined when there was no evaluation. */
  readonly evaluationMs: number | undefined;
  readonly totalMs: number;
}

/** What is the same in every line of a process. */
export interface OpaDecisionLogOptions {
  /** The labels of the configuration; `id` and `version` are added, and win. */
  readonly labels: ReadonlyMap<string, string>;
  readonly pdpId: string;
  readonly clock: Clock;
  /** Takes one line with its line feed; never throws and never waits. */
  readonly write: (line: string) => void;
}

/** Writes a decision made for `path`, the entrypoint as it is configured. */
export type OpaDecisionLog = (facts: OpaDecisionFacts, path: string) => void;

/** Creates the decision log of one process. */
export function createOpaDecisionLog({ labels, pdpId, clock, write }: OpaDecisionLogOptions): OpaDecisionLog {
  const labelText = JSON.stringify(Object.fromEntries([...labels, ["id", pdpId], ["version", packageVersion()]]));
  return (facts, path) => {
    const timestamp = new Date(clock.unixMs()).toISOString();
    const evaluation =
      facts.evaluationMs === undefined ? "" : `"timer_rego_query_eval_ns":${nanoseconds(facts.evaluationMs)},`;
    const error = facts.error === undefined ? "" : `,"error":${JSON.stringify(facts.error)}`;
    const result = facts.result === undefined ? "" : `,"result":${onOneLine(facts.result)}`;
    write(
      `{"decision_id":"${facts.decisionId}"${error},"input":${onOneLine(facts.input ?? "null")},"labels":${labelText},"level":"info",` +
        `"metrics":{${evaluation}"timer_server_handler_ns":${nanoseconds(facts.totalMs)}},"msg":"Decision Log","path":${JSON.stringify(path)}` +
        `${result},"time":"${timestamp.slice(0, 19)}Z","timestamp":"${timestamp}","type":"openpolicyagent.org/decision_logs"}\n`,
    );
  };
}

/** SECURITY: JSON may hold line ends between its tokens, as the caller's body did; in a line they would end it. */
const onOneLine = (json: string): string => (/[\r\n]/.test(json) ? json.replace(/[\r\n]/g, " ") : json);

const nanoseconds = (ms: number): number => Math.max(0, Math.round(ms * 1e6));
