// The first step of a resolution: the certificate of the connection, verified, in agreement with what else names the peer, and within
// the rules of its trust domain.

import type { Asked, Peer } from "./asked.ts";
import { checkCredential, DEFAULT_RULES } from "./credential-rules.ts";
import type { Trust } from "./resolver-parts.ts";

const NO_PEER: Peer = { ok: true, certificate: undefined };

/** Builds the function that verifies the peer of a request. */
export function createPeerVerifier({ bundles, certificates, xfcc, rulesOf }: Trust): (asked: Asked) => Peer {
  return ({ request, sourcePrincipal, nowUnixMs }) => {
    const { sourceCertificate } = request;
    if (sourceCertificate === "") return NO_PEER;
    const header = xfcc === undefined ? undefined : request.header("x-forwarded-client-cert");
    const forwarded =
      header === undefined ? undefined : xfcc?.read(header, sourceCertificate, request.destinationPrincipal);
    if (forwarded?.ok === false) return forwarded;
    const verified = certificates.verify(sourceCertificate, forwarded?.chain, nowUnixMs);
    if (!verified.ok) {
      const { code, detail } = verified;
      return { ok: false, code: `x509_${code}`, ...(detail !== undefined && { detail }) };
    }
    const certificate = verified.value;
    const { id } = certificate.spiffeId;
    if (sourcePrincipal !== "" && sourcePrincipal !== id) {
      return {
        ok: false,
        code: "x509_principal_mismatch",
        detail: "certificate and source.principal name two callers",
        certificate,
      };
    }
    if (forwarded?.uris.some((uri) => uri !== id)) {
      return {
        ok: false,
        code: "xfcc_mismatch",
        detail: "certificate and x-forwarded-client-cert name two callers",
        certificate,
      };
    }
    const { trustDomain } = certificate.spiffeId;
    const checked = checkCredential({
      id: certificate.spiffeId,
      dates: certificate,
      rules: rulesOf(trustDomain) ?? DEFAULT_RULES,
      bundleState: bundles.state(trustDomain, nowUnixMs),
      nowUnixMs,
    });
    return checked.ok ? { ok: true, certificate } : { ...checked, certificate };
  };
}
