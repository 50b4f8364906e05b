// A bundle endpoint for tests: a real HTTPS server whose certificate and answers change while it runs.

import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { TestContext } from "node:test";
import { issueCertificate, type SignedCertificate } from "./signed-certificate.ts";

/** A server's certificates, leaf first, and the leaf's key. */
export interface Presented {
  readonly cert: string;
  readonly key: string;
}

/** What a server shows that is `leaf`, with what else it sends. */
export const present = (leaf: SignedCertificate, ...more: readonly SignedCertificate[]): Presented => ({
  cert: [leaf, ...more].map(({ pem }) => pem).join(""),
  key: leaf.keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
});

/** For `localhost`, by the rules of the web. */
export const webServer = (root: SignedCertificate, dnsNames = ["localhost"]): Presented =>
  present(issueCertificate(root, { subject: "server", dnsNames }));

/** For a workload. */
export const spiffeServer = (
  authority: SignedCertificate,
  id: string,
  ...between: readonly SignedCertificate[]
): Presented => present(issueCertificate(between.at(0) ?? authority, { subject: "server", uris: [id] }), ...between);

export interface BundleEndpoint {
  /** `https://localhost:<port>`. */
  readonly url: string;
  /** What was asked for, in order: `GET /path`. */
  readonly asked: string[];
  /** How many bytes of requests came out of TLS, whether they were requests or not. */
  readonly bytes: number;
  present(next: Presented): void;
  answer(next: (response: ServerResponse, request: IncomingMessage) => void): void;
}

/** Answers 200 with `document` until it is told otherwise. */
export async function openBundleEndpoint(t: TestContext, first: Presented, document = ""): Promise<BundleEndpoint> {
  const asked: string[] = [];
  const sockets: Socket[] = [];
  let answer = (response: ServerResponse, _request: IncomingMessage): void => void response.end(document);
  const server = createServer(first, (request, response) => {
    asked.push(`${request.method} ${request.url}`);
    answer(response, request);
  });
  server.on("secureConnection", (socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
  });
  server.on("tlsClientError", () => undefined);
  server.listen(0, "localhost");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    asked,
    get bytes() {
      return sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0);
    },
    present: (next) => server.setSecureContext(next),
    answer: (next) => {
      answer = next;
    },
  };
}
