// `http.send`: the builtin. What can be said without waiting (a wrong request, a host that may not be asked, a kept answer) is
// said at once; else a question is left to whoever evaluates. SPEC: OPA 1.22.2, v1/topdown/http.go.
// Differences: one decision asks each request once, whatever its status; connections are kept with TLS options too.

import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { AllowedHosts } from "../../../base/allowed-hosts.ts";
import type { Clock } from "../../../base/clock.ts";
import type { Timers } from "../../../base/timers.ts";
import { toLatin1, type Value } from "../../value.ts";
import { type Answer, type Builtin, BuiltinError, type Question } from "../builtin.ts";
import { objectOperand } from "../operands.ts";
import { AnswerCache } from "./answer-cache.ts";
import { ask, type ClientPorts } from "./client.ts";
import { HttpFailure, type HttpSendOutcome, refused } from "./failure.ts";
import { firstOf, freshUntilNs, mayKeep } from "./freshness.ts";
import { type KeyedRequest, parseRequest, raisesErrors } from "./request.ts";
import { type HttpAnswer, toErrorResult, toResult } from "./response.ts";
import type { Target } from "./target.ts";
import type { PemSources } from "./tls-material.ts";

/** What requests are made with, and where they are told of. */
export interface HttpSendPorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly allowedHosts: AllowedHosts;
  readonly pemSources: PemSources;
  /** Largest body of an answer, unpacked. */
  readonly maxResponseBytes: number;
  /** Bytes of answers that are kept for other decisions. */
  readonly cacheMaxBytes: number;
  readonly userAgent: string;
  /** Hears of each request; `durationMs` is undefined when nothing was sent. Must not throw. */
  onRequest(outcome: HttpSendOutcome, durationMs: number | undefined): void;
  /** Hears of a host or socket that the list does not have. Must not throw. */
  onRefused(host: string): void;
}

/** `http.send` of one policy, with its connections and its kept answers. */
export interface HttpSend {
  readonly builtin: Builtin;
  /** Closes connections as soon as no request is under way; a later request opens its own. */
  close(): void;
}

const IDLE_MS = 30_000;
const MAX_IDLE_CONNECTIONS = 64;

/** Creates it. */
export function createHttpSend(ports: HttpSendPorts): HttpSend {
  const sender = new Sender(ports);
  return { builtin: (args, context) => sender.send(args, context), close: () => sender.close() };
}

class Sender {
  readonly #ports: HttpSendPorts;
  readonly #client: ClientPorts;
  readonly #cache: AnswerCache;
  #underWay = 0;
  #isClosing = false;

