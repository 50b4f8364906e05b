// The service that the demo protects: answers every request with 200 and remembers the headers of the last one.

import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

/** A running service. */
export interface Upstream {
  readonly port: number;
  /** Headers of the last request that came through. */
  lastHeaders(): IncomingHttpHeaders;
  /** How many requests came through. */
  requests(): number;
  close(): Promise<void>;
}

/** Starts it on a free loopback port. */
export async function startUpstream(): Promise<Upstream> {
  let last: IncomingHttpHeaders = {};
  let count = 0;
  const server = createServer((request, response) => {
    last = request.headers;
    count++;
    request.resume();
    response.setHeader("content-type", "application/json");
    response.end(`${JSON.stringify({ method: request.method, path: request.url, headers: request.headers })}\n`);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    lastHeaders: () => last,
    requests: () => count,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
