// What one request's credentials come to: who calls, who says so, and until when. The text of `input.identity` is made in
// identity-text.ts; which credential speaks is decided in resolve.ts.

import type { IdentityCode } from "./codes.ts";

/** Who verified the caller: svidgate itself, Envoy (taken at its word, as configured), or nobody. */
export type VerifiedBy = "pdp" | "envoy" | "none";

/** What says who calls. */
export type CredentialSource = "certificate" | "principal" | "token" | "none";

/** The outcome of a resolution. */
export interface Identity {
  /** `input.identity`, JSON text. */
  readonly json: string;
  readonly verifiedBy: VerifiedBy;
  /** The credential that speaks; for an invalid one, the one that is invalid. */
  readonly source: CredentialSource;
  /** The verified SPIFFE ID; never set unless `verifiedBy` is `pdp` or `envoy`. */
  readonly spiffeId?: string;
  /** The ID of a credential whose signatures hold and that was refused all the same: revoked, long-lived, in conflict. For the record. */
  readonly refusedSpiffeId?: string;
  /** Why there is no verified ID although a credential was presented. */
  readonly error?: IdentityCode;
  /** `attributes.source.principal`, verbatim and unverified; absent when Envoy said nothing. */
  readonly claimed?: string;
  /**
   * When the credentials do not prove it any more: the earliest end of the path and of the token, less `min_remaining`; absent when
   * svidgate itself proved nothing. A bundle that is withdrawn or becomes stale and the deny list can end it sooner.
   */
  readonly notAfterUnixMs?: number;
  /** The facts of the credential that speaks, or that was refused, which the audit event keeps. */
  readonly credential?: CredentialFacts;
  /** The verified peer of the connection, when another credential speaks. */
  readonly peerSpiffeId?: string;
}

/** What an audit event says of a verified credential: enough to find it again, nothing that could be presented. */
export interface CredentialFacts {
  readonly type: "x509-svid" | "jwt-svid";
  readonly notAfterUnixMs?: number | undefined;
  readonly lifetimeSeconds?: number | undefined;
  readonly fingerprintSha256?: string | undefined;
  readonly serial?: string | undefined;
  readonly issuer?: string | undefined;
  /** `jti`. */
  readonly tokenId?: string | undefined;
  readonly keyId?: string | undefined;
  readonly bundleGeneration?: number | undefined;
}
