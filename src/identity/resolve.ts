// Which credential of a request speaks, and for whom: the certificate of the connection, the token of the request, Envoy's word.
// The order: certificate, token, agreement of the two, deny list. One function, one result; nothing that fails falls through
// to something weaker. SECURITY: only what was verified here is authenticated; docs/identity.md says what is trusted from whom.

import type { IdentityCode } from "./codes.ts";
import { certificateFacts, certificateSubject, tokenFacts, tokenSubject } from "./credential-facts.ts";
import { checkCredential, DEFAULT_RULES, isReserved, type TrustDomainRules } from "./credential-rules.ts";
import type { Identity } from "./identity.ts";
import {
  type BundleView,
  issuedAt,
  type ProvenCaller,
  toPromotedJson,
  toProvenJson,
  toUnprovenJson,
} from "./identity-text.ts";
import type { JwtSvid } from "./jwt-svid.ts";
import type { VerifiedCertificate } from "./known-certificates.ts";
import type { TokenOutcome } from "./known-tokens.ts";
import { findRequestToken, findTokenHeaders } from "./request-token.ts";
import type { RequestCredentials, Resolution, Resolve, ResolverParts } from "./resolver-parts.ts";
import { isWorkloadId, parseSpiffeId, type SpiffeId } from "./spiffe-id.ts";

/** Codes that refuse whatever `on_invalid` says: a revoked credential, and one that could not be looked at. */
const ALWAYS_REFUSED: ReadonlySet<IdentityCode> = new Set(["revoked", "overloaded"]);

