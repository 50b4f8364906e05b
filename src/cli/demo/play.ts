// Plays the scenes: sends each request to Envoy (or straight to svidgate) and compares the answer with the expected one.

import { randomUUID } from "node:crypto";
import { CALLERS, type DemoCredentials, SERVICE_ID } from "./callers.ts";
import type { DecisionPoint } from "./decision-point.ts";
import type { DirectClient } from "./direct-client.ts";
import { callOverMtls } from "./mtls-client.ts";
import type { DemoRequest, Door, Scene } from "./scenes.ts";
import type { Upstream } from "./upstream.ts";

/** What became of one request. */
export interface Played {
  readonly request: DemoRequest;
  /** Undefined when the handshake was refused. */
  readonly status: number | undefined;
  /** By which the audit event is found; undefined when svidgate was not asked. */
  readonly requestId: string | undefined;
  /** How the answer differs from the expected one; the reason is compared when the audit events are read. */
  readonly wrong: string | undefined;
  /** From the change of the deny list's file to this answer; undefined where nothing was changed for it. */
  readonly sinceChangeMs?: number;
}

/** A scene and its results. */
export interface PlayedScene {
  readonly scene: Scene;
  readonly results: readonly Played[];
}

/** Sends one request through a door. */
export type Send = (request: DemoRequest, door: Door) => Promise<Played>;

/** Plays all scenes that can be played this way, changing the policy between them. */
export async function playScenes(
  scenes: readonly Scene[],
  decisionPoint: DecisionPoint,
  send: Send,
): Promise<readonly PlayedScene[]> {
  const played: PlayedScene[] = [];
  for (const scene of scenes) {
    if (scene.policy === undefined) await decisionPoint.stop();
    else await decisionPoint.activate(scene.policy);
    const changedMs = performance.now();
    if (scene.revoked !== undefined) await decisionPoint.revoke(CALLERS[scene.revoked].id ?? "");
    const results: Played[] = [];
    for (const request of scene.requests) {
      const result = await send(request, scene.door);
      const isFirst = scene.revoked !== undefined && results.length === 0;
      results.push(isFirst ? { ...result, sinceChangeMs: performance.now() - changedMs } : result);
    }
    played.push({ scene, results });
  }
  return played;
}

/** Sends through Envoy, as the caller that the request names. */
export function sendThroughEnvoy(port: (door: Door) => number, credentials: DemoCredentials, upstream: Upstream): Send {
  return async (request, door) => {
    const before = upstream.requests();
    const target = {
      port: port(door),
      bundlePem: credentials.bundlePem,
      serverId: SERVICE_ID,
      certificate: credentials.callers[request.caller],
    };
    const answer = await callOverMtls(target, { ...request, headers: headersOf(request, credentials) });
    const { expect } = request;
    if (!answer.ok) {
      const wrong = expect.by === "handshake" ? undefined : `no answer: ${answer.why}`;
      return { request, status: undefined, requestId: undefined, wrong };
    }
    const id = answer.headers["x-request-id"];
    return {
      request,
      status: answer.status,
      requestId: expect.by === "decided" && typeof id === "string" ? id : undefined,
      wrong: compareStatus(request, answer.status) ?? compareUpstream(request, upstream, upstream.requests() - before),
    };
  };
}

/** Sends the check itself, with the certificate that Envoy would pass on. What only a handshake can refuse cannot be played. */
export function sendDirectly(client: DirectClient, credentials: DemoCredentials): Send {
  return async (request) => {
    const requestId = randomUUID();
    const answer = await client.check({
      principal: CALLERS[request.caller].id ?? "",
      certificatePem: credentials.callers[request.caller]?.certificatePem,
      destination: SERVICE_ID,
      method: request.method,
      path: request.path,
      headers: { ...headersOf(request, credentials), "x-request-id": requestId },
    });
    if (!answer.ok) return { request, status: undefined, requestId, wrong: `no answer: ${answer.why}` };
    const wrong = compareStatus(request, answer.status) ?? compareHeader(request, (name) => answer.headers.get(name));
    return { request, status: answer.status, requestId, wrong };
  };
}

const headersOf = ({ headers, token }: DemoRequest, { tokens }: DemoCredentials): Readonly<Record<string, string>> => ({
  ...headers,
  ...(token !== undefined && { authorization: `Bearer ${tokens[token]}` }),
});

/** The scenes without what needs an Envoy. */
export const toDirectScenes = (scenes: readonly Scene[]): readonly Scene[] =>
  scenes
    .map((scene) => ({ ...scene, requests: scene.requests.filter(({ expect }) => expect.by === "decided") }))
    .filter(({ requests }) => requests.length > 0);

function compareStatus({ expect }: DemoRequest, status: number): string | undefined {
  if (expect.by === "handshake") return `got as far as ${status}, but its handshake should have failed`;
  return status === expect.status ? undefined : `${status} instead of ${expect.status}`;
}

/** Whether the service was reached exactly when it should have been, with the header that it should have got. */
function compareUpstream(request: DemoRequest, upstream: Upstream, reached: number): string | undefined {
  const { expect } = request;
  const wanted = expect.by === "decided" && expect.reason === "policy_allowed" ? 1 : 0;
  if (reached !== wanted) return `the service was reached ${reached} times instead of ${wanted}`;
  return compareHeader(request, (name) => upstream.lastHeaders()[name]);
}

function compareHeader({ expectUpstream }: DemoRequest, read: (name: string) => unknown): string | undefined {
  if (expectUpstream === undefined) return undefined;
  const [name, value] = expectUpstream;
  const got = read(name);
  return got === value ? undefined : `the service reads \`${name}: ${String(got)}\` instead of \`${String(value)}\``;
}
