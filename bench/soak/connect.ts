// How the peers of a soak reach the server: plaintext or TLS, on 127.0.0.1.

import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

export interface Target {
  readonly port: number;
  /** PEM of the authority; plaintext without. */
  readonly caPem: string | undefined;
}

/** A socket that may be written to at once; what is written waits for the connection. */
export function connect({ port, caPem }: Target): Socket {
  if (caPem === undefined) return connectTcp(port, "127.0.0.1");
  return connectTls({
    port,
    host: "127.0.0.1",
    ca: caPem,
    ALPNProtocols: ["h2"],
    checkServerIdentity: () => undefined,
  });
}