  constructor(ports: HttpSendPorts) {
    const connections = {
      keepAlive: true,
      timeout: IDLE_MS,
      maxFreeSockets: MAX_IDLE_CONNECTIONS,
      scheduling: "lifo",
    } as const;
    this.#ports = ports;
    this.#cache = new AnswerCache(ports.cacheMaxBytes);
    this.#client = {
      agents: { http: new HttpAgent(connections), https: new HttpsAgent(connections) },
      maxResponseBytes: ports.maxResponseBytes,
      timers: ports.timers,
      pemSources: ports.pemSources,
      userAgent: ports.userAgent,
      checkTarget: (target) => this.#checkTarget(target),
      random: Math.random,
    };
  }

  close(): void {
    this.#isClosing = true;
    this.#closeWhenIdle();
  }

  send(args: Parameters<Builtin>[0], context: Parameters<Builtin>[1]): Value {
    const operand = objectOperand(args, 0);
    let raises = true;
    try {
      raises = raisesErrors(operand);
      const keyed = parseRequest(operand);
      this.#checkTarget(keyed.request.target, context.once);
      return context.ask(this.#toQuestion(keyed, raises, context.nowUnixNs));
    } catch (error) {
      if (!(error instanceof HttpFailure)) throw error;
      context.once(() => this.#ports.onRequest(error.outcome, undefined));
      return valueOrThrow(toAnswer(error, raises));
    }
  }

  #toQuestion(keyed: KeyedRequest, raises: boolean, nowUnixNs: bigint): Question {
    const { key, request } = keyed;
    return {
      key: `http.send ${key}`,
      about: `http.send to ${request.target.socketPath ?? request.target.authority}`,
      known: () => {
        const kept = request.caching && this.#cache.get(key);
        if (kept === undefined || nowUnixNs >= kept.freshUntilNs) return undefined;
        this.#ports.onRequest("cached", undefined);
        return { ok: true, value: toResult(kept.answer, request.forceJson, request.forceYaml) };
      },
      answer: async (signal) => {
        const startMs = this.#ports.clock.monotonicMs();
        const told = (outcome: HttpSendOutcome): void =>
          this.#ports.onRequest(outcome, this.#ports.clock.monotonicMs() - startMs);
        this.#underWay++;
        try {
          const { answer, outcome } = await this.#ask(keyed, nowUnixNs, signal);
          told(outcome);
          return { ok: true, value: toResult(answer, request.forceJson, request.forceYaml) };
        } catch (error) {
          const failure = error instanceof BuiltinError ? new HttpFailure("invalid", error.message) : error;
          if (!(failure instanceof HttpFailure)) throw error;
          told(failure.outcome);
          return toAnswer(failure, raises);
        } finally {
          this.#underWay--;
          this.#closeWhenIdle();
        }
      },
    };
  }

  async #ask(
    { key, request, revalidation }: KeyedRequest,
    nowUnixNs: bigint,
    signal: AbortSignal,
  ): Promise<{ readonly answer: HttpAnswer; readonly outcome: HttpSendOutcome }> {
    const { caching } = request;
    const kept = caching && this.#cache.get(key);
    if (caching !== undefined && kept !== undefined) {
      const validators = toValidators(kept.answer);
      const answer = validators.length === 0 ? undefined : await ask(revalidation, this.#client, signal, validators);
      this.#cache.delete(key);
      if (answer?.statusCode === 304) {
        const renewed = { ...kept.answer, headers: new Map([...kept.answer.headers, ...answer.headers]) };
        const untilNs = caching.forceSeconds > 0 ? forcedUntil(nowUnixNs, caching.forceSeconds) : freshUntilNs(answer);
        if (caching.mayStore) this.#cache.set(key, { answer: renewed, freshUntilNs: untilNs });
        return { answer: renewed, outcome: "revalidated" };
      }
      if (answer?.statusCode === 200) {
        this.#keep(key, answer, caching, nowUnixNs);
        return { answer, outcome: "answered" };
      }
    }
    const answer = await ask(request, this.#client, signal);
    if (caching !== undefined) this.#keep(key, answer, caching, nowUnixNs);
    return { answer, outcome: "answered" };
  }

  #keep(
    key: string,
    answer: HttpAnswer,
    { forceSeconds, mayStore }: { readonly forceSeconds: number; readonly mayStore: boolean },
    nowUnixNs: bigint,
  ): void {
    const isForced = forceSeconds > 0;
    if (!mayStore || !mayKeep(answer, isForced)) return;
    try {
      const untilNs = isForced ? forcedUntil(nowUnixNs, forceSeconds) : freshUntilNs(answer);
      this.#cache.set(key, { answer, freshUntilNs: untilNs });
    } catch (error) {
      // SPEC: what says nonsense of its age is not kept, and is an answer all the same.
      if (!(error instanceof BuiltinError)) throw error;
    }
  }

  #checkTarget(
    { host, port, authority, socketPath }: Target,
    once: (effect: () => void) => void = (run) => run(),
  ): void {
    const { allowedHosts, onRefused } = this.#ports;
    if (socketPath === undefined ? allowedHosts.allows(host, port) : allowedHosts.allowsSocket(socketPath)) return;
    const named = socketPath === undefined ? authority : `unix:${socketPath.slice(0, 256)}`;
    once(() => onRefused(named));
    throw refused(`disallowed host: ${named}: \`svidgate.policy.http_send.allowed_hosts\` does not list it`);
  }

  #closeWhenIdle(): void {
    if (!this.#isClosing || this.#underWay > 0) return;
    this.#client.agents.http.destroy();
    this.#client.agents.https.destroy();
  }
}

const forcedUntil = (nowUnixNs: bigint, seconds: number): bigint => nowUnixNs + BigInt(seconds) * 1_000_000_000n;

function toValidators(answer: HttpAnswer): readonly (readonly [string, string])[] {
  const etag = toLatin1(firstOf(answer, "etag"));
  const lastModified = toLatin1(firstOf(answer, "last-modified"));
  return [
    ...(etag === "" ? [] : [["If-None-Match", etag] as const]),
    ...(lastModified === "" ? [] : [["If-Modified-Since", lastModified] as const]),
  ];
}

const toAnswer = (failure: HttpFailure, raises: boolean): Answer =>
  raises
    ? { ok: false, error: new BuiltinError(failure.message) }
    : { ok: true, value: toErrorResult(failure.told, failure.isNetwork) };

function valueOrThrow(answer: Answer): Value {
  if (answer.ok) return answer.value;
  throw answer.error;
}