/** Builds the function that resolves by these parts. */
export function createResolver(parts: ResolverParts): Resolve {
  const { trust } = parts;

  /** `peer` is the verified certificate of the connection, where what is refused came along with one. */
  const refuse = (
    asked: Asked,
    source: Identity["source"],
    code: IdentityCode,
    detail?: string,
    peer?: VerifiedCertificate,
  ): Resolution => {
    const { sourcePrincipal } = asked;
    if (parts.onInvalid === "policy" && !ALWAYS_REFUSED.has(code)) {
      // SECURITY: or whoever is revoked would reach the policy by adding a credential that is invalid in another way.
      const revoked = revocationOfPeer(asked, peer);
      if (revoked !== undefined)
        return refuse(asked, peer === undefined ? "principal" : "certificate", "revoked", revoked);
    }
    const identity: Identity = {
      json: toUnprovenJson(code, sourcePrincipal),
      verifiedBy: "none",
      source,
      error: code,
      ...(sourcePrincipal !== "" && { claimed: sourcePrincipal }),
    };
    if (parts.onInvalid === "policy" && !ALWAYS_REFUSED.has(code)) return { identity };
    return { identity, refusal: { code, detail: detail ?? code } };
  };

  /** Why the other end of the connection is revoked, if it is: by its certificate, or else by the name that Envoy has for it. */
  const revocationOfPeer = (
    { sourcePrincipal, nowUnixMs }: Asked,
    peer: VerifiedCertificate | undefined,
  ): string | undefined => {
    const list = parts.denyList();
    if (list === undefined) return undefined;
    if (peer !== undefined) return list.find(certificateSubject(peer), nowUnixMs)?.reason;
    const id = workloadOf(sourcePrincipal);
    // A name does not tell when its certificate was issued, which counts as before anything.
    return id && list.find({ spiffeId: id, issuedUnixMs: Number.NEGATIVE_INFINITY }, nowUnixMs)?.reason;
  };

  /** A caller of whom nothing was proven: Envoy's word, or nobody. */
  const unproven = (asked: Asked): Resolution => {
    const { sourcePrincipal } = asked;
    const revoked = revocationOfPeer(asked, undefined);
    if (revoked !== undefined) return refuse(asked, "principal", "revoked", revoked);
    const id = parts.trustEnvoyPrincipal ? workloadOf(sourcePrincipal) : undefined;
    if (id !== undefined) {
      return isReserved(id) ? refuse(asked, "principal", "spiffe_id_reserved") : promoted(asked.request, id);
    }
    return {
      identity: {
        json: toUnprovenJson(undefined, sourcePrincipal),
        verifiedBy: "none",
        source: sourcePrincipal === "" ? "none" : "principal",
        ...(sourcePrincipal !== "" && { claimed: sourcePrincipal }),
      },
    };
  };

  const promoted = (request: RequestCredentials, id: SpiffeId): Resolution => ({
    identity: {
      json: toPromotedJson(id, isFederated(id), attributesOf(request, id, "envoy", undefined)),
      verifiedBy: "envoy",
      source: "principal",
      spiffeId: id.id,
      claimed: id.id,
    },
  });

  const isFederated = (id: SpiffeId): boolean | undefined => {
    const own = parts.ownTrustDomain();
    return own === undefined ? undefined : id.trustDomain !== own;
  };

  const attributesOf = (
    request: RequestCredentials,
    spiffeId: SpiffeId,
    verifiedBy: "pdp" | "envoy",
    token: JwtSvid | undefined,
  ): string | undefined =>
    parts.attributes?.json({
      spiffeId,
      verifiedBy,
      claims: token?.claims,
      filterMetadata: (namespace, key) => request.filterMetadata(namespace, key),
    });

  if (trust === undefined) return (request, nowUnixMs) => unproven(ask(request, nowUnixMs));
  const { bundles, certificates, tokens, xfcc, gateways } = trust;

  const viewOf = (trustDomain: string, nowUnixMs: number): BundleView | undefined => {
    const held = bundles.find(trustDomain);
    if (held === undefined) return undefined;
    const state = bundles.state(trustDomain, nowUnixMs);
    return { held, state, ageSeconds: bundles.ageSeconds(trustDomain, nowUnixMs) };
  };

  const rulesOf = (id: SpiffeId): TrustDomainRules => trust.rulesOf(id.trustDomain) ?? DEFAULT_RULES;

  /** The certificate of the connection, verified, or why it is refused. */
  const verifyPeer = ({ request, sourcePrincipal, nowUnixMs }: Asked): Peer => {
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
      };
    }
    if (forwarded?.uris.some((uri) => uri !== id)) {
      return { ok: false, code: "xfcc_mismatch", detail: "certificate and x-forwarded-client-cert name two callers" };
    }
    const { spiffeId } = certificate;
    const state = bundles.state(spiffeId.trustDomain, nowUnixMs);
    const checked = checkCredential(spiffeId, certificate, rulesOf(spiffeId), state, nowUnixMs, true);
    return checked.ok ? { ok: true, certificate } : checked;
  };

  /** Everything is verified: do the credentials agree, is none of them revoked, and who speaks? */
  const conclude = (asked: Asked, peer: VerifiedCertificate | undefined, token: JwtSvid | undefined): Resolution => {
    const { sourcePrincipal, nowUnixMs } = asked;
    if (token !== undefined) {
      const { spiffeId, expiresUnixMs } = token;
      const state = bundles.state(spiffeId.trustDomain, nowUnixMs);
      const dates = { notBeforeUnixMs: issuedAt(token), notAfterUnixMs: expiresUnixMs };
      const checked = checkCredential(spiffeId, dates, rulesOf(spiffeId), state, nowUnixMs, false);
      if (!checked.ok) return refuse(asked, "token", checked.code, checked.detail, peer);
    }
    const forwards = token !== undefined && peer !== undefined && peer.spiffeId.id !== token.spiffeId.id;
    const disagreement = token === undefined ? undefined : disagreementOf(asked, peer, token, forwards);
    if (disagreement !== undefined) return refuse(asked, "token", ...disagreement, peer);
    const speaker = speakerOf(peer, token, forwards);
    if (speaker === undefined) return unproven(asked);
    const revoked =
      revocationOfPeer(asked, peer) ??
      (token === undefined ? undefined : parts.denyList()?.find(tokenSubject(token), nowUnixMs)?.reason);
    if (revoked !== undefined) return refuse(asked, peer === undefined ? "token" : "certificate", "revoked", revoked);

    const id = speaker.kind === "certificate" ? speaker.certificate.spiffeId : speaker.token.spiffeId;
    const view = viewOf(id.trustDomain, nowUnixMs);
    const caller: ProvenCaller = {
      speaker,
      peer: forwards ? peer : undefined,
      token,
      bundle: view,
      federated: isFederated(id),
      attributesJson: attributesOf(asked.request, id, "pdp", token),
      unverifiedPrincipal: peer === undefined ? sourcePrincipal : undefined,
    };
    return {
      identity: {
        json: toProvenJson(caller, nowUnixMs),
        verifiedBy: "pdp",
        source: speaker.kind,
        spiffeId: id.id,
        ...(sourcePrincipal !== "" && { claimed: sourcePrincipal }),
        notAfterUnixMs: Math.min(
          peer?.chainNotAfterUnixMs ?? Number.POSITIVE_INFINITY,
          token?.expiresUnixMs ?? Number.POSITIVE_INFINITY,
        ),
        credential: speaker.kind === "certificate" ? certificateFacts(speaker.certificate) : tokenFacts(speaker.token),
        ...(forwards && { peerSpiffeId: peer.spiffeId.id }),
      },
    };
  };

  const isInForce = ({ spiffeId, bundleGeneration }: JwtSvid): boolean =>
    bundles.find(spiffeId.trustDomain)?.generation === bundleGeneration;

  const disagreementOf = (
    { sourcePrincipal }: Asked,
    peer: VerifiedCertificate | undefined,
    token: JwtSvid,
    forwards: boolean,
  ): readonly [IdentityCode, string] | undefined => {
    if (forwards) {
      if (gateways.has(peer?.spiffeId.id ?? "")) return undefined;
      return ["identity_conflict", "certificate and token name two workloads, and the peer is no listed gateway"];
    }
    if (peer !== undefined) return undefined;
    if (tokens?.bindToPeer) return ["jwt_unbound", "the token came over a connection whose peer proved nothing"];
    // Envoy's word about a peer whose certificate it did not send: no proof, but a reason for doubt.
    const other = sourcePrincipal.startsWith("spiffe://") && sourcePrincipal !== token.spiffeId.id;
    if (other && !gateways.has(sourcePrincipal)) {
      return ["identity_conflict", "source.principal and token name two workloads, and the peer is no listed gateway"];
    }
    return undefined;
  };

  return (request, nowUnixMs) => {
    const asked = ask(request, nowUnixMs);
    const peer = verifyPeer(asked);
    if (!peer.ok) return refuse(asked, "certificate", peer.code, peer.detail);
    const { certificate } = peer;
    if (tokens === undefined) return conclude(asked, certificate, undefined);
    const found = findRequestToken(request, tokens.places);
    if (found.kind === "none") return conclude(asked, certificate, undefined);
    if (found.kind === "invalid") return refuse(asked, "token", `jwt_${found.code}`, undefined, certificate);
    const finish = (outcome: TokenOutcome, peer = certificate): Resolution => {
      if (!outcome.ok) {
        const { code, detail } = outcome;
        return refuse(asked, "token", code === "overloaded" ? code : `jwt_${code}`, detail, peer);
      }
      const resolution = conclude(asked, peer, outcome.value);
      return tokens.strip ? { ...resolution, headersToRemove: findTokenHeaders(request, found) } : resolution;
    };
    const verified = tokens.known.verify(found.token, nowUnixMs);
    if (!(verified instanceof Promise)) return finish(verified);
    // SECURITY: what was in force when the signature check began may be so no longer; each bundle is asked for again.
    const finishLater = (outcome: TokenOutcome): Resolution | Promise<Resolution> => {
      const peerNow = verifyPeer(asked);
      if (!peerNow.ok) return refuse(asked, "certificate", peerNow.code, peerNow.detail);
      if (!outcome.ok || isInForce(outcome.value)) return finish(outcome, peerNow.certificate);
      const again = tokens.known.verify(found.token, nowUnixMs);
      return again instanceof Promise ? again.then(finishLater) : finish(again, peerNow.certificate);
    };
    return verified.then(finishLater);
  };
}

