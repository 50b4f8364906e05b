// What a resolution is made of and what it gives: the credentials of a request, what they are held against, the outcome.

import type { AttributeSource } from "./attributes.ts";
import type { IdentityCode } from "./codes.ts";
import type { TrustDomainRules } from "./credential-rules.ts";
import type { DenyList } from "./deny-list.ts";
import type { Identity } from "./identity.ts";
import type { KnownCertificates } from "./known-certificates.ts";
import type { KnownTokens } from "./known-tokens.ts";
import type { RequestTokenOptions } from "./request-token.ts";
import type { TrustBundles } from "./trust-bundles.ts";

/** What a request says about its caller; the CheckRequest view has this shape. */
export interface RequestCredentials {
  /** Envoy's `source.certificate`: URL-encoded PEM of the leaf; `""` for none. */
  readonly sourceCertificate: string;
  /** Envoy's `source.principal`; `""` for none. */
  readonly sourcePrincipal: string;
  /** Envoy's `destination.principal`; `""` for none. */
  readonly destinationPrincipal: string;
  /** A header by its lower-case name, several lines joined with `,`. */
  header(name: string): string | undefined;
  /** A value of Envoy's dynamic metadata; null for one that is no scalar. */
  filterMetadata(namespace: string, key: string): string | number | boolean | null | undefined;
}

/** What credentials are held against. Everything in it may change between two checks. */
export interface ResolverParts {
  /** Undefined when no trust bundle is configured: then nothing is verified, and identity refuses nobody by itself. */
  readonly trust: Trust | undefined;
  readonly trustEnvoyPrincipal: boolean;
  readonly onInvalid: "deny" | "policy";
  readonly attributes: AttributeSource | undefined;
  /** The list in force; undefined when none is configured. */
  denyList(): DenyList | undefined;
  /** svidgate's own trust domain, as far as it is known. */
  ownTrustDomain(): string | undefined;
}

/** What is needed to verify. */
export interface Trust {
  readonly bundles: TrustBundles;
  readonly certificates: KnownCertificates;
  /** Undefined when no audience is configured: then no header is looked at for a token. */
  readonly tokens: TokenTrust | undefined;
  /** Undefined when x-forwarded-client-cert is not read. */
  readonly xfcc: XfccReader | undefined;
  /** SPIFFE IDs of peers that may pass on the tokens of others. */
  readonly gateways: ReadonlySet<string>;
  rulesOf(trustDomain: string): TrustDomainRules | undefined;
}

export interface TokenTrust {
  readonly known: KnownTokens;
  readonly places: RequestTokenOptions;
  /** A token counts only when its subject is the peer of the connection, or the peer is a gateway. */
  readonly bindToPeer: boolean;
  /** Whether a request that is let through loses the token on its way upstream. */
  readonly strip: boolean;
}

/** Reads the header as far as it belongs to this connection; see `peer-xfcc.ts`. */
export interface XfccReader {
  read(
    header: string,
    sourceCertificate: string,
    destinationPrincipal: string,
  ):
    | { readonly ok: true; readonly uris: readonly string[]; readonly chain: readonly Uint8Array[] | undefined }
    | { readonly ok: false; readonly code: IdentityCode; readonly detail?: string };
}

/** The outcome for one request. */
export interface Resolution {
  readonly identity: Identity;
  /** Why the check is refused before any policy is asked; `detail` is for people. */
  readonly refusal?: { readonly code: IdentityCode; readonly detail: string };
  /** The headers that carry a token which is not to go on upstream; lower-case names. */
  readonly headersToRemove?: readonly string[];
}

/** Resolves one request. A promise only where a token is seen for the first time. Rejects only by a fault of ours. */
export type Resolve = (request: RequestCredentials, nowUnixMs: number) => Resolution | Promise<Resolution>;
