// Who calls in the demo: a throwaway trust domain, the service that is called, and callers good and bad.
// Keys live in memory and, for Envoy, in the demo's private folder; certificates end within the hour.

import { createAuthority, type IssuedCertificate } from "../../base/x509.ts";

export const TRUST_DOMAIN = "example.org";

/** The called service; Envoy stands before it with this identity. */
export const SERVICE_ID = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/orders`;

/** Every caller. `id` is what svidgate is told after the handshake; without one the handshake has to fail. */
export const CALLERS = {
  web: { label: "shop/web", id: `spiffe://${TRUST_DOMAIN}/ns/shop/sa/web` },
  invoices: { label: "billing/invoices", id: `spiffe://${TRUST_DOMAIN}/ns/billing/sa/invoices` },
  deploy: { label: "operations/deploy", id: `spiffe://${TRUST_DOMAIN}/ns/operations/sa/deploy` },
  crawler: { label: "guest/crawler", id: `spiffe://${TRUST_DOMAIN}/ns/guest/sa/crawler` },
  impostor: { label: "shop/web, forged", id: undefined },
  expired: { label: "shop/web, expired", id: undefined },
  nobody: { label: "no certificate", id: undefined },
} as const satisfies Readonly<Record<string, { readonly label: string; readonly id: string | undefined }>>;

/** The name of a caller. */
export type CallerName = keyof typeof CALLERS;

/** The certificates of one run. */
export interface DemoCertificates {
  /** The trust bundle, PEM. */
  readonly bundlePem: string;
  readonly service: IssuedCertificate;
  /** Undefined for the caller that has none. */
  readonly callers: Readonly<Record<CallerName, IssuedCertificate | undefined>>;
}

const MINUTE_MS = 60_000;
// Authorities write dates a little into the past, for clocks that go slow.
const BACKDATED_MS = 10_000;

/** Makes the authority, a second one that nobody trusts, and all certificates. */
export async function createCertificates(nowUnixMs: number): Promise<DemoCertificates> {
  const dates = { notBeforeUnixMs: nowUnixMs - BACKDATED_MS, notAfterUnixMs: nowUnixMs + 30 * MINUTE_MS };
  const past = { notBeforeUnixMs: nowUnixMs - 90 * MINUTE_MS, notAfterUnixMs: nowUnixMs - 30 * MINUTE_MS };
  const uri = `spiffe://${TRUST_DOMAIN}`;
  const authority = await createAuthority({ uri, ...dates, notBeforeUnixMs: past.notBeforeUnixMs });
  const stranger = await createAuthority({ uri, ...dates });
  const [service, web, invoices, deploy, crawler, impostor, expired] = await Promise.all([
    authority.issue({ uris: [SERVICE_ID], ...dates }),
    authority.issue({ uris: [CALLERS.web.id], ...dates }),
    authority.issue({ uris: [CALLERS.invoices.id], ...dates }),
    authority.issue({ uris: [CALLERS.deploy.id], ...dates }),
    authority.issue({ uris: [CALLERS.crawler.id], ...dates }),
    stranger.issue({ uris: [CALLERS.web.id], ...dates }),
    authority.issue({ uris: [CALLERS.web.id], ...past }),
  ]);
  return {
    bundlePem: authority.certificatePem,
    service,
    callers: { web, invoices, deploy, crawler, impostor, expired, nobody: undefined },
  };
}
