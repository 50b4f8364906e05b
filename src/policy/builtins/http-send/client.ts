// A request with its redirects, its timeout and its retries. SPEC: OPA 1.22.2 on Go's net/http: which statuses redirect, what
// becomes of method, body and headers on the way, how long is waited between attempts, what errors say.
// Differences: at most 10 redirects; each hop must be an allowed host.

import type { Timers } from "../../../base/timers.ts";
import { toBytes } from "../../value/bytes.ts";
import { type ExchangePorts, exchange, type Hop, type OpenAnswer } from "./exchange.ts";
import { HttpFailure, operation, shownUrl, unreachable } from "./failure.ts";
import { toNetworkWords } from "./network-words.ts";
import { stripForHop } from "./redirect-headers.ts";
import type { HttpSendRequest } from "./request.ts";
import type { HttpAnswer } from "./response.ts";
import { resolveLocation, type Target } from "./target.ts";
import { loadTlsMaterial, type PemSources } from "./tls-material.ts";

/** What requests are made with. */
export interface ClientPorts extends ExchangePorts {
  readonly timers: Timers;
  readonly pemSources: PemSources;
  /** `name/version`. */
  readonly userAgent: string;
  /** Throws HttpFailure `refused` for a host that may not be asked. */
  checkTarget(target: Target): void;
  /** From 0 to 1: the jitter of waits. */
  random(): number;
}

const MAX_REDIRECTS = 10;
const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 60_000;

/** Asks until there is an answer. Rejects with HttpFailure. */
export async function ask(
  request: HttpSendRequest,
  ports: ClientPorts,
  signal: AbortSignal,
  more: readonly (readonly [string, string])[] = [],
): Promise<HttpAnswer> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await attemptOnce(request, ports, signal, more);
    } catch (error) {
      const isFinal = attempt >= request.retries || !(error instanceof HttpFailure && error.isNetwork);
      if (isFinal || signal.aborted) throw error;
      await wait(retryDelayMs(attempt, ports.random()), ports.timers, signal);
    }
  }
}

/** SPEC: gRPC's backoff (v1/util/backoff.go): none before the first retry, then 100 ms × 1.6ⁿ, give or take a fifth. */
export function retryDelayMs(retries: number, random: number): number {
  if (retries === 0) return 0;
  return Math.min(FIRST_RETRY_MS * 1.6 ** retries, MAX_RETRY_MS) * (1 + 0.2 * (random * 2 - 1));
}

async function wait(delayMs: number, timers: Timers, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const cancel = timers.after(delayMs, () => end());
    const end = (): void => {
      cancel();
      signal.removeEventListener("abort", end);
      resolve();
    };
    signal.addEventListener("abort", end, { once: true });
  });
  if (signal.aborted) throw new HttpFailure("abandoned", "context canceled");
}

async function attemptOnce(
  request: HttpSendRequest,
  ports: ClientPorts,
  signal: AbortSignal,
  more: readonly (readonly [string, string])[],
): Promise<HttpAnswer> {
  const end = new AbortController();
  let isLate = false;
  const onAbort = (): void => end.abort();
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  const cancelTimer =
    request.timeoutMs === undefined
      ? undefined
      : ports.timers.after(request.timeoutMs, () => {
          isLate = true;
          end.abort();
        });
  const at = { target: request.target, isRead: false };
  try {
    const open = await followRedirects(request, ports, end.signal, more, at);
    at.isRead = true;
    return await open.read();
  } catch (error) {
    if (error instanceof HttpFailure) throw error;
    if (signal.aborted) throw new HttpFailure("abandoned", "context canceled");
    if (isLate) throw toTimeout(request, at);
    const words = toNetworkWords(error as Error, at.target);
    throw at.isRead
      ? new HttpFailure("unreachable", words, { told: `eval_builtin_error: http.send: ${words}` })
      : unreachable(request.method, at.target.text, words);
  } finally {
    cancelTimer?.();
    signal.removeEventListener("abort", onAbort);
  }
}

function toTimeout(request: HttpSendRequest, at: { readonly target: Target; readonly isRead: boolean }): HttpFailure {
  if (at.isRead) {
    const message = "context deadline exceeded (Client.Timeout or context cancellation while reading body)";
    return new HttpFailure("timeout", message, { told: `eval_builtin_error: http.send: ${message}` });
  }
  const op = operation(request.method);
  return new HttpFailure("timeout", `${op} ${shownUrl(at.target.text)}: request timed out`, {
    isNetwork: true,
    told: `${op} ${JSON.stringify(at.target.text)}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
  });
}

/** `at.target` is where it is by then, for errors. */
async function followRedirects(
  request: HttpSendRequest,
  ports: ClientPorts,
  signal: AbortSignal,
  more: readonly (readonly [string, string])[],
  at: { target: Target },
): Promise<OpenAnswer> {
  const body = request.body === undefined ? undefined : toBytes(request.body);
  const credentials = request.target.credentials;
  const headers = new Map<string, string>([...request.headers, ...more]);
  if (!headers.has("User-Agent")) headers.set("User-Agent", ports.userAgent);
  let hop: Hop = {
    method: request.method,
    target: request.target,
    headers: [...headers],
    hostHeader: request.hostHeader ?? request.target.authority,
    body,
    tls: {},
  };
  let isStripped = false;
  for (let redirects = 0; ; redirects++) {
    ports.checkTarget(hop.target);
    at.target = hop.target;
    const tls =
      hop.target.scheme === "https" ? await loadTlsMaterial(request.tls, hop.target.host, ports.pemSources) : {};
    const answer = await exchange(
      { ...hop, tls, headers: withCredentials(hop, redirects === 0 ? credentials : hop.target.credentials) },
      ports,
      signal,
    );
    const isRedirect = [301, 302, 303, 307, 308].includes(answer.statusCode);
    if (!request.followsRedirects || !isRedirect || (answer.location ?? "") === "") return answer;
    answer.discard();
    if (redirects >= MAX_REDIRECTS) {
      throw unreachable(request.method, hop.target.text, `stopped after ${MAX_REDIRECTS} redirects`);
    }
    const location = answer.location ?? "";
    const target = resolveLocation(hop.method, hop.target, location);
    const keepsBody = answer.statusCode >= 307;
    const isAbsolute = /^(?:[A-Za-z][A-Za-z0-9+\-.]*:|\/\/)/.test(location);
    isStripped ||= !isSameOrSubdomain(target.host, request.target.host);
    hop = {
      method: keepsBody || hop.method === "GET" || hop.method === "HEAD" ? hop.method : "GET",
      target,
      headers: stripForHop([...headers], {
        from: hop.target,
        to: target,
        isStripped,
        dropsBody: !keepsBody || hop.body === undefined,
      }),
      hostHeader: isAbsolute || request.hostHeader === undefined ? target.authority : request.hostHeader,
      body: keepsBody ? hop.body : undefined,
      tls: {},
    };
  }
}

/** SPEC: the credentials of a URL are sent unless the policy sends its own. */
function withCredentials(hop: Hop, credentials: string | undefined): Hop["headers"] {
  if (credentials === undefined || hop.headers.some(([name]) => name === "Authorization")) return hop.headers;
  const pair = credentials.includes(":") ? credentials : `${credentials}:`;
  return [...hop.headers, ["Authorization", `Basic ${Buffer.from(pair, "latin1").toString("base64")}`]];
}

const isSameOrSubdomain = (host: string, parent: string): boolean =>
  host === parent || (!host.includes(":") && host.endsWith(`.${parent}`));
