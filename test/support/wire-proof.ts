// What svidgate's verifiers make of a CheckRequest that a real Envoy sent: the certificate and x-forwarded-client-cert as they came
// over the wire, against the bundle of the callers' trust domain.

import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { decodeEnvoyCertificate } from "../../src/identity/certificate.ts";
import { parseTrustBundle } from "../../src/identity/trust-bundle.ts";
import type { TrustBundleSource } from "../../src/identity/trust-bundles.ts";
import { verifyX509Svid } from "../../src/identity/x509-svid.ts";
import { parseXfcc, selectXfcc, type XfccElement } from "../../src/identity/xfcc.ts";
import { xfccChainDers } from "../../src/identity/xfcc-chain.ts";
import type { Asked } from "./envoy-modes.ts";
import { TRUST_DOMAIN } from "./wire-callers.ts";

/** The bundles of the callers' trust domain, and of no other. */
export function toBundleSource(pem: string): TrustBundleSource {
  const parsed = parseTrustBundle(pem, { trustDomain: TRUST_DOMAIN });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  const held = { bundle: parsed.value, generation: 1, source: "file", lastSuccessUnixMs: Date.now() } as const;
  return { find: (trustDomain) => (trustDomain === TRUST_DOMAIN ? held : undefined) };
}

/** The element of x-forwarded-client-cert that is bound to the certificate of the same check; undefined when none is. */
export function boundElement({ check, xfcc }: Asked): XfccElement | undefined {
  const parsed = parseXfcc(xfcc ?? "");
  const certificate = check.attributes?.source?.certificate;
  if (!parsed.ok || certificate === undefined) return undefined;
  return selectXfcc(parsed.value, {
    fingerprintSha256: fingerprintOf(decodeURIComponent(certificate)),
    destinationPrincipal: check.attributes?.destination?.principal ?? "",
  });
}

/** The SPIFFE ID that the check proves, or the code of why it proves none; `none` without a certificate. */
export function proven(asked: Asked, bundles: TrustBundleSource): string {
  const certificate = asked.check.attributes?.source?.certificate;
  if (certificate === undefined) return "none";
  const der = decodeEnvoyCertificate(certificate);
  if (!der.ok) return der.code;
  const element = boundElement(asked);
  const intermediates = element === undefined ? undefined : xfccChainDers(element);
  const svid = verifyX509Svid(der.value, { bundles, nowUnixMs: Date.now(), ...(intermediates && { intermediates }) });
  return svid.ok ? svid.value.spiffeId.id : svid.code;
}

/** SHA-256 of the first certificate's DER, as Envoy writes it. */
export const fingerprintOf = (pem: string): string =>
  createHash("sha256").update(new X509Certificate(pem).raw).digest("hex");
