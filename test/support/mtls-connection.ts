// A caller whose connection stays open: one mTLS handshake, and requests one after the other over it.

import { Agent, request as httpsRequest } from "node:https";
import type { Answer, HttpRequest, MtlsTarget } from "../../src/cli/demo/mtls-client.ts";

export interface MtlsConnection {
  ask(sent: HttpRequest): Promise<Answer>;
  /** How many connections were opened: 1 as long as the first one stays open. */
  opened(): number;
  close(): void;
}

/** Opens it with the first request. */
export function openMtlsConnection({ port, bundlePem, serverId, certificate }: MtlsTarget): MtlsConnection {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, maxCachedSessions: 0 });
  let opened = 0;
  const seen = new WeakSet<object>();
  const options = {
    host: "127.0.0.1",
    port,
    agent,
    ca: bundlePem,
    ...(certificate && { cert: certificate.certificatePem, key: certificate.privateKeyPem }),
    checkServerIdentity: (_host: string, peer: { readonly subjectaltname?: string }): Error | undefined =>
      peer.subjectaltname?.split(", ").includes(`URI:${serverId}`) === true
        ? undefined
        : new Error(`the server is not ${serverId}`),
    timeout: 10_000,
  };
  return {
    opened: () => opened,
    close: () => agent.destroy(),
    ask: ({ method, path, headers, body }) =>
      new Promise((resolve) => {
        const fail = (error: Error): void => resolve({ ok: false, why: error.message });
        const request = httpsRequest({ ...options, method, path, headers: { ...headers } }, (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.once("error", fail);
          response.once("end", () => {
            const text = Buffer.concat(chunks).toString("utf8");
            resolve({ ok: true, status: response.statusCode ?? 0, headers: response.headers, body: text });
          });
        });
        request.once("socket", (socket) => {
          if (!seen.has(socket)) opened++;
          seen.add(socket);
        });
        request.once("timeout", () => request.destroy(new Error("no answer in time")));
        request.on("error", fail);
        request.end(body);
      }),
  };
}
