// Who calls in the demo: a throwaway trust domain, the service that is called, and callers good and bad.
// Keys live in memory and, for Envoy, in the demo's private folder; certificates end within the hour, but for the one that is
// there to be refused for its long life.

import { X509Certificate } from "node:crypto";
import { createAuthority, type IssuedCertificate } from "../../base/x509.ts";
import { createTokenIssuer, type TokenIssuer } from "./tokens.ts";

export const TRUST_DOMAIN = "example.org";

/** The called service; Envoy stands before it with this identity. */
export const SERVICE_ID = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/orders`;

/** For whom a JWT-SVID has to be. */
export const AUDIENCE = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/svidgate`;

/** Every caller. `id` is the name in its certificate, whoever signed that; undefined for the one that has none. */
export const CALLERS = {
  web: { label: "shop/web", id: `spiffe://${TRUST_DOMAIN}/ns/shop/sa/web` },
  invoices: { label: "billing/invoices", id: `spiffe://${TRUST_DOMAIN}/ns/billing/sa/invoices` },
  deploy: { label: "operations/deploy", id: `spiffe://${TRUST_DOMAIN}/ns/operations/sa/deploy` },
  crawler: { label: "guest/crawler", id: `spiffe://${TRUST_DOMAIN}/ns/guest/sa/crawler` },
  impostor: { label: "shop/web, forged", id: `spiffe://${TRUST_DOMAIN}/ns/shop/sa/web` },
  expired: { label: "shop/web, expired", id: `spiffe://${TRUST_DOMAIN}/ns/shop/sa/web` },
  yearLong: { label: "shop/web, for a year", id: `spiffe://${TRUST_DOMAIN}/ns/shop/sa/web` },
  nobody: { label: "no certificate", id: undefined },
} as const satisfies Readonly<Record<string, { readonly label: string; readonly id: string | undefined }>>;

/** The name of a caller. */
export type CallerName = keyof typeof CALLERS;

/** The JWT-SVIDs of the web workload: one for svidgate, and one that was made for another service. */
export type TokenName = "forUs" | "forOthers";

/** The credentials of one run. */
export interface DemoCredentials {
  /** The trust domain's authority, PEM: what Envoy and the callers hold certificates against. */
  readonly bundlePem: string;
  /** The same and the key of its tokens as a SPIFFE bundle document: what svidgate holds credentials against. */
  readonly bundleDocument: string;
  readonly service: IssuedCertificate;
  /** Undefined for the caller that has none. */
  readonly callers: Readonly<Record<CallerName, IssuedCertificate | undefined>>;
  readonly tokens: Readonly<Record<TokenName, string>>;
}

const MINUTE_MS = 60_000;
const YEAR_MS = 365 * 24 * 60 * MINUTE_MS;
const TOKEN_MS = 5 * MINUTE_MS;
// Authorities write dates a little into the past, for clocks that go slow.
const BACKDATED_MS = 10_000;

/** Makes the authority, a second one that nobody trusts, all certificates and the tokens. */
export async function createCredentials(nowUnixMs: number): Promise<DemoCredentials> {
  const notBeforeUnixMs = nowUnixMs - BACKDATED_MS;
  const dates = { notBeforeUnixMs, notAfterUnixMs: nowUnixMs + 30 * MINUTE_MS };
  const past = { notBeforeUnixMs: nowUnixMs - 90 * MINUTE_MS, notAfterUnixMs: nowUnixMs - 30 * MINUTE_MS };
  const year = { notBeforeUnixMs, notAfterUnixMs: nowUnixMs + YEAR_MS };
  const uri = `spiffe://${TRUST_DOMAIN}`;
  const authority = await createAuthority({ uri, ...dates, notBeforeUnixMs: past.notBeforeUnixMs });
  const stranger = await createAuthority({ uri, ...dates });
  const [service, web, invoices, deploy, crawler, impostor, expired, yearLong] = await Promise.all([
    authority.issue({ uris: [SERVICE_ID], ...dates }),
    authority.issue({ uris: [CALLERS.web.id], ...dates }),
    authority.issue({ uris: [CALLERS.invoices.id], ...dates }),
    authority.issue({ uris: [CALLERS.deploy.id], ...dates }),
    authority.issue({ uris: [CALLERS.crawler.id], ...dates }),
    stranger.issue({ uris: [CALLERS.web.id], ...dates }),
    authority.issue({ uris: [CALLERS.web.id], ...past }),
    authority.issue({ uris: [CALLERS.web.id], ...year }),
  ]);
  const issuer = createTokenIssuer();
  const token = (audience: string): string => issuer.issue(CALLERS.web.id, audience, nowUnixMs, TOKEN_MS);
  return {
    bundlePem: authority.certificatePem,
    bundleDocument: toBundleDocument(authority.certificatePem, issuer),
    service,
    callers: { web, invoices, deploy, crawler, impostor, expired, yearLong, nobody: undefined },
    tokens: { forUs: token(AUDIENCE), forOthers: token(SERVICE_ID) },
  };
}

/** SPEC: SPIFFE Trust Domain and Bundle §4: a JWK Set with a `use` for each key. */
function toBundleDocument(authorityPem: string, { publicJwk }: TokenIssuer): string {
  const authority = new X509Certificate(authorityPem);
  const keys = [
    {
      ...authority.publicKey.export({ format: "jwk" }),
      use: "x509-svid",
      x5c: [authority.raw.toString("base64")],
    },
    { ...publicJwk, use: "jwt-svid" },
  ];
  return `${JSON.stringify({ spiffe_sequence: 1, keys }, undefined, 2)}\n`;
}
