// What a resolution comes to when nothing was proven: a refusal with its code, Envoy's word, or nobody. And what it needs besides
// credentials: attributes, and whether a trust domain is another than svidgate's own.

import type { Asked } from "./asked.ts";
import type { IdentityCode } from "./codes.ts";
import { certificateFacts, certificateSubject, tokenFacts, tokenSubject } from "./credential-facts.ts";
import { isReserved } from "./credential-rules.ts";
import type { DenyList } from "./deny-list.ts";
import type { Identity } from "./identity.ts";
import { toPromotedJson, toUnprovenJson } from "./identity-text.ts";
import type { JwtSvid } from "./jwt-svid.ts";
import type { VerifiedCertificate } from "./known-certificates.ts";
import type { RequestCredentials, Resolution, ResolverParts } from "./resolver-parts.ts";
import { isWorkloadId, parseSpiffeId, type SpiffeId } from "./spiffe-id.ts";

/** What was verified of a request before it was refused. */
export interface VerifiedCredentials {
  readonly peer?: VerifiedCertificate | undefined;
  readonly token?: JwtSvid | undefined;
}

/** What the deny list says of a request's credentials. */
export interface Revocation {
  readonly source: "certificate" | "principal" | "token";
  readonly reason: string;
}

/** The ways out of a resolution that prove nothing, and what all ways share. */
export interface Unproven {
  /** `verified`: the credentials whose signatures hold, refused or not; the event tells of the one that `source` names. */
  refuse(
    asked: Asked,
    source: Identity["source"],
    code: IdentityCode,
    detail?: string,
    verified?: VerifiedCredentials,
  ): Resolution;
  /**
   * Which credential is revoked and why, if one is: the other end of the connection, by its certificate or by another name that
   * Envoy has for it, then the token.
   */
  revocationOf(asked: Asked, verified: VerifiedCredentials): Revocation | undefined;
  /** A caller that presented nothing: Envoy's word, or nobody. */
  unproven(asked: Asked): Resolution;
  /** Undefined when svidgate's own trust domain is not known. */
  isFederated(id: SpiffeId): boolean | undefined;
  /** JSON text of the attributes; undefined for none. */
  attributesOf(
    request: RequestCredentials,
    spiffeId: SpiffeId,
    verifiedBy: "pdp" | "envoy",
    token: JwtSvid | undefined,
  ): string | undefined;
}

/** Codes that refuse whatever `on_invalid` says: a revoked credential, and one that could not be looked at. */
const ALWAYS_REFUSED: ReadonlySet<IdentityCode> = new Set(["revoked", "overloaded"]);

/** Builds them by these parts. */
export function createUnproven(parts: ResolverParts): Unproven {
  const refuse = (
    asked: Asked,
    source: Identity["source"],
    code: IdentityCode,
    detail?: string,
    verified: VerifiedCredentials = {},
  ): Resolution => {
    const { sourcePrincipal } = asked;
    const { peer, token } = verified;
    if (parts.onInvalid === "policy" && !ALWAYS_REFUSED.has(code)) {
      // SECURITY: or whoever is revoked would reach the policy by adding a credential that is invalid in another way.
      const revoked = revocationOf(asked, verified);
      if (revoked !== undefined) return refuse(asked, revoked.source, "revoked", revoked.reason, verified);
    }
    const identity: Identity = {
      json: toUnprovenJson(code, sourcePrincipal),
      verifiedBy: "none",
      source,
      error: code,
      ...(sourcePrincipal !== "" && { claimed: sourcePrincipal }),
      ...(source === "certificate" &&
        peer !== undefined && { refusedSpiffeId: peer.spiffeId.id, credential: certificateFacts(peer) }),
      ...(source === "token" &&
        token !== undefined && { refusedSpiffeId: token.spiffeId.id, credential: tokenFacts(token) }),
    };
    if (parts.onInvalid === "policy" && !ALWAYS_REFUSED.has(code)) return { identity };
    return { identity, refusal: { code, detail: detail ?? code } };
  };

  const revocationOf = (asked: Asked, { peer, token }: VerifiedCredentials): Revocation | undefined => {
    const list = parts.denyList();
    if (list === undefined) return undefined;
    const ofPeer = revocationOfPeer(list, asked, peer);
    if (ofPeer !== undefined) return { source: peer === undefined ? "principal" : "certificate", reason: ofPeer };
    const ofToken = token && list.find(tokenSubject(token), asked.nowUnixMs)?.reason;
    return ofToken === undefined ? undefined : { source: "token", reason: ofToken };
  };

  const revocationOfPeer = (
    list: DenyList,
    { sourcePrincipal, nowUnixMs }: Asked,
    peer: VerifiedCertificate | undefined,
  ): string | undefined => {
    if (peer !== undefined) {
      const reason = list.find(certificateSubject(peer), nowUnixMs)?.reason;
      if (reason !== undefined || sourcePrincipal === peer.spiffeId.id) return reason;
    }
    const id = workloadOf(sourcePrincipal);
    // A name does not tell when its certificate was issued, which counts as before anything.
    return id && list.find({ spiffeId: id, issuedUnixMs: Number.NEGATIVE_INFINITY }, nowUnixMs)?.reason;
  };

  const unproven = (asked: Asked): Resolution => {
    const { sourcePrincipal } = asked;
    const revoked = revocationOf(asked, {});
    if (revoked !== undefined) return refuse(asked, revoked.source, "revoked", revoked.reason);
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

  return { refuse, revocationOf, unproven, isFederated, attributesOf };
}

/** The ID in Envoy's word for the peer, if it is a workload's. */
function workloadOf(sourcePrincipal: string): SpiffeId | undefined {
  const id = sourcePrincipal === "" ? undefined : parseSpiffeId(sourcePrincipal);
  return id?.ok && isWorkloadId(id.value) ? id.value : undefined;
}
