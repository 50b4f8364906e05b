// One question to the resolver, and what the connection of the request comes to.

import type { IdentityCode } from "./codes.ts";
import type { VerifiedCertificate } from "./known-certificates.ts";
import type { RequestCredentials } from "./resolver-parts.ts";

/** One question. PERF: a request reads its bytes again for each look at a field, 0.2 µs for this one. */
export interface Asked {
  readonly request: RequestCredentials;
  readonly sourcePrincipal: string;
  readonly nowUnixMs: number;
}

/** The question that a request asks at this moment. */
export const ask = (request: RequestCredentials, nowUnixMs: number): Asked => ({
  request,
  sourcePrincipal: request.sourcePrincipal,
  nowUnixMs,
});

/** The verified certificate of the connection, undefined when it has none, or why it is refused. */
export type Peer =
  | { readonly ok: true; readonly certificate: VerifiedCertificate | undefined }
  | {
      readonly ok: false;
      readonly code: IdentityCode;
      readonly detail?: string;
      /** One whose signatures hold, and that is refused all the same. */
      readonly certificate?: VerifiedCertificate;
    };
