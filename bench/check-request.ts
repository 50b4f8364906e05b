// The request of the benchmarks: what an Envoy sends for a GET through a mesh's sidecar, with or without credentials.

import { encodeCheckRequest } from "../test/support/check-messages.ts";

/** What a request carries besides itself. */
export interface RequestCredentials {
  /** `source.certificate`: URL-encoded PEM. */
  readonly certificate?: string;
  readonly principal?: string;
  /** In place of the user and password of the Basic scheme. */
  readonly authorization?: string;
  readonly forwardedClientCert?: string;
}

/** Our side of the connection. */
export const DESTINATION = "spiffe://example.org/ns/shop/sa/people";

/** The serialized CheckRequest; 698 bytes on the wire without credentials. */
export function toBenchRequest(credentials: RequestCredentials = {}): Uint8Array {
  const { certificate, principal, authorization, forwardedClientCert } = credentials;
  return encodeCheckRequest({
    attributes: {
      source: {
        address: { socket_address: { address: "10.1.2.3", port_value: 35412 } },
        principal: principal ?? "spiffe://example.org/ns/shop/sa/web",
        ...(certificate !== undefined && { certificate }),
      },
      destination: {
        address: { socket_address: { address: "10.1.2.4", port_value: 8443 } },
        principal: DESTINATION,
      },
      request: {
        time: { seconds: 1_795_298_400, nanos: 123_456_000 },
        http: {
          id: "7439201543720156372",
          method: "GET",
          path: "/people/1?limit=20&order=name",
          host: "people.shop.svc.example.org",
          scheme: "https",
          protocol: "HTTP/2",
          headers: {
            ":authority": "people.shop.svc.example.org",
            ":method": "GET",
            ":path": "/people/1?limit=20&order=name",
            ":scheme": "https",
            accept: "application/json",
            "accept-encoding": "gzip, deflate, br",
            authorization: authorization ?? `Basic ${Buffer.from("guest:password").toString("base64")}`,
            "user-agent": "shop-web/2.14 (linux; amd64)",
            "x-forwarded-for": "10.1.2.3",
            "x-forwarded-proto": "https",
            "x-request-id": "5d4f3ad6-9d6b-4bd1-818c-6ae42c56c1ad",
            traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            ...(forwardedClientCert !== undefined && { "x-forwarded-client-cert": forwardedClientCert }),
          },
        },
      },
      metadata_context: {},
      route_metadata_context: {},
    },
  });
}

/** As it goes over the wire: five bytes of prefix, then the message. */
export function toGrpcMessage(request: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(request.length, 1);
  return Buffer.concat([prefix, request]);
}
