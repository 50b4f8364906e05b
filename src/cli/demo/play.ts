// Plays the scenes: sends each request to Envoy (or straight to svidgate) and compares the answer with the expected one.

import { randomUUID } from "node:crypto";
import { CALLERS, type DemoCertificates, SERVICE_ID } from "./callers.ts";
import type { DecisionPoint } from "./decision-point.ts";
import type { DirectClient } from "./direct-client.ts";
import { callOverMtls } from "./mtls-client.ts";
import type { DemoRequest, Scene } from "./scenes.ts";
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
}

/** A scene and its results. */
export interface PlayedScene {
  readonly scene: Scene;
  readonly results: readonly Played[];
}

/** Sends one request. */
export type Send = (request: DemoRequest) => Promise<Played>;

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
    const results: Played[] = [];
    for (const request of scene.requests) results.push(await send(request));
    played.push({ scene, results });
  }
  return played;
}

/** Sends through Envoy, as the caller that the request names. */
export function sendThroughEnvoy(port: number, certificates: DemoCertificates, upstream: Upstream): Send {
  return async (request) => {
    const before = upstream.requests();
    const target = {
      port,
      bundlePem: certificates.bundlePem,
      serverId: SERVICE_ID,
      certificate: certificates.callers[request.caller],
    };
    const answer = await callOverMtls(target, request);
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

/** Sends the check itself. Callers whom only a handshake can refuse cannot be played. */
export function sendDirectly(client: DirectClient): Send {
  return async (request) => {
    const requestId = randomUUID();
    const answer = await client.check({
      principal: CALLERS[request.caller].id ?? "",
      destination: SERVICE_ID,
      method: request.method,
      path: request.path,
      headers: { ...request.headers, "x-request-id": requestId },
    });
    if (!answer.ok) return { request, status: undefined, requestId, wrong: `no answer: ${answer.why}` };
    const wrong = compareStatus(request, answer.status) ?? compareHeader(request, (name) => answer.headers.get(name));
    return { request, status: answer.status, requestId, wrong };
  };
}

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
  return got === value ? undefined : `the service reads \`${name}: ${String(got)}\` instead of \`${value}\``;
}
