// A request as values that can be compared, however it was read.

import type { RequestView } from "../../src/authz/request-view.ts";
import { withNumbersAsText } from "./json-oracle.ts";

/** Everything that a decision asks of a request. */
export function toFacts(request: RequestView): object {
  const json = request.attributesJson();
  const names = ["x-request-id", "content-type", "a", "b", "", "__proto__", "constructor", "get"];
  const keys = [...names, "é"];
  return {
    attributes: json === undefined ? undefined : withNumbersAsText(json),
    texts: [request.method, request.host, request.path, request.scheme, request.protocol, request.requestId],
    bodies: [request.body, request.rawBody],
    peers: [request.principal, request.sourcePrincipal, request.sourceCertificate, request.destinationPrincipal],
    sourceAddress: request.sourceAddress,
    contextExtensions: request.contextExtensions,
    headers: names.map((name) => [request.header(name), request.mapHeader(name)]),
    metadata: keys.flatMap((namespace) => keys.map((key) => request.filterMetadata(namespace, key))),
  };
}
