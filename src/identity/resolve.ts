// Which credential of a request speaks, and for whom: the certificate of the connection, the token of the request, Envoy's word.
// The order: certificate, token, agreement of the two, deny list. One function, one result; nothing that fails falls through
// to something weaker. SECURITY: only what was verified here is authenticated; docs/identity.md says what is trusted from whom.

import { type Asked, ask, type Peer } from "./asked.ts";
import type { IdentityCode } from "./codes.ts";
import { certificateFacts, tokenFacts } from "./credential-facts.ts";
import { checkCredential, DEFAULT_RULES, type TrustDomainRules } from "./credential-rules.ts";
import { type BundleView, type ProvenCaller, toProvenJson } from "./identity-text.ts";
import type { JwtSvid } from "./jwt-svid.ts";
import type { VerifiedCertificate } from "./known-certificates.ts";
import type { KnownTokens, TokenOutcome } from "./known-tokens.ts";
import { findRequestToken, findTokenHeaders, type RequestToken } from "./request-token.ts";
import { createPeerVerifier } from "./resolve-peer.ts";
import { createUnproven } from "./resolve-unproven.ts";
import type { Resolution, Resolve, ResolverParts } from "./resolver-parts.ts";
import type { SpiffeId } from "./spiffe-id.ts";

/** Builds the function that resolves by these parts. */
export function createResolver(parts: ResolverParts): Resolve {
  const { trust } = parts;
  const { refuse, revocationOf, unproven, isFederated, attributesOf } = createUnproven(parts);
  if (trust === undefined) return (request, nowUnixMs) => unproven(ask(request, nowUnixMs));
  const { bundles, tokens, gateways } = trust;
  const verifyPeer = createPeerVerifier(trust);

  const viewOf = (trustDomain: string, nowUnixMs: number): BundleView | undefined => {
    const held = bundles.find(trustDomain);
    if (held === undefined) return undefined;
    const state = bundles.state(trustDomain, nowUnixMs);
    return { held, state, ageSeconds: bundles.ageSeconds(trustDomain, nowUnixMs) };
  };

  const rulesOf = ({ trustDomain }: SpiffeId): TrustDomainRules => trust.rulesOf(trustDomain) ?? DEFAULT_RULES;

  /** Everything is verified: do the credentials agree, is none of them revoked, and who speaks? */
  const conclude = (asked: Asked, peer: VerifiedCertificate | undefined, token: JwtSvid | undefined): Resolution => {
    const { sourcePrincipal, nowUnixMs } = asked;
    const verified = { peer, token };
    if (token !== undefined) {
      const { spiffeId, expiresUnixMs } = token;
      const checked = checkCredential({
        id: spiffeId,
        dates: { notBeforeUnixMs: undefined, notAfterUnixMs: expiresUnixMs },
        rules: rulesOf(spiffeId),
        bundleState: bundles.state(spiffeId.trustDomain, nowUnixMs),
        nowUnixMs,
      });
      if (!checked.ok) return refuse(asked, "token", checked.code, checked.detail, verified);
    }
    const forwards = token !== undefined && peer !== undefined && peer.spiffeId.id !== token.spiffeId.id;
    const disagreement = token === undefined ? undefined : disagreementOf(asked, peer, token, forwards);
    if (disagreement !== undefined) return refuse(asked, "token", ...disagreement, verified);
    const speaker = speakerOf(peer, token, forwards);
    if (speaker === undefined) return unproven(asked);
    const revoked = revocationOf(asked, verified);
    if (revoked !== undefined) return refuse(asked, revoked.source, "revoked", revoked.reason, verified);

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
          ...(peer === undefined ? [] : [peer.chainNotAfterUnixMs - rulesOf(peer.spiffeId).minRemainingMs]),
          ...(token === undefined ? [] : [token.expiresUnixMs - rulesOf(token.spiffeId).minRemainingMs]),
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

  const resolveFound = (
    asked: Asked,
    known: KnownTokens,
    found: Exclude<RequestToken, { readonly kind: "none" }>,
  ): Resolution | Promise<Resolution> => {
    const { nowUnixMs } = asked;
    const peer = verifyPeer(asked);
    if (!peer.ok) return refusePeer(asked, peer);
    const { certificate } = peer;
    if (found.kind === "invalid") return refuse(asked, "token", `jwt_${found.code}`, undefined, { peer: certificate });
    const finish = (outcome: TokenOutcome, peer: VerifiedCertificate | undefined): Resolution => {
      if (outcome.ok) return conclude(asked, peer, outcome.value);
      const { code, detail } = outcome;
      return refuse(asked, "token", code === "overloaded" ? code : `jwt_${code}`, detail, { peer });
    };
    const verified = known.verify(found.token, nowUnixMs);
    if (!(verified instanceof Promise)) return finish(verified, certificate);
    // SECURITY: what was in force when the signature check began may be so no longer; each bundle is asked for again.
    const finishLater = (outcome: TokenOutcome): Resolution | Promise<Resolution> => {
      const peerNow = verifyPeer(asked);
      if (!peerNow.ok) return refusePeer(asked, peerNow, outcome.ok ? outcome.value : undefined);
      if (!outcome.ok || isInForce(outcome.value)) return finish(outcome, peerNow.certificate);
      const again = known.verify(found.token, nowUnixMs);
      return again instanceof Promise ? again.then(finishLater) : finish(again, peerNow.certificate);
    };
    return verified.then(finishLater);
  };

  const refusePeer = (
    asked: Asked,
    { code, detail, certificate }: Extract<Peer, { readonly ok: false }>,
    token?: JwtSvid,
  ): Resolution => refuse(asked, "certificate", code, detail, { peer: certificate, token });

  return (request, nowUnixMs) => {
    const asked = ask(request, nowUnixMs);
    const found = tokens === undefined ? undefined : findRequestToken(request, tokens.places);
    if (tokens === undefined || found === undefined || found.kind === "none") {
      const peer = verifyPeer(asked);
      return peer.ok ? conclude(asked, peer.certificate, undefined) : refusePeer(asked, peer);
    }
    const resolved = resolveFound(asked, tokens.known, found);
    if (!tokens.strip) return resolved;
    // SECURITY: a request can pass although its token was not accepted: `on_invalid: policy`, a dry run.
    const headersToRemove = findTokenHeaders(request, tokens.places, found);
    const strip = (resolution: Resolution): Resolution => ({ ...resolution, headersToRemove });
    return resolved instanceof Promise ? resolved.then(strip) : strip(resolved);
  };
}

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
