// The admin port: health, readiness, metrics and status over plain HTTP/1.1. Read-only, so that it is safe to bind to a pod;
// whatever changes state is elsewhere. What it tells comes through ports.
// SECURITY: reference points are slow and stuck clients: every wait has an end, connections are capped, requests are small.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { ok, type Result } from "../base/result.ts";
import { type BindCode, type BindOptions, type BoundSocket, bindServer } from "./accept.ts";
import { type HealthFacts, unhealthyReason } from "./admin-health.ts";
import type { ListenAddress } from "./listen-address.ts";

/** One thing that readiness depends on. */
export interface ReadyCheck {
  readonly name: string;
  readonly ready: boolean;
  /** Why it is not ready; for people. */
  readonly detail?: string;
}

/** Where the answers come from. A port that throws or never answers makes a 500 or a 503, and nothing else. */
export interface AdminPorts {
  health(): HealthFacts;
  /** Empty = ready. */
  ready(): readonly ReadyCheck[];
  /** Prometheus text format. */
  metrics(): Promise<string>;
  /** Anything that JSON can show. */
  status(): unknown;
  /** Told of what must not happen: a port that threw. Must not throw. */
  onFault(error: unknown): void;
}

export interface AdminOptions extends Omit<BindOptions, "insecure"> {
  /** A whole request must arrive within this time, and a whole answer be taken. Default 10000. */
  readonly timeoutMs?: number;
}

export interface AdminServer extends BoundSocket {
  /** Stops, and cuts connections that are still open. */
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const JSON_TYPE = "application/json";
const TEXT_TYPE = "text/plain; charset=utf-8";
const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";
const toJson = (status: number, value: unknown): Answer => ({
  status,
  type: JSON_TYPE,
  body: `${JSON.stringify(value)}\n`,
});
const toError = (status: number, error: string): Answer => toJson(status, { error });

/** Opens the admin port. It shows no secrets, so other machines may reach it when the address says so. */
export async function openAdmin(
  address: ListenAddress,
  ports: AdminPorts,
  options: AdminOptions = {},
): Promise<Result<AdminServer, BindCode>> {
  const timeoutMs = options.timeoutMs ?? 10_000;
  const metrics = shareWhilePending(ports.metrics);
  const server: Server = createServer(
    {
      maxHeaderSize: 8192,
      headersTimeout: timeoutMs,
      requestTimeout: timeoutMs,
      keepAliveTimeout: timeoutMs,
      connectionsCheckingInterval: Math.min(1000, timeoutMs),
      noDelay: true,
    },
    (request, response) => {
      // A client that takes its answer a byte at a time, or a port that never answers.
      const timer = setTimeout(() => {
        if (response.headersSent) request.socket.destroy();
        else send(request, response, toError(503, "timeout"));
      }, timeoutMs);
      response.once("close", () => clearTimeout(timer));
      answer(request, { ...ports, metrics }).then(
        (given) => send(request, response, given),
        (error: unknown) => {
          ports.onFault(error);
          send(request, response, toError(500, "internal error"));
        },
      );
    },
  );
  // Idle and silent connections; the timer above bounds the rest.
  server.setTimeout(timeoutMs);
  const bound = await bindServer(server, address, {
    insecure: true,
    maxConnections: options.maxConnections ?? 128,
    ...(options.socketMode === undefined ? {} : { socketMode: options.socketMode }),
  });
  if (!bound.ok) return bound;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return ok({ ...bound.value, close });
}

async function answer(request: IncomingMessage, ports: Omit<AdminPorts, "onFault">): Promise<Answer> {
  const { pathname, query } = toTarget(request.url ?? "");
  if (!ROUTES.has(pathname)) return toError(404, "not found");
  if (request.method !== "GET" && request.method !== "HEAD") return toError(405, "method not allowed: use GET or HEAD");
  switch (pathname) {
    case "/health": {
      const reason = unhealthyReason(ports.health(), query);
      return reason === undefined ? toJson(200, {}) : toError(500, reason);
    }
    case "/livez":
      // Answering is the proof: the event loop turns. Liveness depends on nothing that a restart would not mend.
      return { status: 200, type: TEXT_TYPE, body: "ok\n" };
    case "/readyz":
      return toReadiness(ports.ready(), query.has("verbose"));
    case "/metrics":
      return { status: 200, type: METRICS_TYPE, body: await ports.metrics() };
    default:
      return toJson(200, ports.status());
  }
}

const ROUTES: ReadonlySet<string> = new Set(["/health", "/livez", "/readyz", "/metrics", "/status"]);

function toTarget(url: string): { readonly pathname: string; readonly query: URLSearchParams } {
  const mark = url.indexOf("?");
  if (mark < 0) return { pathname: url, query: new URLSearchParams() };
  return { pathname: url.slice(0, mark), query: new URLSearchParams(url.slice(mark + 1)) };
}

/** As Kubernetes prints it: a line per check when asked for, or when it is not ready. */
function toReadiness(checks: readonly ReadyCheck[], verbose: boolean): Answer {
  const ready = checks.every((check) => check.ready);
  const lines = checks.map(({ name, ready: up, detail }) =>
    up ? `[+]${toLine(name)} ok` : `[-]${toLine(name)} failed: ${toLine(detail ?? "not ready")}`,
  );
  const last = ready ? "ok" : "not ready";
  return {
    status: ready ? 200 : 503,
    type: TEXT_TYPE,
    body: `${[...(verbose || !ready ? lines : []), last].join("\n")}\n`,
  };
}

// SECURITY: a detail may quote a remote server; it must not be able to write a line of its own.
const toLine = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ").slice(0, 500);

function send(request: IncomingMessage, response: ServerResponse, { status, type, body }: Answer): void {
  if (response.headersSent || response.destroyed) return;
  const bytes = Buffer.from(body);
  response.writeHead(status, {
    "content-type": type,
    "content-length": bytes.length,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...(status === 405 ? { allow: "GET, HEAD" } : {}),
    // Bodies are never read, so the next request on this connection could not be found.
    ...(hasBody(request) || status === 503 ? { connection: "close" } : {}),
  });
  response.end(request.method === "HEAD" ? undefined : bytes);
}

const hasBody = (request: IncomingMessage): boolean =>
  request.headers["transfer-encoding"] !== undefined || (request.headers["content-length"] ?? "0") !== "0";

/** Callers that come while one rendering is under way get that one, so that many scrapes cost as much as one. */
function shareWhilePending(render: () => Promise<string>): () => Promise<string> {
  let pending: Promise<string> | undefined;
  return () => {
    pending ??= render().finally(() => {
      pending = undefined;
    });
    return pending;
  };
}
