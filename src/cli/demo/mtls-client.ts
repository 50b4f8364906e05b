// A caller: one request over mTLS, on a connection of its own, path sent byte for byte.

import { request as httpsRequest } from "node:https";
import type { PeerCertificate } from "node:tls";
import type { IssuedCertificate } from "../../base/x509.ts";

/** Where and as whom to call. */
export interface MtlsTarget {
  readonly port: number;
  /** PEM; who signed the server. */
  readonly bundlePem: string;
  /** The SPIFFE ID that the server has to have. */
  readonly serverId: string;
  /** Undefined: no client certificate is offered. */
  readonly certificate: IssuedCertificate | undefined;
}

/** One request. */
export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Uint8Array;
}

/** An HTTP answer, or the reason why there was none. */
export type Answer =
  | {
      readonly ok: true;
      readonly status: number;
      readonly headers: Readonly<Record<string, string | string[] | undefined>>;
      readonly body: string;
    }
  | { readonly ok: false; readonly why: string };

/** Sends it and waits for the whole answer, at most `timeoutMs`. */
export function callOverMtls(target: MtlsTarget, sent: HttpRequest, timeoutMs = 10_000): Promise<Answer> {
  const { certificate } = target;
  return new Promise((resolve) => {
    const fail = (error: Error): void => resolve({ ok: false, why: error.message });
    const request = httpsRequest(
      {
        host: "127.0.0.1",
        port: target.port,
        method: sent.method,
        path: sent.path,
        headers: { ...sent.headers },
        // No reuse: each caller shows its own certificate.
        agent: false,
        ca: target.bundlePem,
        ...(certificate && { cert: certificate.certificatePem, key: certificate.privateKeyPem }),
        // SPEC: X509-SVID §5 — a workload is known by its SPIFFE ID, not by a host name.
        checkServerIdentity: (_host, peer) => checkSpiffeId(peer, target.serverId),
        timeout: timeoutMs,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.once("error", fail);
        response.once("end", () => {
          const body = Buffer.concat(chunks).toString("utf8");
          resolve({ ok: true, status: response.statusCode ?? 0, headers: response.headers, body });
        });
      },
    );
    request.once("timeout", () => request.destroy(new Error("no answer in time")));
    // The connection may end with a second error after the first, which would be unhandled.
    request.on("error", fail);
    request.end(sent.body);
  });
}

function checkSpiffeId(peer: PeerCertificate, expected: string): Error | undefined {
  return peer.subjectaltname?.split(", ").includes(`URI:${expected}`) === true
    ? undefined
    : new Error(`the server is not ${expected}`);
}