/** The ID in Envoy's word for the peer, if it is a workload's. */
function workloadOf(sourcePrincipal: string): SpiffeId | undefined {
  const id = sourcePrincipal === "" ? undefined : parseSpiffeId(sourcePrincipal);
  return id?.ok && isWorkloadId(id.value) ? id.value : undefined;
}

/** One question. PERF: a request reads its bytes again for each look at a field, 0.2 µs for this one. */
interface Asked {
  readonly request: RequestCredentials;
  readonly sourcePrincipal: string;
  readonly nowUnixMs: number;
}

const ask = (request: RequestCredentials, nowUnixMs: number): Asked => ({
  request,
  sourcePrincipal: request.sourcePrincipal,
  nowUnixMs,
});

type Peer =
  | { readonly ok: true; readonly certificate: VerifiedCertificate | undefined }
  | { readonly ok: false; readonly code: IdentityCode; readonly detail?: string };

const NO_PEER: Peer = { ok: true, certificate: undefined };

type Speaker = ProvenCaller["speaker"];

/** A gateway passes on another's token; else the certificate speaks, since a token can be replayed and a connection cannot. */
function speakerOf(
  peer: VerifiedCertificate | undefined,
  token: JwtSvid | undefined,
  forwards: boolean,
): Speaker | undefined {
  if (token !== undefined && (peer === undefined || forwards)) return { kind: "token", token, forwarded: forwards };
  return peer === undefined ? undefined : { kind: "certificate", certificate: peer };
}
