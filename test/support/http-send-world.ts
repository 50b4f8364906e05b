// `http.send` called directly, with real servers to ask: one call is one decision, which waits for its answers.

import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo, Server as NetServer } from "node:net";
import { text } from "node:stream/consumers";
import { createBuiltinContext, createDecisionMemory } from "../../src/policy/builtin-bridge.ts";
import { type Builtin, Unanswered } from "../../src/policy/builtins/builtin.ts";
import type { HttpSendOutcome } from "../../src/policy/builtins/http-send/failure.ts";
import { createNetworkBuiltins, type HttpSendOptions } from "../../src/policy/network-builtins.ts";
import { parseValue, toJson, type Value } from "../../src/policy/value.ts";
import { createManualClock, type ManualClock } from "./manual-clock.ts";

/** A server on a free port of this machine. */
export interface TestServer {
  readonly url: string;
  readonly port: number;
  /** Method and path of each request, in order. */
  readonly requests: string[];
  close(): Promise<void>;
}

/** The port that a server listens on. */
export const portOf = (server: NetServer): number => (server.address() as AddressInfo).port;

/** Starts a server; `tls` makes it one of HTTPS. */
export async function startHttpServer(handler: RequestListener, tls?: ServerOptions): Promise<TestServer> {
  const requests: string[] = [];
  const listener: RequestListener = (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    handler(request, response);
  };
  const server: Server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const port = portOf(server);
  return {
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    port,
    requests,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A server that tells what it was asked, as JSON. */
export const echo: RequestListener = (request, response) => {
  void text(request).then((body) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ ...factsOf(request), body }));
  });
};

const factsOf = ({ method, url, headers, rawHeaders }: IncomingMessage): object => ({
  method,
  url,
  headers,
  rawHeaders,
});

/** A policy's `http.send`, and what was told of it. */
export interface HttpSendWorld {
  readonly clock: ManualClock;
  readonly outcomes: HttpSendOutcome[];
  readonly refused: string[];
  /** One decision that calls it with this operand; throws BuiltinError as the builtin does. */
  send(operand: object): Promise<Result>;
  close(): void;
}

/** The result as JavaScript values. */
export interface Result {
  readonly status?: string;
  readonly status_code: number;
  readonly body?: unknown;
  readonly raw_body?: string;
  readonly headers?: Readonly<Record<string, readonly string[]>>;
  readonly error?: { readonly code: string; readonly message: string };
}

/** Any host may be asked unless `options` say otherwise. Timers are the manual clock's when `manualTimers` is set. */
export function createHttpSendWorld(options: Partial<HttpSendOptions> = {}, manualTimers = false): HttpSendWorld {
  const clock = createManualClock();
  const outcomes: HttpSendOutcome[] = [];
  const refused: string[] = [];
  const network = createNetworkBuiltins(
    { httpSend: { allowedHosts: ["*", "unix:*"], ...options } },
    {
      clock,
      ...(manualTimers && { timers: clock.timers }),
      onHttpRequest: (outcome) => outcomes.push(outcome),
      onRefusedHost: (_, host) => refused.push(host),
    },
  );
  const builtin = network.find("http.send");
  return {
    clock,
    outcomes,
    refused,
    send: async (operand) => {
      if (builtin === undefined) throw new Error("http.send is not allowed");
      return JSON.parse(toJson(await decide(builtin, [parseValue(JSON.stringify(operand))], clock))) as Result;
    },
    close: network.close,
  };
}

/** One decision that calls a builtin once, as often as its answers need. */
export async function decide(
  builtin: Builtin,
  args: readonly Value[],
  clock: ManualClock = createManualClock(),
  signal: AbortSignal = new AbortController().signal,
): Promise<Value> {
  const memory = createDecisionMemory(clock);
  for (;;) {
    try {
      const value = builtin(
        args,
        createBuiltinContext(memory, () => undefined),
      );
      if (value === undefined) throw new Error("undefined");
      return value;
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      memory.answers.set(error.question.key, await error.question.answer(signal));
    }
  }
}
